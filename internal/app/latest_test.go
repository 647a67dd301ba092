package app_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// aria creates an application of the profile with a quick retry.
func (w *world) aria() string {
	w.t.Helper()
	return w.application("aria", `{"retry":{"kind":"fixed","interval":"50ms"}}`)
}

func (w *world) loans(app, url string) string {
	w.t.Helper()
	return w.subscription(app, url, object{"event_types": []string{"loan.updated"}})["id"].(string)
}

// loan publishes a change of a loan's state and returns the invocations' ids.
func (w *world) loan(app, id, state string, more ...string) []string {
	w.t.Helper()
	_, ids := w.published(app, fmt.Sprintf(`{"type":"loan.updated","payload":{"id":%q,"state":%q}%s}`,
		id, state, strings.Join(more, "")))
	return ids
}

// states are those that the requests' payloads have, in the order in which they came.
func states(t *testing.T, requests []request) []string {
	t.Helper()
	list := make([]string, 0, len(requests))
	for _, r := range requests {
		var body struct {
			Payload struct {
				State string `json:"state"`
			} `json:"payload"`
		}
		require.NoError(t, json.Unmarshal(r.body, &body))
		list = append(list, body.Payload.State)
	}
	return list
}

// refusing is a receiver that answers 500 to payloads with one of the states and 200 to others.
func refusing(t *testing.T, refused ...string) *sink {
	t.Helper()
	s := newSink(t)
	s.judges(func(body []byte) int {
		for _, state := range refused {
			if strings.Contains(string(body), `"`+state+`"`) {
				return 500
			}
		}
		return 200
	})
	return s
}

func TestARI12_ANewerEventDoesNotWaitForAnOlderOne(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		receiver := refusing(t, "ACCEPTED")
		app := w.application("aria", `{"retry":{"kind":"fixed","interval":"1h"}}`)
		w.loans(app, receiver.URL)
		older := w.loan(app, "L", "ACCEPTED")[0]
		w.becomes(older, "retrying")
		w.becomes(w.loan(app, "L", "TO_REPAY")[0], "succeeded")
	})
}

func TestARI13_AnOlderEventIsAbandonedOnceANewerOneWasDelivered(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		receiver := refusing(t, "ACCEPTED")
		app := w.aria()
		w.loans(app, receiver.URL)
		older := w.loan(app, "L", "ACCEPTED")[0]
		receiver.await(2)
		newer := w.loan(app, "L", "TO_REPAY")[0]
		w.becomes(newer, "succeeded")
		got := w.becomes(older, "abandoned")
		require.Equal(t, newer, got["abandoned_by"])
		require.Equal(t, "superseded", got["reason"])
		require.Nil(t, got["next_attempt_at"])
		receiver.quiet(200 * time.Millisecond) // four intervals

		w.call("POST", "/v1/invocations/"+older+"/redeliver", nil, 409)
		receiver.judges(nil)
		w.call("POST", "/v1/invocations/"+older+"/redeliver", object{"force": true}, 202)
		require.Nil(t, w.becomes(older, "succeeded")["abandoned_by"])
	})
}

func TestARI14_OnlyOlderUndeliveredOnesOfTheSameLoanAreAbandoned(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		receiver := refusing(t, "OLD")
		app := w.aria()
		w.loans(app, receiver.URL)
		delivered := w.loan(app, "A", "FIRST")[0]
		w.becomes(delivered, "succeeded")
		other := w.loan(app, "B", "OLD")[0]
		pending := w.loan(app, "A", "OLD")[0]
		failing := w.loan(app, "A", "OLD")[0]
		w.goesOn(pending) // a newer one that fails abandons nothing
		w.goesOn(failing)
		w.goesOn(pending)
		w.becomes(w.loan(app, "A", "NEW")[0], "succeeded")
		w.becomes(pending, "abandoned")
		w.becomes(failing, "abandoned")
		w.goesOn(other) // another loan
		require.Equal(t, "succeeded", w.invocation(delivered)["status"], "what was delivered stays so")
	})
}

// goesOn waits until the invocation has been tried twice more than it is now, and is still retried.
func (w *world) goesOn(id string) {
	w.t.Helper()
	before := w.invocation(id)["attempts"].(float64)
	require.Eventually(w.t, func() bool {
		got := w.invocation(id)
		return got["status"] == "retrying" && got["attempts"].(float64) >= before+2
	}, patience, 10*time.Millisecond, "it is not tried again")
}

