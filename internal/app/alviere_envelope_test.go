package app_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// alviereBody is what the profile's receivers get.
type alviereBody struct {
	UUID    string          `json:"event_uuid"`
	Program string          `json:"program_uuid"`
	Date    string          `json:"event_date"`
	Retry   json.RawMessage `json:"event_retry"`
	Type    json.RawMessage `json:"event_type"`
	Version string          `json:"event_version"`
	Entity  json.RawMessage `json:"entity"`
}

func alviereBodies(t *testing.T, requests []request) []alviereBody {
	t.Helper()
	bodies := make([]alviereBody, len(requests))
	for i, r := range requests {
		require.NoError(t, json.Unmarshal(r.body, &bodies[i]))
	}
	return bodies
}

// memberNames are the names of an object's members in the order in which they stand in its bytes.
func memberNames(t *testing.T, body []byte) []string {
	t.Helper()
	decoder := json.NewDecoder(bytes.NewReader(body))
	open, err := decoder.Token()
	require.NoError(t, err)
	require.Equal(t, json.Delim('{'), open)
	var names []string
	for decoder.More() {
		name, err := decoder.Token()
		require.NoError(t, err)
		names = append(names, name.(string))
		var value json.RawMessage
		require.NoError(t, decoder.Decode(&value))
	}
	return names
}

func TestALV7_TheBodyHasSevenKeysInOrder(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		receiver := newSink(t)
		app := w.alviere()
		w.account(app, receiver.URL)
		w.publish(app, `{"type":"ACCOUNT","payload":{"entity":1,"event_uuid":2}}`)
		got := receiver.await(1)[0]
		require.Equal(t, []string{
			"event_uuid", "program_uuid", "event_date", "event_retry", "event_type", "event_version", "entity",
		}, memberNames(t, got.body))
		require.Equal(t, "application/json", got.header.Get("Content-Type"))
		require.Empty(t, got.header.Get("webhook-id"), "the body alone says which event it is")
	})
}

func TestALV8_EventUUIDNamesTheEventOnEveryAttempt(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		receiver := newSink(t, status(500, 500, 200)...)
		app := w.alviere()
		w.account(app, receiver.URL)
		first, _ := w.published(app, `{"type":"ACCOUNT","payload":{}}`)
		second, _ := w.published(app, `{"type":"ACCOUNT","payload":{}}`)
		require.NotEqual(t, first, second)
		for i, body := range alviereBodies(t, receiver.await(4)) {
			want := first
			if i == 3 {
				want = second
			}
			require.Equal(t, want, body.UUID)
			require.Regexp(t, `^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$`, body.UUID)
		}
	})
}

func TestALV9_ProgramUUIDNamesTheApplication(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		const program = "04d3ac6e-82d3-4f52-b82f-6cc0320928af"
		receiver := newSink(t)
		own := w.alviere()
		named := w.call("POST", "/v1/applications",
			object{"name": t.Name(), "profile": "alviere", "external_id": program}, 201)["id"].(string)
		for i, app := range []string{own, own, named, named} {
			if i%2 == 0 {
				w.account(app, receiver.URL)
			}
			w.becomes(w.numbered(app, i), "succeeded")
		}
		bodies := alviereBodies(t, receiver.await(4))
		require.Equal(t, []string{own, own, program, program},
			[]string{bodies[0].Program, bodies[1].Program, bodies[2].Program, bodies[3].Program})
	})
}

