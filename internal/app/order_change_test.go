package app_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestAHeadThatHasUsedUpItsPolicyReleasesTheNext(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		receiver := newSink(t, status(500, 500, 500, 200)...)
		app := w.application("alviere", `{"retry":{"kind":"fixed","interval":"20ms","max_attempts":3}}`)
		w.account(app, receiver.URL)
		first, second := w.numbered(app, 1), w.numbered(app, 2)
		w.becomes(second, "succeeded")
		require.Equal(t, "failed", w.invocation(first)["status"])
		require.Equal(t, []int{1, 1, 1, 2}, numbers(t, receiver.got()))
	})
}

func TestCancellingAnEventReleasesTheNextOfEachQueue(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		app := w.application("alviere", `{"retry":{"kind":"fixed","interval":"1h"}}`)
		sinks := []*sink{newSink(t, status(500, 200)...), newSink(t, status(500, 200)...)}
		for _, receiver := range sinks {
			w.account(app, receiver.URL)
		}
		event, heads := w.published(app, `{"type":"ACCOUNT","payload":{"n":1}}`)
		_, next := w.published(app, `{"type":"ACCOUNT","payload":{"n":2}}`)
		for _, id := range heads {
			w.becomes(id, "retrying")
		}
		w.call("POST", "/v1/events/"+event+"/cancel", nil, 202)
		for i, id := range next {
			w.becomes(id, "succeeded")
			require.Equal(t, "event_cancelled", w.invocation(heads[i])["reason"])
			require.Equal(t, []int{1, 2}, numbers(t, sinks[i].got()))
		}
	})
}

func TestARedeliveryThatFailsLeavesAQueuedOneInItsPlace(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		receiver := newSink(t, status(500)...)
		app := w.application("alviere", `{"retry":{"kind":"fixed","interval":"1h"}}`)
		w.account(app, receiver.URL)
		first, second, third := w.numbered(app, 1), w.numbered(app, 2), w.numbered(app, 3)
		w.becomes(first, "retrying")
		w.call("POST", "/v1/invocations/"+second+"/redeliver", nil, 202)
		receiver.await(2)
		require.Eventually(t, func() bool { return w.invocation(second)["attempts"] == 1.0 }, patience, 10*time.Millisecond)
		got := w.invocation(second)
		require.Equal(t, "queued", got["status"])
		require.InDelta(t, 2, got["position"], 0)
		receiver.answers(answer{status: 200})
		w.call("POST", "/v1/invocations/"+first+"/cancel", nil, 202)
		w.becomes(third, "succeeded")
		require.Equal(t, []int{1, 2, 2, 3}, numbers(t, receiver.got()))
	})
}

func TestWhatIsQueuedKeepsTheOrderItWasAcceptedUnder(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		receiver := newSink(t, status(500)...)
		app := w.application("alviere", `{"retry":{"kind":"fixed","interval":"1h"}}`)
		sub := "/v1/subscriptions/" + w.account(app, receiver.URL)
		first, second := w.numbered(app, 1), w.numbered(app, 2)
		w.becomes(first, "retrying")
		receiver.answers(answer{status: 200})

		w.call("PATCH", sub, `{"delivery":{"ordering":"none"}}`, 200)
		require.Nil(t, w.becomes(w.numbered(app, 3), "succeeded")["position"])
		w.call("PATCH", sub, `{"delivery":{"ordering":{"kind":"fifo","key":"entity"}}}`, 200)
		_, other := w.published(app, `{"type":"ACCOUNT","entity_id":"A","payload":{"n":4}}`)
		require.InDelta(t, 1, w.becomes(other[0], "succeeded")["position"], 0, "another queue")
		w.call("PATCH", sub, `{"delivery":{"ordering":"fifo"}}`, 200)
		fifth := w.numbered(app, 5)
		require.InDelta(t, 3, w.invocation(fifth)["position"], 0, "behind what is left of the old queue")
		require.Equal(t, "queued", w.invocation(second)["status"])

		w.call("POST", "/v1/invocations/"+first+"/redeliver", nil, 202)
		w.becomes(fifth, "succeeded")
		require.Equal(t, []int{1, 3, 4, 1, 2, 5}, numbers(t, receiver.got()))
	})
}

func TestANewerEventOvertakesOneThatIsNotDueYet(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		receiver := newSink(t)
		app := w.aria()
		w.loans(app, receiver.URL)
		later := w.loan(app, "L", "OLD", fmt.Sprintf(`,"not_before":%q`, inAnHour()))[0]
		newer := w.loan(app, "L", "NEW")[0]
		w.becomes(newer, "succeeded")
		require.Equal(t, newer, w.becomes(later, "abandoned")["abandoned_by"])
		require.Equal(t, []string{"NEW"}, states(t, receiver.got()))
	})
}
