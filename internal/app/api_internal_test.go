package app

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/api"
)

func TestAnAPIThatStopsAnswersReadyzAsTheDocumentSays(t *testing.T) {
	t.Parallel()
	probes := api.Probes{
		Checks: map[string]func(context.Context) error{"database": func(context.Context) error { return nil }},
		Logger: slog.New(slog.DiscardHandler),
	}
	d := &drainingHandler{Handler: http.NotFoundHandler(), unready: probes.Leaving}
	ask := func(path string) *httptest.ResponseRecorder {
		recorder := httptest.NewRecorder()
		d.ServeHTTP(recorder, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, http.NoBody))
		return recorder
	}
	require.Equal(t, http.StatusNotFound, ask("/readyz").Code, "the API's own answer")
	d.leaving.Store(true)
	ready := ask("/readyz")
	require.Equal(t, http.StatusServiceUnavailable, ready.Code)
	require.JSONEq(t, `{"status":"unavailable","checks":{"database":"ok"}}`, ready.Body.String())
	require.NotEmpty(t, ready.Header().Get("Retry-After"))
	for _, path := range []string{"/readyz", "/v1/profiles"} {
		require.Equal(t, "close", ask(path).Header().Get("Connection"))
	}
}
