package api

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/internal/egress"
	"github.com/posthorn/posthorn/internal/ingest"
	"github.com/posthorn/posthorn/internal/secret"
	"github.com/posthorn/posthorn/internal/store"
	"github.com/posthorn/posthorn/internal/testpg"
	"github.com/posthorn/posthorn/models"
	"github.com/posthorn/posthorn/profiles"
)

const operatorKey = "an operator key of more than 32 characters"

// world is an API over a real database of its own.
type world struct {
	t       testing.TB
	handler http.Handler
	store   *store.Store
	log     *lockedBuffer
	verify  func(url, member, key string) error
	checks  *documentChecker
	// wakes counts how often the dispatcher was told.
	wakes *counter
	// database is the URL of an empty one; "" = a SQLite file of its own.
	database string
}

// clock is shared by all parts of a world.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

type counter struct {
	mu sync.Mutex
	n  int
}

func (c *counter) add() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n++
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

type uncounted struct{}

func (uncounted) Accepted(bool) {}

func (uncounted) FilterFailed(context.Context, string, string) {}

// Verify makes a world a Verifier.
func (w *world) Verify(_ context.Context, url, member, key string) error {
	if w.verify == nil {
		return nil
	}
	return w.verify(url, member, key)
}

func newWorld(tb testing.TB) *world {
	tb.Helper()
	return newWorldWith(tb, time.Now, nil)
}

// newWorldWith lets change alter the dependencies.
func newWorldWith(tb testing.TB, now func() time.Time, change func(*Dependencies)) *world {
	tb.Helper()
	return newWorldOn(tb, "", now, change)
}

// onEach runs the test on a world of its own on either database.
func onEach(t *testing.T, test func(w *world)) {
	t.Helper()
	for name, url := range databases() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(newWorldOn(t, url(t), time.Now, nil))
		})
	}
}

// databases give the URL of an empty one; "" = a SQLite file of the test's own.
func databases() map[string]func(testing.TB) string {
	return map[string]func(testing.TB) string{"sqlite": func(testing.TB) string { return "" }, "postgres": testpg.URL}
}

// newWorldOn is newWorldWith on a database; "" = a SQLite file.
func newWorldOn(tb testing.TB, url string, now func() time.Time, change func(*Dependencies)) *world {
	tb.Helper()
	w := &world{t: tb, log: &lockedBuffer{}, wakes: &counter{}, database: url}
	d := w.dependencies(now)
	if change != nil {
		change(&d)
	}
	handler, err := New(d)
	require.NoError(tb, err)
	w.handler = handler
	w.checks = newDocumentChecker(tb, w)
	return w
}

func (w *world) dependencies(now func() time.Time) Dependencies {
	w.t.Helper()
	w.store = openStore(w.t, w.database, now)
	registry, err := profiles.New("")
	require.NoError(w.t, err)
	resolver := ingest.NewResolver(registry, w.store, now)
	client, err := egress.New(egress.Config{})
	require.NoError(w.t, err)
	digest := secret.OperatorDigest(operatorKey)
	return Dependencies{
		Store: w.store, Profiles: resolver, CheckURL: client.CheckURL, Verifier: w,
		Ingest: &ingest.Ingest{
			Store: w.store, Profiles: resolver, Observer: uncounted{}, Wake: w.wakes.add, Now: now,
		},
		Metrics:        http.NotFoundHandler(),
		OperatorDigest: digest[:],
		CursorKeys:     [][]byte{bytes.Repeat([]byte("k"), 32)},
		Checks:         map[string]func(context.Context) error{"database": w.store.Ping},
		SourceIPs:      SourceIPs{Production: []string{"203.0.113.1"}},
		TemporalUIURL:  "http://127.0.0.1:8233", Wake: w.wakes.add, Now: now,
		Logger: slog.New(slog.NewTextHandler(w.log, nil)), Version: "test",
	}
}

