package app_test

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// pastOf publishes five events; the two whose payload says "missed" use up their attempts.
func (w *world) pastOf(app string) (ids []string) {
	w.t.Helper()
	for n, payload := range []string{`{"n":0}`, `{"n":1,"is":"missed"}`, `{"n": 2}`, `{"n":3,"is":"missed"}`, `{"n":4.0}`} {
		_, made := w.published(app, fmt.Sprintf(`{"type":%d,"payload":%s}`, 101+n%2, payload))
		ids = append(ids, made...)
	}
	for n, id := range ids {
		w.becomes(id, []string{"succeeded", "failed"}[n%2])
	}
	return ids
}

// requirePast: three delivered, two missed, each with its payload; by state, by code, by time.
func (w *world) requirePast(app string, ids []string) {
	w.t.Helper()
	t := w.t
	past := func(query string) (found []string) {
		t.Helper()
		for _, item := range w.listed("/v1/applications/" + app + "/invocations?include=payload&" + query) {
			require.NotNil(t, item["payload"])
			found = append(found, item["id"].(string))
		}
		return found
	}
	delivered, missed := []string{ids[4], ids[2], ids[0]}, []string{ids[3], ids[1]} // newest first
	require.Equal(t, delivered, past("status=succeeded"))
	require.Equal(t, missed, past("status=failed"))
	require.Equal(t, delivered, past("event_type=101"))
	require.Equal(t, missed, past("event_type=102"))
	require.Empty(t, past("event_type=102&status=succeeded"))
	third := url.QueryEscape(w.invocation(ids[2])["created_at"].(string))
	require.Equal(t, []string{ids[4], ids[3], ids[2]}, past("after="+third))
	require.Equal(t, []string{ids[1], ids[0]}, past("before="+third))
	require.Len(t, w.listed("/v1/applications/"+app+"/events?undelivered=true"), 2)

	_, answer := w.raw("GET", "/v1/applications/"+app+"/invocations?include=payload", nil, nil)
	for _, payload := range []string{`{"n":1,"is":"missed"}`, `{"n": 2}`, `{"n":4.0}`} {
		require.Contains(t, string(answer), `"payload":`+payload, "not byte for byte")
	}
}

func TestTHR4_DeliveredAndMissedNotificationsAreListedOnDemandAlsoAfterARestart(t *testing.T) {
	t.Parallel()
	for name, database := range databases(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := embedded(t)
			cfg.DatabaseURL = database(t)
			w := boot(t, cfg, everything)
			receiver := newSink(t)
			receiver.judges(func(body []byte) int {
				if strings.Contains(string(body), "missed") {
					return 500
				}
				return 200
			})
			app := w.thredd()
			w.endpoint(app, receiver.URL, []int{101, 102})
			ids := w.pastOf(app)
			member := w.asRole(app, "member")
			member.requirePast(app, ids)

			receiver.Close() // also with nobody there
			w.stop()
			w = start(t, cfg, everything)
			w.as(member.key).requirePast(app, ids)
		})
	}
}

func TestTHR7_ANotificationsDetails(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		receiver := newSink(t, status(500, 200)...)
		app := w.thredd()
		hook := w.endpoint(app, receiver.URL, []int{103})
		// The clock is the database's, which a busy process knows less exactly.
		began := time.Now().Add(-100 * time.Millisecond)
		event, ids := w.published(app, `{"type":103,"entity_id":"card-1","payload":{ "status": "G1" }}`)
		w.becomes(ids[0], "succeeded")

		_, answer := w.asRole(app, "member").raw("GET", "/v1/invocations/"+ids[0], nil, nil)
		require.Contains(t, string(answer), `"payload":{ "status": "G1" }`)
		var got object
		require.NoError(t, json.Unmarshal(answer, &got))
		want := object{
			"id": ids[0], "application_id": app, "subscription_id": hook[len("/v1/subscriptions/"):], "event_id": event,
			"event_type": "103", "entity_id": "card-1", "status": "succeeded", "attempts": 2.0, "last_status_code": 200.0,
			"last_error": nil, "next_attempt_at": nil, "url": receiver.URL, "reason": nil, "abandoned_by": nil,
		}
		for key, value := range want {
			require.Contains(t, got, key)
			require.Equal(t, value, got[key], key)
		}
		logs := w.logs(ids[0])
		created, last := instant(t, got["created_at"]), instant(t, got["last_attempt_at"])
		require.True(t, created.After(began))
		require.Equal(t, instant(t, logs[1]["started_at"]), last, "the last-sent time")
		require.False(t, instant(t, got["delivered_at"]).Before(last))
		require.False(t, last.Before(created))
	})
}

func TestTHR8_OneNotificationIsSentAgainAsItWas(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		receiver, other := newSink(t), newSink(t)
		app := w.thredd()
		w.endpoint(app, receiver.URL, []int{101})
		w.endpoint(app, other.URL, []int{101})
		event, ids := w.published(app, `{"type":101,"payload":{ "n": 1.0 }}`)
		for _, id := range ids {
			w.becomes(id, "succeeded")
		}
		mine := ids[0]
		if w.invocation(mine)["url"] != receiver.URL {
			mine = ids[1]
		}
		require.Equal(t, mine, w.asRole(app, "admin").call("POST", "/v1/invocations/"+mine+"/redeliver", nil, 202)["invocation_id"])
		got := receiver.await(2)
		require.Equal(t, string(got[0].body), string(got[1].body))
		require.Equal(t, event, notifications(t, got)[1].ID)
		require.Eventually(t, func() bool { return len(w.logs(mine)) == 2 }, patience, 10*time.Millisecond)
		again := w.invocation(mine)
		require.Equal(t, "succeeded", again["status"])
		require.InDelta(t, 2, again["attempts"], 0)
		require.Equal(t, "redeliver", w.logs(mine)[1]["trigger"])
		require.Len(t, other.got(), 1)
		w.call("POST", "/v1/invocations/01890000-0000-7000-8000-000000000000/redeliver", nil, 404)
		w.asRole(app, "member").call("POST", "/v1/invocations/"+mine+"/redeliver", nil, 403)
	})
}