func TestALV10_EventDateIsWhenItHappenedInMillisecondsUTC(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		receiver := newSink(t, status(500, 500, 200)...)
		app := w.alviere()
		w.account(app, receiver.URL)
		for _, occurred := range []string{
			"2021-06-17T11:02:08.143Z", "2021-06-17T14:02:08.5+03:00", "2021-06-17T11:02:08Z", "2021-06-17T11:02:08.143999Z",
		} {
			w.publish(app, fmt.Sprintf(`{"type":"ACCOUNT","payload":{},"occurred_at":%q}`, occurred))
		}
		accepted := w.publish(app, `{"type":"ACCOUNT","payload":{}}`)["created_at"]
		var dates []string
		for _, body := range alviereBodies(t, receiver.await(7)) {
			require.Regexp(t, `^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$`, body.Date)
			dates = append(dates, body.Date)
		}
		require.Equal(t, []string{
			"2021-06-17T11:02:08.143Z", "2021-06-17T11:02:08.143Z", "2021-06-17T11:02:08.143Z", // two retries
			"2021-06-17T11:02:08.500Z", "2021-06-17T11:02:08.000Z", "2021-06-17T11:02:08.143Z", accepted.(string),
		}, dates)
	})
}

func TestALV11_EventRetryCountsTheAttemptsBefore(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		receiver := newSink(t, status(500, 503, 200)...)
		app := w.alviere()
		w.account(app, receiver.URL)
		id := w.numbered(app, 1)
		w.becomes(id, "succeeded")
		w.call("POST", "/v1/invocations/"+id+"/redeliver", nil, 202)
		for i, body := range alviereBodies(t, receiver.await(4)) { // a redelivery counts on (A15)
			require.Equal(t, fmt.Sprint(i), string(body.Retry), "a JSON integer")
		}
		require.Eventually(t, func() bool { return len(w.logs(id)) == 4 }, patience, 10*time.Millisecond)
		for i, entry := range w.logs(id) {
			require.Equal(t, string(receiver.got()[i].body), entry["request"].(map[string]any)["body"])
		}
		w.becomes(w.numbered(app, 2), "succeeded")
		require.Equal(t, "0", string(alviereBodies(t, receiver.await(5))[4].Retry), "each event counts for itself")
	})
}

func TestALV13_EventVersionIsTheSubscriptions(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		receiver := newSink(t, status(500, 200)...)
		app := w.alviere()
		sub := w.account(app, receiver.URL)
		require.Equal(t, "2021-11-18.1", w.call("GET", "/v1/subscriptions/"+sub, nil, 200)["version"])
		w.becomes(w.numbered(app, 1), "succeeded")
		w.becomes(w.numbered(app, 2), "succeeded")
		for _, body := range alviereBodies(t, receiver.await(3)) {
			require.Equal(t, "2021-11-18.1", body.Version)
		}
	})
}

func TestALV14_TheEntityArrivesByItsOwnLiterals(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		const entity = `{"z":1, "amount":-200,"rate":1.50,"n":9007199254740993,"e":1E+2,"s":"a<b & Ελ","a":null,  "\u03b1": "\/"}`
		receiver := newSink(t, status(500, 200)...)
		app := w.alviere()
		w.account(app, receiver.URL)
		_, ids := w.published(app, `{"type":"ACCOUNT","payload":`+entity+`}`)
		for _, r := range receiver.await(2) {
			require.True(t, bytes.HasSuffix(r.body, []byte(`,"entity":`+entity+`}`)), string(r.body))
		}
		w.becomes(ids[0], "succeeded")
	})
}

func TestRetriesKeepTheTenantOfTheirAcceptance(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		receiver := newSink(t, status(500)...)
		app := w.application("alviere", `{"retry":{"kind":"fixed","interval":"1h"}}`)
		w.account(app, receiver.URL)
		id := w.numbered(app, 1)
		w.becomes(id, "retrying")
		w.call("PATCH", "/v1/applications/"+app, object{"external_id": "another"}, 200)
		w.call("POST", "/v1/invocations/"+id+"/redeliver", nil, 202)
		got := receiver.await(2)
		require.Contains(t, string(got[1].body), `"program_uuid":"`+app+`"`)
		require.Eventually(t, func() bool { return len(w.logs(id)) == 2 }, patience, 10*time.Millisecond)
		for i, entry := range w.logs(id) {
			require.Equal(t, string(got[i].body), entry["request"].(map[string]any)["body"])
		}
	})
}
