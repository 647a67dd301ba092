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
		const slowly = 5 * time.Millisecond // a second request at once would be noticed
		receiver := newSink(t, append(slices.Repeat([]answer{{status: 500, after: slowly}}, 10), answer{status: 200, after: slowly})...)
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
		require.Equal(t, 1, receiver.mostAtOnce(), "one started before the response to the one before")
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
		const events, clients, failing, failures = 60, 6, 5, 2 // of five events one fails twice
		receiver := newSink(t)
		receiver.decides(func(r request) answer {
			var body struct {
				Retry  int `json:"event_retry"`
				Entity struct {
					N int `json:"n"`
				} `json:"entity"`
			}
			_ = json.Unmarshal(r.body, &body) // numbers looks at it again
			if body.Entity.N%failing == 0 && body.Retry < failures {
				return answer{status: 500, after: time.Millisecond}
			}
			return answer{status: 200, after: time.Millisecond}
		})
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
			attempts := 1
			if a.n%failing == 0 {
				attempts += failures
			}
			want = append(want, slices.Repeat([]int{a.n}, attempts)...)
		}
		require.Equal(t, want, numbers(t, receiver.await(len(want))))
		require.Equal(t, 1, receiver.mostAtOnce(), "two of one queue were in flight at once")
	})
}

func TestALV25_OneQueueDoesNotBlockAnother(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		receiver := newSink(t) // even of the same URL; the keys tell them apart
		receiver.decides(func(r request) answer {
			if r.header.Get("Alviere-Auth") == "blocked" {
				return answer{status: 500}
			}
			return answer{status: 200}
		})
		app := w.alviere()
		w.alviereSubscription(app, "ACCOUNT", receiver.URL, "blocked")
		w.alviereSubscription(app, "ACCOUNT", receiver.URL, "free")
		for n := range 5 {
			w.publish(app, fmt.Sprintf(`{"type":"ACCOUNT","payload":{"n":%d}}`, n))
		}
		require.Eventually(t, func() bool {
			return len(underKey(receiver.got(), "free")) == 5 && len(underKey(receiver.got(), "blocked")) >= 3
		}, patience, 5*time.Millisecond)
		require.Equal(t, []int{0, 1, 2, 3, 4}, numbers(t, underKey(receiver.got(), "free")))
		for _, n := range numbers(t, underKey(receiver.got(), "blocked")) {
			require.Zero(t, n)
		}
	})
}

// underKey are the requests that came with the security key.
func underKey(requests []request, key string) []request {
	var list []request
	for _, r := range requests {
		if r.header.Get("Alviere-Auth") == key {
			list = append(list, r)
		}
	}
	return list
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