func TestTHR16_WhatFailsIsRetriedByItselfUnchanged(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		receiver := newSink(t, status(500, 500, 200)...)
		app := w.thredd()
		w.endpoint(app, receiver.URL, []int{101})
		id := w.notify(app, 101, 1)[0]
		require.InDelta(t, 3, w.becomes(id, "succeeded")["attempts"], 0)
		digests := map[[32]byte]bool{}
		for _, r := range receiver.got() {
			digests[sha256.Sum256(r.body)] = true
		}
		require.Len(t, receiver.got(), 3)
		require.Len(t, digests, 1)
	})
}

func TestTHR16_TheFirstRetryIsDueAfterAMinute(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		receiver := newSink(t, status(500)...)
		app := w.application("thredd", "") // by the profile's own policy
		w.endpoint(app, receiver.URL, []int{101})
		id := w.notify(app, 101, 1)[0]
		waiting := w.becomes(id, "retrying")
		finished := timeOf(t, w.logs(id)[0]["finished_at"])
		require.Equal(t, time.Minute, timeOf(t, waiting["next_attempt_at"]).Sub(finished))
		require.InDelta(t, 1, waiting["attempts"], 0)
	})
}

func TestTHR16_NoConnectionAndNoAnswerAreRetriedToo(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		closed, hanging := newSink(t), newSink(t, answer{hang: true}, answer{status: 200})
		closed.Close()
		app := w.application("thredd",
			`{"timeout":"1s","retry":{"kind":"fixed","interval":"20ms","max_attempts":3}}`)
		w.endpoint(app, closed.URL, []int{101})
		w.endpoint(app, hanging.URL, []int{102})
		refused, late := w.notify(app, 101, 1)[0], w.notify(app, 102, 1)[0]
		require.InDelta(t, 3, w.becomes(refused, "failed")["attempts"], 0)
		require.Equal(t, "connect", w.invocation(refused)["last_error"].(map[string]any)["code"])
		require.InDelta(t, 2, w.becomes(late, "succeeded")["attempts"], 0)
		require.Equal(t, "timeout", w.logs(late)[0]["error"].(map[string]any)["code"])
	})
}

func TestTHR17_WhatFailedForGoodIsKeptAndCanBeSentAgain(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		receiver := newSink(t, status(500)...)
		app := w.thredd()
		w.endpoint(app, receiver.URL, []int{101})
		id := w.notify(app, 101, 7)[0]
		require.InDelta(t, 3, w.becomes(id, "failed")["attempts"], 0)
		require.Equal(t, map[string]any{"n": 7.0}, w.invocation(id)["payload"])
		listed := w.listed("/v1/applications/" + app + "/invocations?status=failed&include=payload")
		require.Len(t, listed, 1)
		require.Equal(t, map[string]any{"n": 7.0}, listed[0]["payload"])

		receiver.answers(answer{status: 200})
		w.asRole(app, "admin").call("POST", "/v1/invocations/"+id+"/redeliver", nil, 202)
		require.InDelta(t, 4, w.becomes(id, "succeeded")["attempts"], 0)
		logs := w.logs(id)
		require.Len(t, logs, 4)
		for n, entry := range logs {
			require.Equal(t, []string{"failed", "succeeded"}[n/3], entry["outcome"])
		}
		require.Equal(t, receiver.got()[0].body, receiver.got()[3].body)
	})
}

func TestTHR21_AnEventThatIsDueLaterFiresThenAndNotBefore(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		receiver := newSink(t)
		app := w.thredd()
		w.endpoint(app, receiver.URL, []int{102})
		due := time.Now().Add(2 * time.Second).Truncate(time.Millisecond)
		later := func(n int) (string, []string) {
			return w.published(app, fmt.Sprintf(`{"type":102,"payload":{"n":%d},"not_before":%q}`,
				n, due.UTC().Format(time.RFC3339Nano)))
		}
		_, fires := later(1)
		confirmed, never := later(2)
		waiting := w.invocation(fires[0])
		require.Equal(t, "pending", waiting["status"])
		require.True(t, due.Equal(instant(t, waiting["next_attempt_at"])))
		w.call("POST", "/v1/events/"+confirmed+"/cancel", nil, 202) // the customer has confirmed it
		w.becomes(fires[0], "succeeded")
		receiver.quiet(300 * time.Millisecond)
		require.Len(t, receiver.got(), 1)
		require.False(t, receiver.got()[0].at.Before(due), "it came too early")
		require.JSONEq(t, `{"n":1}`, string(notifications(t, receiver.got())[0].Payload))
		require.Equal(t, "cancelled", w.invocation(never[0])["status"])
		require.Empty(t, w.logs(never[0]))
	})
}
