package dashboard_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/api"
	"github.com/posthorn/posthorn/dashboard"
	"github.com/posthorn/posthorn/internal/egress"
	"github.com/posthorn/posthorn/internal/ingest"
	"github.com/posthorn/posthorn/internal/secret"
	"github.com/posthorn/posthorn/internal/store"
	"github.com/posthorn/posthorn/models"
	"github.com/posthorn/posthorn/profiles"
)

const operatorKey = "an operator key of more than 32 characters"

// world is a dashboard in front of an API over a real database of its own.
type world struct {
	t       *testing.T
	handler http.Handler
	store   *store.Store
	clock   *clock
	// verify is the handshake; nil = it succeeds.
	verify func() error
}

// clock is shared by all parts of a world.
type clock struct {
	mu    sync.Mutex
	ahead time.Duration
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.ahead)
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ahead += d
}

type uncounted struct{}

func (uncounted) Accepted(bool) {}

func (uncounted) FilterFailed(context.Context, string, string) {}

// Verify makes a world an api.Verifier.
func (w *world) Verify(context.Context, string, string, string) error {
	if w.verify == nil {
		return nil
	}
	return w.verify()
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, clock: &clock{}}
	keyring, err := secret.NewKeyring(secret.GenerateMasterKey())
	require.NoError(t, err)
	w.store, err = store.Open(t.Context(), store.Options{
		URL: "sqlite:" + filepath.Join(t.TempDir(), "posthorn.db"), Keyring: keyring, Now: w.clock.Now,
	})
	require.NoError(t, err)
	t.Cleanup(w.store.Close)
	require.NoError(t, w.store.Migrate(t.Context()))
	logger := slog.New(slog.NewTextHandler(t.Output(), nil))
	routes, err := api.New(w.dependencies(logger))
	require.NoError(t, err)
	w.handler, err = dashboard.New(dashboard.Options{API: routes, Keyring: keyring, Now: w.clock.Now, Logger: logger})
	require.NoError(t, err)
	return w
}

func (w *world) dependencies(logger *slog.Logger) api.Dependencies {
	w.t.Helper()
	registry, err := profiles.New("")
	require.NoError(w.t, err)
	resolver := ingest.NewResolver(registry, w.store, w.clock.Now)
	client, err := egress.New(egress.Config{})
	require.NoError(w.t, err)
	digest := secret.OperatorDigest(operatorKey)
	return api.Dependencies{
		Store: w.store, Profiles: resolver, CheckURL: client.CheckURL, Verifier: w,
		Ingest:  &ingest.Ingest{Store: w.store, Profiles: resolver, Observer: uncounted{}, Wake: func() {}, Now: w.clock.Now},
		Metrics: http.NotFoundHandler(), OperatorDigest: digest[:], CursorKeys: [][]byte{bytes.Repeat([]byte("k"), 32)},
		Checks:        map[string]func(context.Context) error{"database": w.store.Ping},
		TemporalUIURL: "https://temporal.example/", Now: w.clock.Now, Logger: logger, Version: "test",
	}
}

// op asks the API as the operator.
func (w *world) op(method, path, body string, want int) map[string]any {
	w.t.Helper()
	r := httptest.NewRequestWithContext(w.t.Context(), method, path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+operatorKey)
	answer := httptest.NewRecorder()
	w.handler.ServeHTTP(answer, r)
	require.Equal(w.t, want, answer.Code, answer.Body.String())
	var object map[string]any
	if answer.Body.Len() > 0 {
		require.NoError(w.t, json.Unmarshal(answer.Body.Bytes(), &object))
	}
	return object
}

func (w *world) application(profile string) string {
	w.t.Helper()
	return w.op("POST", "/v1/applications", `{"name":"Shop","profile":"`+profile+`"}`, 201)["id"].(string)
}

func (w *world) key(app, role string) string {
	w.t.Helper()
	return w.op("POST", "/v1/applications/"+app+"/keys", `{"role":"`+role+`","name":"k"}`, 201)["key"].(string)
}

func (w *world) subscription(app string) string {
	w.t.Helper()
	return w.op("POST", "/v1/applications/"+app+"/subscriptions",
		`{"url":"https://example.com/hook","event_types":["*"]}`, 201)["id"].(string)
}

// invocation publishes an event and returns its only invocation.
func (w *world) invocation(app string) string {
	w.t.Helper()
	event := w.op("POST", "/v1/applications/"+app+"/events", `{"type":"a.b","payload":{"text":"<script>payload</script>"}}`, 202)
	return event["invocations"].([]any)[0].(map[string]any)["id"].(string)
}

// visitor is a browser: it keeps the cookie.
type visitor struct {
	*world
	cookie *http.Cookie
}

// page is what a visitor got.
type page struct {
	*httptest.ResponseRecorder
	html string
}

func (v *visitor) ask(method, path string, form url.Values, headers ...string) *page {
	v.t.Helper()
	r := httptest.NewRequestWithContext(v.t.Context(), method, path, strings.NewReader(form.Encode()))
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if v.cookie != nil {
		r.AddCookie(v.cookie)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	recorder := httptest.NewRecorder()
	v.handler.ServeHTTP(recorder, r)
	for _, cookie := range recorder.Result().Cookies() {
		v.cookie = cookie
	}
	text, err := io.ReadAll(recorder.Result().Body)
	require.NoError(v.t, err)
	return &page{ResponseRecorder: recorder, html: string(text)}
}

func (v *visitor) get(path string, want int) string {
	v.t.Helper()
	p := v.ask("GET", path, nil)
	require.Equal(v.t, want, p.Code, p.html)
	return p.html
}

func (v *visitor) post(path string, form url.Values, want int) *page {
	v.t.Helper()
	if form == nil {
		form = url.Values{}
	}
	p := v.ask("POST", path, form)
	require.Equal(v.t, want, p.Code, p.html)
	return p
}

// signIn is a visitor with a session.
func (w *world) signIn(key string) *visitor {
	w.t.Helper()
	v := &visitor{world: w}
	v.post("/sign-in", url.Values{"key": {key}}, http.StatusSeeOther)
	require.NotNil(w.t, v.cookie)
	return v
}

// attempted gives the invocation a log entry with a receiver's answer.
func (w *world) attempted(invocation, header, body string) {
	w.t.Helper()
	ctx, owner := w.t.Context(), models.NewID()
	require.NoError(w.t, w.store.RenewWorker(ctx, owner))
	gates, err := w.store.Claim(ctx, owner, []string{invocation})
	require.NoError(w.t, err)
	require.Equal(w.t, models.VerdictGranted, gates[0].Verdict)
	settled, err := w.store.Settle(ctx, gates[0].Claim.Settle(models.Result{
		StartedAt: w.clock.Now(), FinishedAt: w.clock.Now(), Outcome: models.AttemptFailed, StatusCode: 500,
		Error:           &models.AttemptError{Code: models.AttemptStatus, Message: body},
		ResponseHeaders: []models.Header{{Name: header, Value: body}}, ResponseBody: []byte(body),
	}))
	require.NoError(w.t, err)
	require.True(w.t, settled.Kept)
}
