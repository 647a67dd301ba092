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
	require.Contains(t, out, "15 events, 18 invocations: 17 delivered and 1 abandoned for a newer one, as must be, in ")
	require.Contains(t, out, "senders  27 of 27 proven")
	require.Contains(t, out, "order    3 of 3 events")
	require.Contains(t, out, "http://temporal.invalid/inv-")
	require.Regexp(t, `ended +aria +loan.updated +→ loans +abandoned superseded by inv-`, out)
	require.Equal(t, 2, strings.Count(out, "queued behind an earlier event"))
	require.NotContains(t, out, "warehouse")
	require.NotContains(t, out, "\x1b")
}

func TestOnceFailsWhenBodiesDiffer(t *testing.T) {
	t.Parallel()
	out, err := runOnce(t, &fakePosthorn{spoil: func(body string) string { return strings.ReplaceAll(body, "100.50", "100.5") }})
	require.ErrorContains(t, err, "bodies differ", out)
}

func TestOnceFailsWhenAQueueIsNotKept(t *testing.T) {
	t.Parallel()
	out, err := runOnce(t, &fakePosthorn{disorder: true})
	require.EqualError(t, err, "the demo is incomplete:\n"+
		"  3 events of FIFO queues came in another order than they were accepted in", out)
}

func TestOnceFailsWhenADeliveryEndsInAnotherWay(t *testing.T) {
	t.Parallel()
	out, err := runOnce(t, &fakePosthorn{overtaken: "failed"})
	require.ErrorContains(t, err, "the demo is incomplete:\n  aria loan.updated → loans: failed after", out)
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
