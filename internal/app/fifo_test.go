package app_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// alviere creates an application of the profile with a quick retry.
func (w *world) alviere() string {
	w.t.Helper()
	return w.application("alviere", `{"retry":{"kind":"fixed","interval":"20ms"}}`)
}

// account creates a FIFO subscription of the profile to ACCOUNT and returns its id.
func (w *world) account(app, url string) string {
	w.t.Helper()
	return w.subscription(app, url, object{
		"event_types": []string{"ACCOUNT"}, "version": "2021-11-18.1", "security_key": "k1",
	})["id"].(string)
}

// numbered publishes an ACCOUNT event with a number and returns the invocation's id.
func (w *world) numbered(app string, n int) string {
	w.t.Helper()
	_, ids := w.published(app, fmt.Sprintf(`{"type":"ACCOUNT","payload":{"n":%d}}`, n))
	require.Len(w.t, ids, 1)
	return ids[0]
}

// numbers are those that the requests' entities have, in the order in which they came.
func numbers(t *testing.T, requests []request) []int {
	t.Helper()
	ns := make([]int, 0, len(requests))
	for _, r := range requests {
		var body struct {
			Entity struct {
				N int `json:"n"`
			} `json:"entity"`
		}
		require.NoError(t, json.Unmarshal(r.body, &body))
		ns = append(ns, body.Entity.N)
	}
	return ns
}

func TestALV24_LaterEventsWaitUntilTheEarlierOneSucceeded(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		receiver := newSink(t, append(status(500, 500, 500, 500, 500, 500, 500, 500, 500, 500), answer{status: 200})...)
		app := w.alviere()
		w.account(app, receiver.URL)
		ids := make([]string, 5)
		for n := range ids {
			ids[n] = w.numbered(app, n+1)
		}
		want := append(slices.Repeat([]int{1}, 11), 2, 3, 4, 5)
		require.Equal(t, want, numbers(t, receiver.await(len(want))))
		for n, id := range ids {
			require.InDelta(t, n+1, w.becomes(id, "succeeded")["position"], 0)
		}
		require.Len(t, receiver.got(), len(want))
	})
}

func TestALV24_QueuedShowsItsPlaceAndWaits(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		receiver := newSink(t, status(500)...)
		app := w.alviere()
		sub := w.account(app, receiver.URL)
		first, second, third := w.numbered(app, 1), w.numbered(app, 2), w.numbered(app, 3)
		w.becomes(first, "retrying")
		for n, id := range []string{second, third} {
			got := w.invocation(id)
			require.Equal(t, "queued", got["status"])
			require.InDelta(t, n+2, got["position"], 0)
			require.Nil(t, got["next_attempt_at"])
			require.InDelta(t, 0, got["attempts"], 0)
		}
		stats := w.call("GET", "/v1/subscriptions/"+sub+"/stats", nil, 200)
		require.InDelta(t, 3, stats["queue"].(map[string]any)["depth"], 0)
		require.NotNil(t, stats["queue"].(map[string]any)["head_age_ms"])
		_, metrics := w.raw("GET", "/metrics", nil, nil)
		require.Regexp(t, `(?m)^posthorn_queue_depth \d+$`, string(metrics))
		require.Regexp(t, `(?m)^posthorn_queue_head_age_seconds [\d.e+-]+$`, string(metrics))
		receiver.answers(answer{status: 200})
		w.becomes(third, "succeeded")
	})
}

func TestALV24_ConcurrentPublishesArriveInTheOrderOfAcceptance(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		const events, clients = 60, 6
		receiver := newSink(t)
		app := w.alviere()
		w.account(app, receiver.URL)
		type accepted struct {
			n        int
			sequence float64
		}
		var mu sync.Mutex
		var all []accepted
		var group sync.WaitGroup
		for c := range clients {
			group.Go(func() {
				for i := range events / clients {
					n := c*events/clients + i
					got := w.publish(app, fmt.Sprintf(`{"type":"ACCOUNT","payload":{"n":%d}}`, n))
					mu.Lock()
					all = append(all, accepted{n: n, sequence: got["sequence"].(float64)})
					mu.Unlock()
				}
			})
		}
		group.Wait()
		slices.SortFunc(all, func(a, b accepted) int { return int(a.sequence - b.sequence) })
		want := make([]int, 0, events)
		for _, a := range all {
			want = append(want, a.n)
		}
		require.Equal(t, want, numbers(t, receiver.await(events)))
	})
}

func TestALV25_OneQueueDoesNotBlockAnother(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		blocked, free := newSink(t, status(500)...), newSink(t)
		app := w.alviere()
		w.account(app, blocked.URL)
		w.account(app, free.URL)
		for n := range 5 {
			w.publish(app, fmt.Sprintf(`{"type":"ACCOUNT","payload":{"n":%d}}`, n))
		}
		require.Equal(t, []int{0, 1, 2, 3, 4}, numbers(t, free.await(5)))
		for _, n := range numbers(t, blocked.await(3)) {
			require.Zero(t, n)
		}
	})
}

func TestCancellingTheHeadReleasesTheNext(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		receiver := newSink(t, status(500)...)
		app := w.application("alviere", `{"retry":{"kind":"fixed","interval":"1h"}}`)
		w.account(app, receiver.URL)
		first, second, third := w.numbered(app, 1), w.numbered(app, 2), w.numbered(app, 3)
		w.becomes(first, "retrying")
		receiver.answers(answer{status: 200})
		w.call("POST", "/v1/invocations/"+second+"/cancel", nil, 202)
		w.call("POST", "/v1/invocations/"+first+"/cancel", nil, 202)
		w.becomes(third, "succeeded")
		require.Equal(t, []int{1, 3}, numbers(t, receiver.got()))
		require.Equal(t, "cancelled", w.invocation(first)["status"])
		require.Equal(t, "cancelled", w.invocation(second)["status"])
	})
}

