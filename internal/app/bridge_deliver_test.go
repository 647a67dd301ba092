package app_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestBRI16_A200EndsTheDelivery(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		receiver := newSink(t, status(200)...)
		app := w.bridge()
		w.webhook(app, receiver.URL, nil)
		done := w.becomes(w.item(app, "item.created", 1)[0], "succeeded")
		require.InDelta(t, 1, done["attempts"], 0)
		require.InDelta(t, 200, done["last_status_code"], 0)
		require.NotNil(t, done["delivered_at"])
		require.Nil(t, done["next_attempt_at"])
		receiver.quiet(200 * time.Millisecond) // ten retries' time
		require.Len(t, receiver.got(), 1)
	})
}

// The receiver has worked on the event, but too slowly: it gets the same one again and can tell.
func TestBRI17_BRI23_ALate200IsATimeoutAndTheEventComesAgain(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		receiver := newSink(t, answer{status: 200, after: 2 * time.Second}, answer{status: 200})
		app := w.bridge()
		hook := w.webhook(app, receiver.URL, object{"delivery": object{
			"timeout": "1s", "retry": object{"kind": "fixed", "interval": "20ms", "max_attempts": 5},
		}})
		require.Equal(t, "1s", hook["delivery"].(map[string]any)["timeout"])
		id := w.item(app, "item.created", 1)[0]
		require.InDelta(t, 2, w.becomes(id, "succeeded")["attempts"], 0)

		logs := w.logs(id)
		require.Len(t, logs, 2)
		require.Equal(t, "timeout", logs[0]["error"].(map[string]any)["code"])
		require.Equal(t, "failed", logs[0]["outcome"])
		require.Nil(t, logs[0]["status_code"])
		require.InDelta(t, 1000, logs[0]["duration_ms"], 900)
		require.Equal(t, "succeeded", logs[1]["outcome"])

		got := receiver.got()
		require.Len(t, got, 2)
		require.Equal(t, string(got[0].body), string(got[1].body))
		require.NotEmpty(t, got[0].header.Get("webhook-id"))
		require.Equal(t, got[0].header.Get("webhook-id"), got[1].header.Get("webhook-id"))
	})
}

// bridges creates an application with room for many webhooks, and returns the receivers of webhooks that answer one
// of the codes first and 200 then.
func (w *world) bridges(codes []int, header http.Header) (app string, receivers map[int]*sink) {
	w.t.Helper()
	app = w.application("bridge",
		`{"subscription_limit":50,"retry":{"kind":"fixed","interval":"20ms","max_attempts":5}}`)
	receivers = map[int]*sink{}
	for _, code := range codes {
		receivers[code] = newSink(w.t, answer{status: code, header: header}, answer{status: 200})
		w.webhook(app, fmt.Sprintf("%s/%d", receivers[code].URL, code), nil)
	}
	return app, receivers
}

func TestBRI18_Any2xxIsSuccess(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		codes := []int{200, 201, 202, 204, 226, 299}
		app, receivers := w.bridges(codes, nil)
		for _, id := range w.item(app, "item.created", 1) {
			require.InDelta(t, 1, w.becomes(id, "succeeded")["attempts"], 0)
		}
		for code, receiver := range receivers {
			require.Len(t, receiver.got(), 1, code)
		}
	})
}

func TestBRI18_EverythingElseIsRetriedAndARedirectNotFollowed(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		elsewhere := newSink(t)
		codes := []int{300, 301, 302, 304, 307, 400, 401, 404, 410, 429, 500, 503}
		app, receivers := w.bridges(codes, http.Header{"Location": {elsewhere.URL}, "Retry-After": {"3600"}})
		ids := w.item(app, "item.created", 1)
		require.Len(t, ids, len(codes))
		var seen []int
		for _, id := range ids {
			require.InDelta(t, 2, w.becomes(id, "succeeded")["attempts"], 0)
			logs := w.logs(id)
			code := int(logs[0]["status_code"].(float64))
			require.Equal(t, "status", logs[0]["error"].(map[string]any)["code"])
			require.Equal(t, fmt.Sprintf("%s/%d", receivers[code].URL, code), logs[0]["url"])
			require.InDelta(t, 200, logs[1]["status_code"], 0)
			require.Len(t, receivers[code].got(), 2, code)
			seen = append(seen, code)
		}
		require.ElementsMatch(t, codes, seen)
		require.Empty(t, elsewhere.got())
	})
}

func TestBRI18_ARefusedConnectionIsRetried(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		app := w.bridge()
		closed := newSink(t)
		closed.Close()
		w.webhook(app, closed.URL, nil)
		id := w.item(app, "item.created", 1)[0]
		failed := w.becomes(id, "failed")
		require.InDelta(t, 5, failed["attempts"], 0)
		require.Nil(t, failed["last_status_code"])
		for _, entry := range w.logs(id) {
			require.Equal(t, "connect", entry["error"].(map[string]any)["code"])
			require.NotEmpty(t, entry["error"].(map[string]any)["message"])
			require.Nil(t, entry["status_code"])
		}
	})
}

func TestBRI21_ARetriedEventOutlivesWhatItIsAbout(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		receiver := newSink(t, status(500)...)
		app := w.application("bridge", `{"retry":{"kind":"fixed","interval":"100ms"}}`)
		hook := w.webhook(app, receiver.URL, object{"event_types": []string{"item.refreshed", "item.account.updated"}})
		event, old := w.published(app, `{"type":"item.refreshed","entity_id":"item-1","payload":{"item_id":1,"status":0}}`)
		w.becomes(old[0], "retrying")

		// The item is deleted: later events say so, and its owner does not want its refreshes any more.
		_, newer := w.published(app, `{"type":"item.account.updated","entity_id":"item-1","payload":{"deleted":true}}`)
		w.call("PATCH", "/v1/subscriptions/"+hook["id"].(string), object{"event_types": []string{"item.account.updated"}}, 200)
		receiver.answers(answer{status: 200})
		w.becomes(newer[0], "succeeded")
		w.becomes(old[0], "succeeded")
		var bodies []string
		for _, r := range receiver.got() {
			if r.header.Get("webhook-id") == event {
				bodies = append(bodies, string(r.body))
			}
		}
		require.GreaterOrEqual(t, len(bodies), 2)
		for _, body := range bodies {
			require.Equal(t, bodies[0], body)
			require.Contains(t, body, `{"item_id":1,"status":0}`)
		}
	})
}
