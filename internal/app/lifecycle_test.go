package app_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/require"

	posthorn "github.com/posthorn/posthorn/clients/go"
)

// F46: what is in flight when its subscription is deleted ends and is on record; nothing is begun once the DELETE has
// answered, and the event's other subscriptions do not notice.
func TestF46_DeletedInFlightAndBetweenRetries(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		slow, failing, healthy := newSink(t, answer{status: 500, after: time.Second}), newSink(t, status(500)...), newSink(t)
		app := w.application("standard", `{"retry":{"kind":"fixed","interval":"100ms"}}`)
		var hooks []string
		for _, s := range []*sink{slow, failing, healthy} {
			hooks = append(hooks, w.subscription(app, s.URL, nil)["id"].(string))
		}
		_, ids := w.published(app, `{"type":"a.b","payload":{}}`)
		slow.await(1)
		failing.await(2)
		for _, hook := range hooks[:2] {
			w.call("DELETE", "/v1/subscriptions/"+hook, nil, 204)
		}
		inFlight := time.Now()
		require.Eventually(t, func() bool { return len(w.logs(ids[0])) == 1 }, patience, 10*time.Millisecond, "the one in flight ends")
		require.Less(t, time.Since(inFlight), 10*time.Second)
		for i, s := range []*sink{slow, failing} {
			ended := w.invocation(ids[i])
			require.Equal(t, []any{"cancelled", "subscription_deleted"}, []any{ended["status"], ended["reason"]})
			begun := len(s.got())
			s.quiet(300 * time.Millisecond)
			require.Len(t, w.logs(ids[i]), begun, "every request is on record")
			w.call("POST", "/v1/invocations/"+ids[i]+"/redeliver", nil, 409)
		}
		w.becomes(ids[2], "succeeded")
		require.Len(t, healthy.got(), 1)
	})
}

// F47: disabling pauses. Nothing is sent, nothing is lost, and the policy goes on where it was.
func TestF47_DisabledBetweenRetriesAndEnabledAgain(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		receiver := newSink(t, status(500)...)
		app := w.application("standard", `{"retry":{"kind":"fixed","interval":"50ms"}}`)
		hook := "/v1/subscriptions/" + w.subscription(app, receiver.URL, nil)["id"].(string)
		_, ids := w.published(app, `{"type":"a.b","payload":{"n":1}}`)
		receiver.await(2)
		w.call("POST", hook+"/disable", nil, 200)
		w.becomes(ids[0], "paused")
		require.Eventually(t, func() bool { return len(w.logs(ids[0])) == len(receiver.got()) }, patience, 10*time.Millisecond)
		receiver.quiet(300 * time.Millisecond)
		while, none := w.published(app, `{"type":"a.b","payload":{"n":2}}`)
		require.Empty(t, none, "%s is kept, and not for this one", while)
		before := len(receiver.got())
		receiver.answers(answer{status: 200})
		w.call("POST", hook+"/enable", nil, 200)
		done := w.becomes(ids[0], "succeeded")
		require.Len(t, receiver.got(), before+1)
		require.EqualValues(t, before+1, done["attempts"])
		require.Len(t, distinct(receiver.got()), 1)
	})
}

// verifies reports whether a receiver that knows the secret takes the request.
func verifies(t *testing.T, secret any, r request) bool {
	t.Helper()
	receiver, err := standardwebhooks.NewWebhook(secret.(string))
	require.NoError(t, err)
	return receiver.Verify(r.body, r.header) == nil
}

// verifiesPublicly reports whether a receiver that knows the public key alone takes the request: by its v1a signature.
func verifiesPublicly(key any, r request) bool {
	receiver := posthorn.Verifier{Scheme: posthorn.SchemeStandard, PublicKeys: []string{key.(string)}}
	return receiver.Verify(r.header, r.body) == nil
}

// F48: from the rotation on attempts are signed with both secrets, retries of older events too, and with the new one
// alone once the overlap is over.
func TestF48_RotatedBetweenRetries(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		receiver := newSink(t, status(500)...)
		app := w.application("standard", `{"retry":{"kind":"fixed","interval":"100ms"}}`)
		sub := w.subscription(app, receiver.URL, nil)
		_, ids := w.published(app, `{"type":"a.b","payload":{"n": 1.50}}`)
		receiver.await(1)
		fresh := w.call("POST", "/v1/subscriptions/"+sub["id"].(string)+"/rotate-secret", `{"overlap":"2s"}`, 200)
		require.NotEqual(t, sub["public_key"], fresh["public_key"])
		rotated := time.Now()
		require.Eventually(t, func() bool {
			got := receiver.got()
			return got[len(got)-1].at.After(rotated.Add(2500 * time.Millisecond))
		}, patience, 10*time.Millisecond)
		receiver.answers(answer{status: 200})
		w.becomes(ids[0], "succeeded")
		both := 0
		for i, r := range receiver.got() {
			older, newer := verifies(t, sub["secret"], r), verifies(t, fresh["secret"], r)
			require.True(t, older || newer, "request %d", i)
			require.Equal(t, older, verifiesPublicly(sub["public_key"], r), "request %d: v1a is as v1", i)
			require.Equal(t, newer, verifiesPublicly(fresh["public_key"], r), "request %d: v1a is as v1", i)
			switch {
			case i == 0:
				require.False(t, newer)
			case r.at.After(rotated.Add(100*time.Millisecond)) && r.at.Before(rotated.Add(1500*time.Millisecond)):
				require.True(t, older && newer, "request %d, %s after the rotation", i, r.at.Sub(rotated))
				both++
			case r.at.After(rotated.Add(2500 * time.Millisecond)):
				require.False(t, older, "request %d, %s after the rotation", i, r.at.Sub(rotated))
			}
		}
		require.Positive(t, both)
		require.Len(t, distinct(receiver.got()), 1)
	})
}