func TestARI14_OtherEventNamesOfTheSameLoanGoOn(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		receiver := refusing(t, "OLD")
		aria := w.aria()
		w.loans(aria, receiver.URL)
		w.subscription(aria, receiver.URL, object{"event_types": []string{"loan.created"}})
		// The profile has one name for each subscription; where one gets both, they are as independent.
		both := w.application("standard",
			`{"ordering":{"kind":"latest_wins","scope":"type"},"retry":{"kind":"fixed","interval":"50ms"}}`)
		w.subscription(both, receiver.URL, nil)
		for _, app := range []string{aria, both} {
			_, created := w.published(app, `{"type":"loan.created","entity_id":"L","payload":{"id":"L","state":"OLD"}}`)
			require.Len(t, created, 1)
			w.becomes(created[0], "retrying")
			_, updated := w.published(app, `{"type":"loan.updated","entity_id":"L","payload":{"id":"L","state":"NEW"}}`)
			require.Equal(t, w.invocation(created[0])["entity_id"], w.becomes(updated[0], "succeeded")["entity_id"])
			w.goesOn(created[0])
		}
	})
}

func TestARI14_TheSameLoanAtAnotherSubscriptionGoesOn(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		receiver, elsewhere := refusing(t, "OLD"), newSink(t, status(500)...)
		app := w.aria()
		w.loans(app, receiver.URL)
		other := w.loans(app, elsewhere.URL)
		here := func(ids []string) (own, others string) {
			require.Len(t, ids, 2)
			if w.invocation(ids[0])["subscription_id"] == other {
				return ids[1], ids[0]
			}
			return ids[0], ids[1]
		}
		older, olderThere := here(w.loan(app, "L", "OLD"))
		w.becomes(older, "retrying")
		newer, newerThere := here(w.loan(app, "L", "NEW"))
		w.becomes(newer, "succeeded")
		require.Equal(t, newer, w.becomes(older, "abandoned")["abandoned_by"])
		w.goesOn(olderThere) // nothing newer was delivered there
		w.goesOn(newerThere)
		w.goesOn(olderThere)
	})
}

func TestARI14_AnOlderEventThatComesLateIsAbandonedWithoutAnAttempt(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		receiver, elsewhere := newSink(t), newSink(t)
		app := w.aria()
		w.loans(app, receiver.URL)
		newer := w.loan(app, "L", "NEW", `,"sequence":2`)[0]
		w.becomes(newer, "succeeded")
		other := w.loans(app, elsewhere.URL) // has not been told of the newer one
		ids := w.loan(app, "L", "OLD", `,"sequence":1`)
		require.Len(t, ids, 2)
		for _, id := range ids {
			if got := w.invocation(id); got["subscription_id"] == other {
				w.becomes(id, "succeeded")
				continue
			}
			got := w.invocation(id)
			require.Equal(t, "abandoned", got["status"])
			require.InDelta(t, 0, got["attempts"], 0)
			require.Equal(t, newer, got["abandoned_by"])
		}
		require.Equal(t, []string{"NEW"}, states(t, receiver.got()))
		require.Equal(t, []string{"OLD"}, states(t, elsewhere.await(1)))
	})
}

func TestARI17_AnotherResourceIsNeverOvertaken(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		receiver := refusing(t, "OLD")
		app := w.aria()
		w.loans(app, receiver.URL)
		older := w.loan(app, "78c9c54c-f656-472d-b303-8d13307d622a", "OLD")[0]
		require.Equal(t, "78c9c54c-f656-472d-b303-8d13307d622a", w.invocation(older)["entity_id"])
		w.becomes(older, "retrying")
		w.becomes(w.loan(app, "L2", "NEW")[0], "succeeded")
		attempts := w.invocation(older)["attempts"].(float64)
		require.Eventually(t, func() bool {
			got := w.invocation(older)
			return got["status"] == "retrying" && got["attempts"].(float64) > attempts+1
		}, patience, 10*time.Millisecond)
	})
}

func TestLatestWinsByEntityLooksAtEveryType(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		receiver := refusing(t, "OLD")
		app := w.application("standard",
			`{"ordering":{"kind":"latest_wins","scope":"entity"},"retry":{"kind":"fixed","interval":"50ms"}}`)
		w.subscription(app, receiver.URL, nil)
		_, older := w.published(app, `{"type":"loan.updated","entity_id":"L","payload":{"state":"OLD"}}`)
		w.becomes(older[0], "retrying")
		_, newer := w.published(app, `{"type":"loan.deleted","entity_id":"L","payload":{"state":"NEW"}}`)
		w.becomes(newer[0], "succeeded")
		w.becomes(older[0], "abandoned")
	})
}

func TestAnAttemptInFlightWhenANewerOneIsDeliveredCountsAsDelivered(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		receiver := newSink(t, answer{status: 200, after: 700 * time.Millisecond}, answer{status: 200})
		app := w.aria()
		w.loans(app, receiver.URL)
		older := w.loan(app, "L", "OLD")[0]
		receiver.await(1)
		newer := w.loan(app, "L", "NEW")[0]
		w.becomes(newer, "succeeded")
		require.Equal(t, "pending", w.invocation(older)["status"], "it is in flight")
		w.becomes(older, "succeeded")
	})
}
