package api

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/models"
)

// probesOf are those of a process whose database answers with err.
func probesOf(err error) Probes {
	return Probes{
		Checks:  map[string]func(context.Context) error{"database": func(context.Context) error { return err }},
		Metrics: http.NotFoundHandler(), Logger: slog.New(slog.DiscardHandler),
	}
}

// listened is what a listener with the handler answers.
func listened(t *testing.T, handler http.Handler, path string, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, http.NoBody)
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	recorder := httptest.NewRecorder()
	NewServer("", handler).Handler.ServeHTTP(recorder, r)
	return recorder
}

func TestOnlyTheAPIsAnswersHadARequestID(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, handler := range map[string]http.Handler{
		"the API": w.handler, "a worker's probes": probesOf(nil).Handler(), "pages": http.NotFoundHandler(),
		"a process that stops": http.HandlerFunc(probesOf(nil).Leaving),
	} {
		for _, path := range []string{"/", "/healthz", "/readyz", "/metrics", "/nothing"} {
			require.True(t, models.IsID(listened(t, handler, path).Header().Get("X-Request-Id")), name+path)
			require.Equal(t, []string{"a-1"}, listened(t, handler, path, "X-Request-Id", "a-1").Header().Values("X-Request-Id"), name+path)
		}
	}
	refusal := listened(t, w.handler, "/v1/profiles")
	var body map[string]any
	require.NoError(t, json.Unmarshal(refusal.Body.Bytes(), &body))
	require.Equal(t, refusal.Header().Get("X-Request-Id"), body["request_id"], "one id for a request")
}

func TestAProcessThatStopsSaidNothingOfItsDependencies(t *testing.T) {
	t.Parallel()
	for state, err := range map[string]error{"ok": nil, "unavailable": errors.New("refused")} {
		answer := listened(t, http.HandlerFunc(probesOf(err).Leaving), "/readyz")
		require.Equal(t, http.StatusServiceUnavailable, answer.Code)
		require.Equal(t, "2", answer.Header().Get("Retry-After"))
		require.Equal(t, "application/json", answer.Header().Get("Content-Type"))
		require.JSONEq(t, `{"status":"unavailable","checks":{"database":"`+state+`"}}`, answer.Body.String())
	}
}
