package app_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestALV4_AReceiverThatIsDownHoldsUpNoPublisher(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		receiver := newSink(t)
		app := w.alviere()
		w.account(app, receiver.URL)
		receiver.Close()
		w.becomes(w.numbered(app, 1), "retrying")
		id := w.numbered(app, 2) // behind one that cannot be delivered
		require.Equal(t, "queued", w.invocation(id)["status"])
	})
}

func TestALV5_AnEventIsASnapshot(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		const entity = `{"status":"CREATED"}`
		first, second := newSink(t, status(500)...), newSink(t)
		app := w.application("alviere", `{"retry":{"kind":"fixed","interval":"300ms"}}`)
		sub := w.account(app, first.URL)
		event, ids := w.published(app, `{"type":"ACCOUNT","payload":`+entity+`,"entity_id":"A1"}`)
		first.await(2)
		w.call("PATCH", "/v1/subscriptions/"+sub, object{"url": second.URL, "name": "moved", "security_key": "k2"}, 200)
		w.call("PATCH", "/v1/applications/"+app, object{"name": "renamed"}, 200)
		w.publish(app, `{"type":"ACCOUNT","payload":{"status":"CLOSED"},"entity_id":"A1"}`)
		w.becomes(ids[0], "succeeded")
		before := alviereBodies(t, first.got())
		for _, body := range append(before, alviereBodies(t, second.await(1)[:1])...) {
			require.Equal(t, event, body.UUID)
			require.Equal(t, before[0].Date, body.Date)
			require.Equal(t, entity, string(body.Entity)) //nolint:testifylint // byte for byte
		}
		for _, method := range []string{"PUT", "PATCH", "DELETE"} {
			code, _ := w.raw(method, "/v1/events/"+event, []byte(`{"payload":{}}`), nil)
			require.Contains(t, []int{404, 405}, code, method)
		}
		require.Equal(t, object{"status": "CREATED"},
			object(w.call("GET", "/v1/events/"+event, nil, 200)["payload"].(map[string]any)))
	})
}

func TestALV19_EveryRequestCarriesTheSubscriptionsKey(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		keys := []string{`k1 +/="~`, "K1"}
		app := w.alviere()
		sinks := make([]*sink, len(keys))
		for i, key := range keys {
			sinks[i] = newSink(t, status(500, 503, 200)...)
			w.alviereSubscription(app, "ACCOUNT", sinks[i].URL, key)
		}
		_, ids := w.published(app, `{"type":"ACCOUNT","payload":{}}`)
		for _, id := range ids {
			w.becomes(id, "succeeded")
			w.call("POST", "/v1/invocations/"+id+"/redeliver", nil, 202)
		}
		for i, key := range keys {
			for _, r := range sinks[i].await(4) { // the first, two retries, a redelivery
				require.Equal(t, []string{key}, r.header.Values("Alviere-Auth"))
			}
		}
		for _, bad := range []string{"", "a\r\nX-Other: 1", "a\u0000b"} {
			w.call("POST", "/v1/applications/"+app+"/subscriptions", alviereRequest("ACCOUNT", sinks[0].URL, bad), 422)
		}
	})
}

// failures are first answers that are none for a profile whose success is exactly 200, and what the log says of them:
// the status, or else the error's code.
func failures(elsewhere string) map[string]struct {
	answer answer
	says   any
} {
	type failure = struct {
		answer answer
		says   any
	}
	table := map[string]failure{
		"redirect": {answer{status: 301, header: http.Header{"Location": {elsewhere}}}, 301},
		"dropped":  {answer{drop: true}, "connect"},
		"late":     {answer{hang: true}, "timeout"},
	}
	for _, code := range []int{201, 202, 204, 206, 304, 400, 401, 404, 410, 429, 500, 503} {
		table[http.StatusText(code)] = failure{answer{status: code}, code}
	}
	return table
}

func TestALV20_AnythingBut200IsRetried(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		elsewhere := newSink(t)
		app := w.application("alviere", `{"timeout":"2s","retry":{"kind":"fixed","interval":"20ms"}}`)
		table := failures(elsewhere.URL)
		sinks, names := map[string]*sink{}, map[string]string{}
		for name, failure := range table {
			sinks[name] = newSink(t, failure.answer, answer{status: 200})
			names[w.account(app, sinks[name].URL)] = name
		}
		_, ids := w.published(app, `{"type":"ACCOUNT","payload":{}}`)
		require.Len(t, ids, len(table))
		for _, id := range ids {
			name := names[w.becomes(id, "succeeded")["subscription_id"].(string)]
			w.saysOfTheFirst(id, name, table[name].says)
			require.Len(t, sinks[name].got(), 2, name)
		}
		require.Empty(t, elsewhere.got(), "redirects are not followed")
	})
}

// saysOfTheFirst checks the log of an invocation whose second attempt succeeded.
func (w *world) saysOfTheFirst(id, name string, says any) {
	w.t.Helper()
	logs := w.logs(id)
	require.Len(w.t, logs, 2, name)
	fault := logs[0]["error"].(map[string]any)
	require.Equal(w.t, "failed", logs[0]["outcome"], name)
	require.NotEmpty(w.t, fault["message"], name)
	if code, isStatus := says.(int); isStatus {
		require.EqualValues(w.t, code, logs[0]["status_code"], name)
		require.Equal(w.t, "status", fault["code"], name)
	} else {
		require.Nil(w.t, logs[0]["status_code"], name)
		require.Equal(w.t, says, fault["code"], name)
	}
	require.Equal(w.t, "succeeded", logs[1]["outcome"], name)
}