func TestRedeliveringTheHeadReleasesTheNext(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		receiver := newSink(t, status(500)...)
		app := w.application("alviere", `{"retry":{"kind":"fixed","interval":"1h"}}`)
		w.account(app, receiver.URL)
		first, second := w.numbered(app, 1), w.numbered(app, 2)
		w.becomes(first, "retrying")
		receiver.answers(answer{status: 200})
		w.call("POST", "/v1/invocations/"+first+"/redeliver", nil, 202)
		w.becomes(second, "succeeded")
		require.Equal(t, []int{1, 1, 2}, numbers(t, receiver.got()))
	})
}

func TestRedeliveringAQueuedOneSendsItOutOfOrder(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		receiver := newSink(t, status(500)...)
		app := w.application("alviere", `{"retry":{"kind":"fixed","interval":"1h"}}`)
		w.account(app, receiver.URL)
		first, second, third := w.numbered(app, 1), w.numbered(app, 2), w.numbered(app, 3)
		w.becomes(first, "retrying")
		receiver.answers(answer{status: 200})
		w.call("POST", "/v1/invocations/"+second+"/redeliver", nil, 202)
		w.becomes(second, "succeeded")
		require.Equal(t, "queued", w.invocation(third)["status"])
		w.call("POST", "/v1/invocations/"+first+"/redeliver", nil, 202)
		w.becomes(third, "succeeded")
		require.Equal(t, []int{1, 2, 1, 3}, numbers(t, receiver.got()))
	})
}

func TestADisabledQueueWaitsAndGoesOnInOrder(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		receiver := newSink(t, status(500)...)
		app := w.alviere()
		sub := w.account(app, receiver.URL)
		first, second := w.numbered(app, 1), w.numbered(app, 2)
		receiver.await(2)
		w.call("POST", "/v1/subscriptions/"+sub+"/disable", nil, 200)
		require.Equal(t, "paused", w.invocation(second)["status"])
		require.Equal(t, "paused", w.invocation(first)["status"])
		require.Eventually(t, func() bool { return len(w.logs(first)) == len(receiver.got()) }, patience, 10*time.Millisecond,
			"an attempt that was in flight settles")
		receiver.answers(answer{status: 200})
		receiver.quiet(300 * time.Millisecond)
		w.call("POST", "/v1/subscriptions/"+sub+"/enable", nil, 200)
		w.becomes(second, "succeeded")
		require.IsNonDecreasing(t, numbers(t, receiver.got()))
	})
}

func TestDeletingTheSubscriptionEndsItsQueue(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		receiver := newSink(t, status(500)...)
		app := w.alviere()
		sub := w.account(app, receiver.URL)
		first, second := w.numbered(app, 1), w.numbered(app, 2)
		receiver.await(2)
		w.call("DELETE", "/v1/subscriptions/"+sub, nil, 204)
		for _, id := range []string{first, second} {
			got := w.invocation(id)
			require.Equal(t, "cancelled", got["status"])
			require.Equal(t, "subscription_deleted", got["reason"])
		}
	})
}

func TestATestOvertakesTheQueue(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		receiver := newSink(t, status(500)...)
		app := w.application("alviere", `{"retry":{"kind":"fixed","interval":"1h"}}`)
		sub := w.account(app, receiver.URL)
		w.becomes(w.numbered(app, 1), "retrying")
		receiver.answers(answer{status: 200})
		id := w.call("POST", "/v1/subscriptions/"+sub+"/test", nil, 202)["invocation_id"].(string)
		w.becomes(id, "succeeded")
	})
}

func TestFIFOByEntityKeepsEachEntityInOrder(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		receiver := newSink(t, status(500)...)
		app := w.application("standard", `{"ordering":{"kind":"fifo","key":"entity"},"retry":{"kind":"fixed","interval":"1h"}}`)
		w.subscription(app, receiver.URL, nil)
		event := func(entity string, n int) string {
			_, ids := w.published(app, fmt.Sprintf(`{"type":"a.b","entity_id":%q,"payload":{"n":%d}}`, entity, n))
			return ids[0]
		}
		blocked := event("a", 1)
		w.becomes(blocked, "retrying")
		receiver.answers(answer{status: 200})
		queued := event("a", 2)
		w.becomes(event("b", 3), "succeeded")
		_, loose := w.published(app, `{"type":"a.b","payload":{"n":4}}`)
		require.Nil(t, w.becomes(loose[0], "succeeded")["position"], "without an entity it is in no queue")
		require.Equal(t, "queued", w.invocation(queued)["status"])
		w.call("POST", "/v1/invocations/"+blocked+"/redeliver", nil, 202)
		w.becomes(queued, "succeeded")
	})
}

func TestAQueueWaitsForNotBefore(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		receiver := newSink(t)
		app := w.alviere()
		w.account(app, receiver.URL)
		later := time.Now().Add(1500 * time.Millisecond)
		w.numbered(app, 1)
		w.publish(app, fmt.Sprintf(`{"type":"ACCOUNT","payload":{"n":2},"not_before":%q}`, later.Format(time.RFC3339Nano)))
		third := w.numbered(app, 3)
		w.becomes(third, "succeeded")
		got := receiver.await(3)
		require.Equal(t, []int{1, 2, 3}, numbers(t, got))
		require.False(t, got[1].at.Before(later))
	})
}