// F49: the next attempt goes where the subscription points by then; the log says where each went.
func TestF49_AnotherURLBetweenRetries(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		old, fresh := newSink(t, status(500)...), newSink(t)
		app := w.application("standard", `{"retry":{"kind":"fixed","interval":"200ms"}}`)
		hook := "/v1/subscriptions/" + w.subscription(app, old.URL+"/old", nil)["id"].(string)
		event, ids := w.published(app, `{"type":"a.b","payload":{"n": 1.50}}`)
		old.await(1)
		w.call("PATCH", hook, object{"url": fresh.URL + "/new"}, 200)
		got := fresh.await(1)[0]
		require.Equal(t, "/new", got.target)
		require.Equal(t, event, got.header.Get("webhook-id"))
		require.Equal(t, `{"n": 1.50}`, string(got.body))
		w.becomes(ids[0], "succeeded")
		log := w.logs(ids[0])
		for i, entry := range log {
			want := old.URL + "/old"
			if i == len(log)-1 {
				want = fresh.URL + "/new"
			}
			require.Equal(t, want, entry["url"])
		}
		require.Len(t, old.got(), len(log)-1)
		require.Equal(t, fresh.URL+"/new", w.invocation(ids[0])["url"])
	})
}

// F50: what has used up its policy is delivered once more by hand, or with many others at a rate; each arrives under its
// event's id, unchanged.
func TestF50_ExhaustedAndRedeliveredOneAndMany(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		receiver := newSink(t, status(500)...)
		app := w.application("standard", `{"retry":{"kind":"fixed","interval":"10ms","max_attempts":2}}`)
		w.subscription(app, receiver.URL, nil)
		bodies := map[string]string{} // by event
		for begun := 0; begun < bulkSize; begun += 100 {
			batch := make([]string, 0, 100)
			for n := begun; n < min(begun+100, bulkSize); n++ {
				batch = append(batch, fmt.Sprintf(`{"type":"a.b","payload":{"n": %d}}`, n))
			}
			answer := w.call("POST", "/v1/applications/"+app+"/events/batch", `{"events":[`+strings.Join(batch, ",")+`]}`, 202)
			for i, result := range answer["results"].([]any) {
				bodies[result.(map[string]any)["id"].(string)] = fmt.Sprintf(`{"n": %d}`, begun+i)
			}
		}
		long := patience + time.Duration(bulkSize)*20*time.Millisecond
		failed := func(limit string) []object {
			return w.listed("/v1/applications/" + app + "/invocations?status=failed&limit=" + limit)
		}
		open := func(status string) int {
			return len(w.listed("/v1/applications/" + app + "/invocations?limit=1&status=" + status))
		}
		require.Eventually(t, func() bool { return open("pending")+open("retrying") == 0 }, long, 50*time.Millisecond)
		require.Len(t, receiver.got(), 2*bulkSize, "the policy is used up")

		receiver.answers(answer{status: 200})
		one := failed("1")[0]
		w.call("POST", "/v1/invocations/"+one["id"].(string)+"/redeliver", nil, 202)
		require.EqualValues(t, 3, w.becomes(one["id"].(string), "succeeded")["attempts"])

		began := time.Now()
		job := w.redeliveries(app, fmt.Sprintf(`{"filter":{"status":"failed"},"rate":%d}`, bulkRate))
		done := w.jobEnds(job["id"], long)
		took := time.Since(began)
		require.Equal(t, []any{float64(bulkSize - 1), 0.0}, []any{done["succeeded"], done["failed"]})
		// A job makes up for half a second at most.
		least := time.Duration(float64(bulkSize-1)/bulkRate*float64(time.Second)) - time.Second
		require.Greater(t, took, least, "it keeps to its rate")
		t.Logf("%d redelivered in %s at %d/s", bulkSize-1, took.Round(time.Millisecond), bulkRate)
		arrived := map[string]int{}
		for _, r := range receiver.got() {
			id := r.header.Get("webhook-id")
			require.Equal(t, bodies[id], string(r.body))
			arrived[id]++
		}
		require.Len(t, arrived, bulkSize)
		for id, times := range arrived {
			require.Equal(t, 3, times, id)
		}
		require.Empty(t, failed("1"))
	})
}
