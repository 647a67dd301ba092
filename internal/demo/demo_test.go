package demo

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

func runOnce(t *testing.T, fake *fakePosthorn) (string, error) {
	t.Helper()
	fake.t = t
	server := httptest.NewServer(fake.handler())
	defer server.Close()
	var out bytes.Buffer
	err := Run(t.Context(), Options{
		BaseURL: server.URL, OperatorKey: "op", TemporalUIURL: "http://temporal.invalid", Out: &out, Once: true,
	})
	return out.String(), err
}

func TestOnceShowsEveryAttemptAndSucceeds(t *testing.T) {
	t.Parallel()
	out, err := runOnce(t, &fakePosthorn{})
	require.NoError(t, err, out)
	require.Contains(t, out, "5 events, 7 invocations: 7 delivered")
	require.Contains(t, out, "13 attempts (6 retries)")
	require.Contains(t, out, "13 of 13 byte for byte")
	require.Contains(t, out, "9 of 9 verify")
	require.Contains(t, out, "http://temporal.invalid/inv-0")
	require.Equal(t, 6, strings.Count(out, "next retry in"))
	require.NotContains(t, out, "warehouse")
	require.NotContains(t, out, "\x1b")
}

func TestOnceFailsWhenBodiesDiffer(t *testing.T) {
	t.Parallel()
	out, err := runOnce(t, &fakePosthorn{spoil: func(body string) string { return strings.ReplaceAll(body, "100.50", "100.5") }})
	require.ErrorContains(t, err, "12 of 13 bodies differ", out)
}

func TestRunNamesTheCallThatFailed(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = w.Write([]byte(`{"status":401,"code":"unauthenticated","title":"Unauthorized","detail":"the key is unknown"}`))
	}))
	defer server.Close()
	err := Run(t.Context(), Options{BaseURL: server.URL, Out: &bytes.Buffer{}, Once: true})
	require.EqualError(t, err, "GET /v1/profiles?limit=500: 401 unauthenticated: Unauthorized: the key is unknown")
}

func TestWithoutOnceItGoesOnUntilTheEndOfItsContext(t *testing.T) {
	t.Parallel()
	fake := &fakePosthorn{t: t}
	server := httptest.NewServer(fake.handler())
	defer server.Close()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	out := &tripwire{text: "Samples go on", trip: cancel}
	require.NoError(t, Run(ctx, Options{BaseURL: server.URL, Out: out}))
	require.Contains(t, out.String(), "warehouse")
	require.Contains(t, out.String(), "one that fails")
}

// tripwire calls trip once text is written.
type tripwire struct {
	text string
	trip func()

	mu  sync.Mutex
	all bytes.Buffer
}

func (w *tripwire) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if bytes.Contains(p, []byte(w.text)) {
		w.trip()
	}
	return w.all.Write(p)
}

func (w *tripwire) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.all.String()
}
