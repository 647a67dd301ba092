package app_test

import (
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/internal/app"
)

func TestAWorkerTellsItsStateAndMetricsWhereItIsTo(t *testing.T) {
	t.Parallel()
	server := temporalAt(t, t.TempDir(), "127.0.0.1:0")
	cfg := external(t, "sqlite:"+filepath.Join(t.TempDir(), "posthorn.db"), server.Address())
	require.Empty(t, start(t, cfg, app.Roles{Worker: true}).app.ProbesURL(), "nothing listens that was not asked for")

	cfg.WorkerListen = "127.0.0.1:0"
	w := start(t, cfg, app.Roles{Worker: true})
	w.url = w.app.ProbesURL()
	require.Equal(t, "ok", w.call("GET", "/healthz", nil, 200)["status"])
	ready := w.call("GET", "/readyz", nil, 200)
	require.Equal(t, map[string]any{"database": "ok", "temporal": "ok"}, ready["checks"])
	status, metrics := w.raw("GET", "/metrics", nil, nil)
	require.Equal(t, 200, status)
	require.Contains(t, string(metrics), "posthorn_dispatched_total")
	require.Equal(t, 404, w.status("/v1/applications"))

	for _, path := range []string{"/healthz", "/readyz", "/metrics"} {
		requireRequestID(t, w.url+path)
	}

	stopTemporal(t, server)
	require.Eventually(t, func() bool { return w.status("/readyz") == 503 }, patience, 50*time.Millisecond)
	require.Equal(t, "unavailable", w.call("GET", "/readyz", nil, 503)["checks"].(map[string]any)["temporal"])
	require.Equal(t, 200, w.status("/healthz"), "it lives and waits")
}

func TestAPageAnsweredWithoutARequestID(t *testing.T) {
	t.Parallel()
	cfg := external(t, "sqlite:"+filepath.Join(t.TempDir(), "posthorn.db"), "127.0.0.1:1")
	w := start(t, cfg, app.Roles{API: true})
	for _, path := range []string{"/", "/assets/nothing", "/applications", "/v1/profiles", "/readyz", "/metrics"} {
		requireRequestID(t, w.url+path)
	}
}

// requireRequestID requires that the answer bears the request's id, once.
func requireRequestID(t *testing.T, url string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	require.NoError(t, err)
	request.Header.Set("X-Request-Id", "asked-1")
	answer, err := http.DefaultTransport.RoundTrip(request)
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
	require.Equal(t, []string{"asked-1"}, answer.Header.Values("X-Request-Id"), url)
}
