package fault_test

import (
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestF10_DatabaseRestarted(t *testing.T) {
	d := cluster(t)
	const events = 60
	l := newLoad(t, d, loadOf{})
	l.receiver.behaves(flaky(dice(t)))
	l.publisher.many(t, 0, events, 8, kind(0))

	require.NoError(t, d.postgres.StopNow())
	var publishing sync.WaitGroup
	publishing.Go(func() { l.publisher.many(t, events, events, 8, kind(0)) })
	a, err := d.client.ask(t.Context(), http.MethodPost, "/v1/applications/"+l.app+"/events", []byte(`{"type":"a.b","payload":{}}`))
	require.NoError(t, err)
	require.Equal(t, http.StatusServiceUnavailable, a.status, "%s", a.body)
	require.NotEmpty(t, a.header.Get("Retry-After"))
	<-time.After(outageOf(5 * time.Second))
	accepted := len(l.publisher.accepted())
	require.Equal(t, events, accepted, "202 while there was no database")
	require.NoError(t, d.postgres.Start())
	back := time.Now()
	require.Eventually(t, func() bool { return len(l.publisher.accepted()) > events }, 5*time.Second, 5*time.Millisecond,
		"the API did not recover")
	recovered := time.Since(back)
	publishing.Wait()

	require.Positive(t, l.publisher.unavailable)
	require.Zero(t, l.publisher.unadvised, "503 without Retry-After")
	l.receiver.awaitDelivered(t, 2*events, patience)
	l.check(t)
	t.Logf("%d answers 503; accepted again %s after Postgres was", l.publisher.unavailable, recovered.Round(time.Millisecond))
}