func openStore(tb testing.TB, url string, now func() time.Time) *store.Store {
	tb.Helper()
	if url == "" {
		url = "sqlite:" + filepath.Join(tb.TempDir(), "posthorn.db")
	}
	keyring, err := secret.NewKeyring(secret.GenerateMasterKey())
	require.NoError(tb, err)
	s, err := store.Open(tb.Context(), store.Options{
		URL: url, Keyring: keyring, Now: now,
	})
	require.NoError(tb, err)
	tb.Cleanup(s.Close)
	require.NoError(tb, s.Migrate(tb.Context()))
	return s
}

// reply is an answer of the API.
type reply struct {
	t      testing.TB
	status int
	header http.Header
	body   []byte
}

// do makes a request and holds its answer against the OpenAPI document.
func (w *world) do(key, method, path, body string, headers ...string) *reply {
	w.t.Helper()
	r := httptest.NewRequestWithContext(context.WithoutCancel(w.t.Context()), method, path, strings.NewReader(body))
	if key != "" {
		r.Header.Set("Authorization", "Bearer "+key)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	if r.Header.Get("Transfer-Encoding") != "" {
		r.ContentLength = -1
	}
	recorder := httptest.NewRecorder()
	w.handler.ServeHTTP(recorder, r)
	out := &reply{t: w.t, status: recorder.Code, header: recorder.Header(), body: recorder.Body.Bytes()}
	require.NotEmpty(w.t, out.header.Get("X-Request-Id"))
	if w.checks != nil {
		w.checks.check(method, r.URL.Path, out)
	}
	return out
}

func (w *world) op(method, path, body string, headers ...string) *reply {
	w.t.Helper()
	return w.do(operatorKey, method, path, body, headers...)
}

// is requires the status and returns the decoded body.
func (r *reply) is(status int) map[string]any {
	r.t.Helper()
	require.Equal(r.t, status, r.status, string(r.body))
	if len(r.body) == 0 {
		return nil
	}
	decoder := json.NewDecoder(bytes.NewReader(r.body))
	decoder.UseNumber()
	var body map[string]any
	require.NoError(r.t, decoder.Decode(&body))
	return body
}

// problem requires an error answer.
func (r *reply) problem(status int, code models.Code, locations ...string) map[string]any {
	r.t.Helper()
	body := r.is(status)
	require.Equal(r.t, "application/problem+json", r.header.Get("Content-Type"))
	require.Equal(r.t, string(code), body["code"], string(r.body))
	require.Equal(r.t, json.Number(strconv.Itoa(status)), body["status"])
	require.Equal(r.t, r.header.Get("X-Request-Id"), body["request_id"])
	for _, location := range locations {
		require.Contains(r.t, places(body), location, string(r.body))
	}
	return body
}

func places(problem map[string]any) []string {
	var list []string
	for _, e := range problem["errors"].([]any) {
		list = append(list, e.(map[string]any)["location"].(string))
	}
	return list
}

func (w *world) application(profile, more string) string {
	w.t.Helper()
	return w.op("POST", "/v1/applications", `{"name":"Shop","profile":"`+profile+`"`+more+`}`).is(201)["id"].(string)
}

func (w *world) key(app, role string) string {
	w.t.Helper()
	if app == "" {
		return w.op("POST", "/v1/keys", `{"role":"`+role+`","name":"k"}`).is(201)["key"].(string)
	}
	return w.op("POST", "/v1/applications/"+app+"/keys", `{"role":"`+role+`","name":"k"}`).is(201)["key"].(string)
}

func (w *world) subscription(app, body string) string {
	w.t.Helper()
	return w.op("POST", "/v1/applications/"+app+"/subscriptions", body).is(201)["id"].(string)
}

func (w *world) event(app, body string) map[string]any {
	w.t.Helper()
	return w.op("POST", "/v1/applications/"+app+"/events", body).is(202)
}

const anyType = `{"url":"https://example.com/hook","event_types":["*"]}`
