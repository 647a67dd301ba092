package app_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// bridgeSignature is what a receiver of Bridge's works out (BRI-b1, b2, b6).
func bridgeSignature(secret any, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret.(string)))
	mac.Write(body)
	return fmt.Sprintf("v1=%X", mac.Sum(nil))
}

func TestBRI7_BRI8_BRI12_SignedMessages(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		receiver := newSink(t, status(500, 204)...)
		app := w.application("bridge", `{"retry":{"kind":"fixed","interval":"20ms","max_attempts":3}}`)
		sub := w.subscription(app, receiver.URL, object{"event_types": []string{"item.created"}})
		require.GreaterOrEqual(t, len(sub["secret"].(string)), 32)
		content := `{"item_id": 1234567890, "status": 0, "amount": 100.50}`
		w.publish(app, `{"type":"item.created","occurred_at":"2021-01-26T17:23:09.9Z","payload":`+content+`}`)
		for _, r := range receiver.await(2) {
			require.Equal(t, `{"content":`+content+`,"timestamp":1611681789,"type":"item.created"}`, string(r.body))
			require.Equal(t, bridgeSignature(sub["secret"], r.body), r.header.Get("BridgeApi-Signature"))
		}
		shown := fmt.Sprint(w.call("GET", "/v1/subscriptions/"+sub["id"].(string), nil, 200))
		require.NotContains(t, shown, sub["secret"])

		rotated := w.call("POST", "/v1/subscriptions/"+sub["id"].(string)+"/rotate-secret", nil, 200)
		w.publish(app, `{"type":"item.created","payload":{}}`)
		got := receiver.await(3)[2]
		require.Equal(t, bridgeSignature(rotated["secret"], got.body)+","+bridgeSignature(sub["secret"], got.body),
			got.header.Get("BridgeApi-Signature"), "BRI-b4, b5: both sign while both live")
	})
}

func TestBRI5_OnlyTheChosenEventsAreSent(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		receiver, app := newSink(t), w.application("bridge", "")
		sub := w.subscription(app, receiver.URL, object{"event_types": []string{"item.created", "item.refreshed"}})
		for _, refused := range [][]string{{}, {"item.deleted"}, {"item.*"}, {"TEST_EVENT"}} {
			w.call("POST", "/v1/applications/"+app+"/subscriptions",
				object{"url": "https://example.com/", "event_types": refused}, 422)
		}
		fired := 0
		for _, name := range []string{"item.created", "item.refreshed", "item.account.created", "transfer.created"} {
			_, ids := w.published(app, fmt.Sprintf(`{"type":%q,"payload":{}}`, name))
			fired += len(ids)
		}
		require.Equal(t, 2, fired)
		receiver.await(2)
		w.call("PATCH", "/v1/subscriptions/"+sub["id"].(string), object{"event_types": []string{"transfer.created"}}, 200)
		w.publish(app, `{"type":"item.created","payload":{}}`)
		w.publish(app, `{"type":"transfer.created","payload":{}}`)
		require.Contains(t, string(receiver.await(3)[2].body), `"transfer.created"`)
	})
}

func TestBRI10_BRI11_TheTestIsAlwaysTheSame(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		app := w.application("bridge", "")
		for range 2 {
			receiver := newSink(t)
			sub := w.subscription(app, receiver.URL, object{"event_types": []string{"transfer.updated"}})
			for range 2 {
				w.call("POST", "/v1/subscriptions/"+sub["id"].(string)+"/test", nil, 202)
			}
			for _, r := range receiver.await(2) {
				require.JSONEq(t, `{
					"content": {"item_id": 1234567890, "status": 0, "user_uuid": "9a95b38f-f98b-417a-988b-9d0d584893e7"},
					"timestamp": 1611681789, "type": "TEST_EVENT"
				}`, string(r.body))
				require.Equal(t, bridgeSignature(sub["secret"], r.body), r.header.Get("BridgeApi-Signature"))
				require.Empty(t, r.header.Get("Posthorn-Test"), "it says itself that it is a test")
			}
		}
	})
}

func TestBRI2_BRI13_BRI14_BRI15_TheCatalogueGrowsWhileRunning(t *testing.T) {
	t.Parallel()
	onEachAlone(t, func(w *world) {
		t := w.t
		groups := map[string]int{}
		for _, entry := range w.catalogue("bridge") {
			require.NotEmpty(t, entry["description"])
			groups[entry["group"].(string)]++
		}
		require.Equal(t, map[string]int{"Banking Synchronization": 4, "Payment Initiation": 7}, groups)
		receiver, app := newSink(t), w.application("bridge", "")
		w.call("POST", "/v1/profiles/bridge/event-types", `{"name":"user.deleted","group":"Banking Synchronization"}`, 201)
		require.Len(t, w.catalogue("bridge"), 12)
		w.subscription(app, receiver.URL, object{"event_types": []string{"user.deleted"}})
		w.publish(app, `{"type":"user.deleted","payload":{}}`)
		require.Contains(t, string(receiver.await(1)[0].body), `"user.deleted"`)
	})
}

func TestBRI6_TenWebhooksForAnApplication(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		app, other := w.application("bridge", ""), w.application("bridge", "")
		hook := object{"url": "https://example.com/", "event_types": []string{"item.created"}, "enabled": false}
		var last string
		for range 10 {
			last = w.call("POST", "/v1/applications/"+app+"/subscriptions", hook, 201)["id"].(string)
		}
		refused := w.call("POST", "/v1/applications/"+app+"/subscriptions", hook, 409)
		require.EqualValues(t, 10, refused["limit"])
		w.call("POST", "/v1/applications/"+other+"/subscriptions", hook, 201)
		w.call("DELETE", "/v1/subscriptions/"+last, nil, 204)
		w.call("POST", "/v1/applications/"+app+"/subscriptions", hook, 201)
	})
}

func TestBRI17_ALateAnswerIsAFailure(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		receiver := newSink(t, answer{status: 200, after: 600 * time.Millisecond}, answer{status: 200})
		app := w.application("bridge", `{"timeout":"200ms","retry":{"kind":"fixed","interval":"20ms","max_attempts":3}}`)
		w.subscription(app, receiver.URL, object{"event_types": []string{"item.created"}})
		_, ids := w.published(app, `{"type":"item.created","payload":{}}`)
		w.becomes(ids[0], "succeeded")
		logs := w.logs(ids[0])
		require.Len(t, logs, 2)
		require.Equal(t, "timeout", logs[0]["error"].(map[string]any)["code"])
		require.Nil(t, logs[0]["status_code"])
		require.Equal(t, receiver.got()[0].body, receiver.got()[1].body, "BRI-23: the same event twice")
	})
}
