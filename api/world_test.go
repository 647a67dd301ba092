package api

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/internal/egress"
	"github.com/posthorn/posthorn/internal/ingest"
	"github.com/posthorn/posthorn/internal/secret"
	"github.com/posthorn/posthorn/internal/store"
	"github.com/posthorn/posthorn/models"
	"github.com/posthorn/posthorn/profiles"
)

const operatorKey = "an operator key of more than 32 characters"

// world is an API over a real database of its own.
type world struct {
	t       *testing.T
	handler http.Handler
	store   *store.Store
	log     *lockedBuffer
	verify  func(url, member, key string) error
	checks  *documentChecker
	// wakes counts how often the dispatcher was told.
	wakes *counter
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

// Verify makes a world a Verifier.
func (w *world) Verify(_ context.Context, url, member, key string) error {
	if w.verify == nil {
		return nil
	}
	return w.verify(url, member, key)
}

func newWorld(t *testing.T) *world { return newWorldWith(t, time.Now, nil) }

// newWorldWith lets change alter the dependencies.
func newWorldWith(t *testing.T, now func() time.Time, change func(*Dependencies)) *world {
	t.Helper()
	w := &world{t: t, log: &lockedBuffer{}, wakes: &counter{}}
	d := w.dependencies(now)
	if change != nil {
		change(&d)
	}
	handler, err := New(d)
	require.NoError(t, err)
	w.handler = handler
	w.checks = newDocumentChecker(t, w)
	return w
}

func (w *world) dependencies(now func() time.Time) Dependencies {
	w.t.Helper()
	w.store = openStore(w.t, now)
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
		CursorKey:      bytes.Repeat([]byte("k"), 32),
		Checks:         map[string]func(context.Context) error{"database": w.store.Ping},
		SourceIPs:      SourceIPs{Production: []string{"203.0.113.1"}},
		TemporalUIURL:  "http://127.0.0.1:8233", Wake: w.wakes.add, Now: now,
		Logger: slog.New(slog.NewTextHandler(w.log, nil)), Version: "test",
	}
}

func openStore(t *testing.T, now func() time.Time) *store.Store {
	t.Helper()
	keyring, err := secret.NewKeyring(secret.GenerateMasterKey())
	require.NoError(t, err)
	s, err := store.Open(t.Context(), store.Options{
		URL: "sqlite:" + filepath.Join(t.TempDir(), "posthorn.db"), Keyring: keyring, Now: now,
	})
	require.NoError(t, err)
	t.Cleanup(s.Close)
	require.NoError(t, s.Migrate(t.Context()))
	return s
}

// reply is an answer of the API.
type reply struct {
	t      *testing.T
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
	w.checks.check(method, r.URL.Path, out)
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

// documentChecker holds answers against the OpenAPI document that the API itself serves.
type documentChecker struct {
	t        *testing.T
	document map[string]any
	mu       sync.Mutex
	compiler *jsonschema.Compiler
	schemas  map[string]*jsonschema.Schema
}

const documentURL = "https://posthorn.test/openapi.json"

func newDocumentChecker(t *testing.T, w *world) *documentChecker {
	t.Helper()
	recorder := httptest.NewRecorder()
	w.handler.ServeHTTP(recorder, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/openapi.json", nil))
	require.Equal(t, http.StatusOK, recorder.Code)
	value, err := jsonschema.UnmarshalJSON(recorder.Body)
	require.NoError(t, err)
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft2020)
	require.NoError(t, compiler.AddResource(documentURL, value))
	return &documentChecker{
		t: t, document: value.(map[string]any), compiler: compiler, schemas: map[string]*jsonschema.Schema{},
	}
}

// check requires that the document has the answer's status, and that the answer matches its schema.
func (d *documentChecker) check(method, path string, out *reply) {
	d.t.Helper()
	pattern, ok := d.pattern(path)
	if !ok || out.status == http.StatusMethodNotAllowed || method == http.MethodOptions {
		return // no route, no promise
	}
	if method == http.MethodHead {
		require.Empty(d.t, out.body)
		return
	}
	responses := dig(d.document, "paths", pattern, strings.ToLower(method), "responses")
	response := dig(responses, strconv.Itoa(out.status))
	require.NotNil(d.t, response, "%s %s does not document %d: %s", method, pattern, out.status, out.body)
	mediaType, _, _ := strings.Cut(out.header.Get("Content-Type"), ";")
	content := dig(response, "content", mediaType)
	if dig(response, "content") == nil {
		require.Empty(d.t, out.body)
		return
	}
	require.NotNil(d.t, content, "%s %s %d does not document %s", method, pattern, out.status, mediaType)
	if dig(content, "schema") == nil {
		return
	}
	d.validate(pointerTo("paths", pattern, strings.ToLower(method), "responses", strconv.Itoa(out.status), "content",
		mediaType, "schema"), out.body)
}

func (d *documentChecker) validate(pointer string, body []byte) {
	d.t.Helper()
	d.mu.Lock()
	schema, ok := d.schemas[pointer]
	if !ok {
		var err error
		schema, err = d.compiler.Compile(documentURL + "#" + pointer)
		require.NoError(d.t, err, pointer)
		d.schemas[pointer] = schema
	}
	d.mu.Unlock()
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	require.NoError(d.t, err, string(body))
	require.NoError(d.t, schema.Validate(calm(value)), "%.2000s", body)
}

// calm replaces the numbers that the schema library cannot bear; payloads may have any.
func calm(value any) any {
	switch v := value.(type) {
	case json.Number:
		if len(v) > 20 || strings.ContainsAny(string(v), "eE") {
			return json.Number("0")
		}
	case map[string]any:
		for key := range v {
			v[key] = calm(v[key])
		}
	case []any:
		for i := range v {
			v[i] = calm(v[i])
		}
	}
	return value
}

// pattern finds the documented path that a request's path matches, the literal one first.
func (d *documentChecker) pattern(path string) (string, bool) {
	patterns := make([]string, 0, 50)
	for pattern := range d.document["paths"].(map[string]any) {
		patterns = append(patterns, pattern)
	}
	slices.SortFunc(patterns, func(a, b string) int { return strings.Count(a, "{") - strings.Count(b, "{") })
	given := strings.Split(path, "/")
	for _, pattern := range patterns {
		steps := strings.Split(pattern, "/")
		same := len(steps) == len(given) && !slices.ContainsFunc(indexes(steps), func(i int) bool {
			return steps[i] != given[i] && (!strings.HasPrefix(steps[i], "{") || given[i] == "")
		})
		if same {
			return pattern, true
		}
	}
	return "", false
}

func indexes[T any](list []T) []int {
	all := make([]int, len(list))
	for i := range all {
		all[i] = i
	}
	return all
}

func dig(value any, steps ...string) any {
	for _, step := range steps {
		object, _ := value.(map[string]any)
		value = object[step]
	}
	return value
}

func pointerTo(steps ...string) string {
	var out strings.Builder
	for _, step := range steps {
		escaped := strings.NewReplacer("~", "~0", "/", "~1").Replace(step)
		out.WriteString("/" + url.PathEscape(escaped))
	}
	return out.String()
}
