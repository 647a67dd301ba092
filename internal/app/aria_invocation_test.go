package app_test

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestARI9_AnInvocationIsAnEventFiredAtASubscription(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		receiver := newSink(t)
		app := w.aria()
		subs := map[string]bool{}
		for range 3 {
			subs[w.loans(app, receiver.URL)] = true
		}
		event, ids := w.published(app, `{"type":"loan.updated","payload":{"id":"L"},"idempotency_key":"once"}`)
		require.Len(t, ids, 3)
		for _, id := range ids {
			got := w.becomes(id, "succeeded")
			require.Equal(t, event, got["event_id"])
			sub := got["subscription_id"].(string)
			require.True(t, subs[sub], "one for each subscription")
			delete(subs, sub)
			listed := w.call("GET", "/v1/applications/"+app+"/invocations?subscription_id="+sub, nil, 200)["items"].([]any)
			require.Len(t, listed, 1)
			require.Equal(t, id, listed[0].(map[string]any)["id"])
			require.Equal(t, "succeeded", listed[0].(map[string]any)["status"])
		}
		code, answer := w.raw("POST", "/v1/applications/"+app+"/events",
			[]byte(`{"type":"loan.updated","payload":{"id":"L"}}`), http.Header{"Idempotency-Key": {"once"}})
		require.Equal(t, 202, code)
		var again object
		require.NoError(t, json.Unmarshal(answer, &again))
		require.Equal(t, true, again["duplicate"])
		require.Equal(t, event, again["id"])
		require.Len(t, again["invocations"], 3)
		require.Len(t, w.call("GET", "/v1/applications/"+app+"/invocations", nil, 200)["items"], 3)
		require.Len(t, receiver.await(3), 3)
	})
}

func TestARI11_TheSubscriberReadsWhyItFailed(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		receiver := newSink(t, answer{status: 400, body: "bad sig"}, answer{status: 200})
		app := w.aria()
		w.loans(app, receiver.URL)
		w.loans(app, "https://receiver.invalid/") // a name that cannot exist (RFC 2606)
		reader := w.appKey(app, "member")
		for _, id := range w.loan(app, "L", "NEW") {
			require.Eventually(t, func() bool { return len(reader.logs(id)) > 0 }, patience, 10*time.Millisecond)
			entry := reader.logs(id)[0]
			fault := entry["error"].(map[string]any)
			require.NotEmpty(t, fault["message"])
			if entry["url"] == receiver.URL {
				require.InDelta(t, 400, entry["status_code"], 0)
				require.Equal(t, "bad sig", entry["response"].(map[string]any)["body"])
				continue
			}
			require.Equal(t, "dns", fault["code"])
			require.Equal(t, "https://receiver.invalid/", entry["url"])
			require.Nil(t, entry["status_code"])
		}
	})
}

func TestARI15_EveryEventIsDateEventAndPayload(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		const payload = `{"id":"L","date":"mine","event":[]}`
		receiver := newSink(t)
		app := w.aria()
		w.loans(app, receiver.URL)
		w.publish(app, `{"type":"loan.updated","payload":`+payload+`,"occurred_at":"2022-04-21T10:57:27.9874+02:00"}`)
		got := receiver.await(1)[0]
		require.Equal(t, []string{"date", "event", "payload"}, memberNames(t, got.body))
		var body struct {
			Date    string
			Event   string
			Payload json.RawMessage
		}
		require.NoError(t, json.Unmarshal(got.body, &body))
		require.Equal(t, "2022-04-21T08:57:27.987Z", body.Date)
		require.Equal(t, "loan.updated", body.Event)
		require.Equal(t, payload, string(body.Payload)) //nolint:testifylint // byte for byte
		require.Equal(t, "application/json", got.header.Get("Content-Type"))

		accepted := w.publish(app, `{"type":"loan.updated","payload":{"id":"M"}}`)["created_at"]
		require.NoError(t, json.Unmarshal(receiver.await(2)[1].body, &body))
		require.Equal(t, accepted, body.Date, "without occurred_at it is the time of acceptance")
	})
}

// ariaSample is the payload of the sample in Aria's documentation, byte for byte.
const ariaSample = `{
        "id": "78c9c54c-f656-472d-b303-8d13307d622a",
        "amount": 16339.2,
        "status": "CREATED",
        "userId": "61bb5cddeedf325d8b039555",
        "dueDate": "2022-01-21T00:00:00.000Z",
        "billDate": "2021-12-07T00:00:00.000Z",
        "currency": "EUR",
        "duration": 3888000000,
        "pendingDate": "2022-04-21T13:57:35.860Z",
        "endDate": "2022-05-24T13:57:35.860Z",
        "customerSiren": "552120222"
    }`

func TestARI16_TheSampleArrivesByteForByte(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		receiver := newSink(t, status(500, 200)...)
		app := w.aria()
		w.subscription(app, receiver.URL, object{"event_types": []string{"advance.created"}})
		_, ids := w.published(app,
			`{"type":"advance.created","occurred_at":"2022-04-21T08:57:27.987Z","payload":`+ariaSample+`}`)
		want := `{"date":"2022-04-21T08:57:27.987Z","event":"advance.created","payload":` + ariaSample + `}`
		for _, r := range receiver.await(2) {
			require.Equal(t, want, string(r.body))
		}
		require.Equal(t, "78c9c54c-f656-472d-b303-8d13307d622a", w.becomes(ids[0], "succeeded")["entity_id"])
	})
}
