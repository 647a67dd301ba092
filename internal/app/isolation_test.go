package app_test

import (
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestAHangingSiblingDelaysNobody(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		hanging := newSink(t, answer{hang: true})
		healthy := newSink(t, status(500, 200)...)
		app := w.application("standard", `{"timeout":"10s","retry":{"kind":"fixed","interval":"20ms","max_attempts":9}}`)
		w.subscription(app, hanging.URL, nil)
		w.subscription(app, healthy.URL, nil)
		began := time.Now()
		w.publish(app, `{"type":"a.b","payload":{}}`)
		got := healthy.await(2)
		t.Logf("first attempt after %s, its 20 ms retry %s later", got[0].at.Sub(began), got[1].at.Sub(got[0].at))
		require.Less(t, got[0].at.Sub(began), 2*time.Second)
		require.Less(t, got[1].at.Sub(got[0].at), 450*time.Millisecond, "the retry waited for the sibling")
	})
}

func TestAThousandSubscriptionsOfOneEventAllGetIt(t *testing.T) {
	t.Parallel()
	const subscriptions = 1000
	onEach(t, func(w *world) {
		t := w.t
		var hits atomic.Int64
		seen := make([]atomic.Int64, subscriptions)
		receiver := newReceiver(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			var n int
			_, _ = fmt.Sscanf(r.URL.Path, "/%d", &n)
			seen[n].Add(1)
			hits.Add(1)
		}))
		app := w.application("standard", `{"subscription_limit":1000}`)
		for i := range subscriptions {
			w.subscription(app, fmt.Sprintf("%s/%d", receiver.URL, i), nil)
		}
		began := time.Now()
		event, ids := w.published(app, `{"type":"a.b","payload":{"x":1}}`)
		require.Len(t, ids, subscriptions)
		require.Eventually(t, func() bool { return hits.Load() >= subscriptions }, patience, 10*time.Millisecond)
		t.Logf("1,000 deliveries of one event took %s", time.Since(began))
		require.Eventually(t, func() bool {
			open := w.call("GET", "/v1/applications/"+app+"/invocations?limit=1&status=pending", nil, 200)["items"]
			return len(open.([]any)) == 0
		}, patience, 50*time.Millisecond)
		for i := range seen {
			require.EqualValues(t, 1, seen[i].Load(), "deliveries to subscription %d", i)
		}
		require.Len(t, w.call("GET", "/v1/events/"+event, nil, 200)["invocations"], subscriptions)
	})
}
