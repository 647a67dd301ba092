package app_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/internal/app"
	"github.com/posthorn/posthorn/internal/config"
)

// patience is how long a test waits for what must happen; far more than it takes, on a machine that is busy.
const patience = 30 * time.Second

// world is a running Posthorn and what a test does with it.
type world struct {
	t   *testing.T
	app *app.App
	cfg config.Config
	key string
	url string
	// urls are those of several APIs, asked in turn, and apps all parts of a world on the cluster's servers; nil = url and
	// app are all there is.
	urls *turns
	apps []*app.App
}

// embedded is the configuration of a private embedded Posthorn on free ports.
func embedded(t *testing.T) config.Config {
	t.Helper()
	return config.Config{
		Listen: "127.0.0.1:0", Data: t.TempDir(), TemporalListen: "127.0.0.1:0", TemporalUIListen: "off",
		TemporalNS: "default", OperatorKey: operatorKey,
	}
}

const operatorKey = "operator-key-of-the-tests-0123456789"

var everything = app.Roles{API: true, Worker: true, Embedded: true} //nolint:gochecknoglobals // a constant in all but kind

// quietLog keeps warnings; POSTHORN_TEST_LOG=debug shows all.
func quietLog() *slog.Logger {
	level := slog.LevelError
	if os.Getenv("POSTHORN_TEST_LOG") != "" {
		level = slog.LevelDebug
	}
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
}

func start(t *testing.T, cfg config.Config, roles app.Roles) *world {
	t.Helper()
	w := boot(t, cfg, roles)
	t.Cleanup(w.stop)
	return w
}

// boot is start without the clean-up: for tests that stop it themselves.
func boot(t *testing.T, cfg config.Config, roles app.Roles) *world {
	t.Helper()
	if onCluster() && roles.Embedded {
		cfg = clustered(t, cfg)
		apps, urls, err := bootCluster(cfg)
		require.NoError(t, err)
		return &world{t: t, app: apps[0], apps: apps, cfg: cfg, key: cfg.OperatorKey, url: urls[0], urls: newTurns(urls)}
	}
	// The test's own context ends before its clean-ups, which stop the app.
	a, err := app.Start(context.WithoutCancel(t.Context()), cfg, roles, "test", quietLog())
	require.NoError(t, err)
	return &world{t: t, app: a, cfg: cfg, key: cfg.OperatorKey, url: a.URL()}
}

func (w *world) stop() {
	if w.apps != nil {
		if err := stopAll(w.apps); err != nil {
			w.t.Errorf("stop: %v", err)
		}
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := w.app.Stop(ctx); err != nil {
		w.t.Errorf("stop: %v", err)
	}
}

// as is the same world seen with another key.
func (w *world) as(key string) *world {
	other := *w
	other.key = key
	return &other
}

// at is the same world in another test, for worlds that tests share.
func (w *world) at(t *testing.T) *world {
	t.Helper()
	other := *w
	other.t = t
	return &other
}

// base is the address of the API that is asked next.
func (w *world) base() string {
	if w.urls != nil {
		return w.urls.take()
	}
	return w.url
}

// atOneAPI is the same world asked at one API alone: for what an API knows at once and the others a moment later.
func (w *world) atOneAPI() *world {
	one := *w
	one.urls = nil
	return &one
}

// object is a JSON object as a test reads it.
type object map[string]any

// raw sends a request and returns status and body.
func (w *world) raw(method, path string, body []byte, header http.Header) (int, []byte) {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), method, w.base()+path, bytes.NewReader(body))
	require.NoError(w.t, err)
	req.Header.Set("Authorization", "Bearer "+w.key)
	req.Header.Set("Content-Type", "application/json")
	maps.Copy(req.Header, header)
	res, err := http.DefaultClient.Do(req)
	require.NoError(w.t, err)
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	require.NoError(w.t, err)
	return res.StatusCode, answer
}

// call sends body as JSON (nil = none), requires the status and returns the answer's object; nil when empty.
func (w *world) call(method, path string, body any, want int) object {
	w.t.Helper()
	var encoded []byte
	if text, isText := body.(string); isText {
		encoded = []byte(text)
	} else if body != nil {
		var err error
		encoded, err = json.Marshal(body)
		require.NoError(w.t, err)
	}
	got, answer := w.raw(method, path, encoded, nil)
	require.Equalf(w.t, want, got, "%s %s: %s", method, path, answer)
	if len(answer) == 0 {
		return nil
	}
	var o object
	require.NoErrorf(w.t, json.Unmarshal(answer, &o), "%s %s: %s", method, path, answer)
	return o
}

// application creates one with the overrides (JSON text; "" = none) and returns its id.
func (w *world) application(profile, overrides string) string {
	w.t.Helper()
	body := object{"name": w.t.Name(), "profile": profile}
	if overrides != "" {
		body["overrides"] = json.RawMessage(overrides)
	}
	return w.call("POST", "/v1/applications", body, 201)["id"].(string)
}

// subscription creates one and returns the answer.
func (w *world) subscription(app, url string, more object) object {
	w.t.Helper()
	body := object{"url": url}
	maps.Copy(body, more)
	if body["event_types"] == nil {
		body["event_types"] = []string{"*"}
	}
	return w.call("POST", "/v1/applications/"+app+"/subscriptions", body, 201)
}

// publish publishes an event, body as JSON text, and returns the 202's answer.
func (w *world) publish(app, body string) object {
	w.t.Helper()
	return w.call("POST", "/v1/applications/"+app+"/events", body, 202)
}

// published is the event's id and those of its invocations.
func (w *world) published(app, body string) (event string, invocations []string) {
	w.t.Helper()
	answer := w.publish(app, body)
	for _, item := range answer["invocations"].([]any) {
		invocations = append(invocations, item.(map[string]any)["id"].(string))
	}
	return answer["id"].(string), invocations
}

func (w *world) invocation(id string) object {
	w.t.Helper()
	return w.call("GET", "/v1/invocations/"+id, nil, 200)
}

// logs returns an invocation's log entries.
func (w *world) logs(id string) []object {
	w.t.Helper()
	var entries []object
	for _, item := range w.call("GET", "/v1/invocations/"+id+"/logs", nil, 200)["items"].([]any) {
		entries = append(entries, item.(map[string]any))
	}
	return entries
}

// becomes waits until the invocation has the status and returns it.
func (w *world) becomes(id, status string) object {
	w.t.Helper()
	var last object
	require.Eventuallyf(w.t, func() bool {
		last = w.invocation(id)
		return last["status"] == status
	}, patience, 10*time.Millisecond, "invocation did not become %s", status)
	return last
}
