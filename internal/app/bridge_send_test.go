package app_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestBRI10_ATestGoesToTheTestedWebhookOnlyWhateverItSelects(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		tested, other := newSink(t), newSink(t)
		app := w.bridge()
		hook := w.webhook(app, tested.URL+"/hook", object{"event_types": []string{"transfer.updated"}})["id"].(string)
		w.webhook(app, other.URL, nil)
		sent := w.asRole(app, "admin").call("POST", "/v1/subscriptions/"+hook+"/test", nil, 202)
		got := w.becomes(sent["invocation_id"].(string), "succeeded")
		require.Equal(t, hook, got["subscription_id"])
		require.Nil(t, got["event_id"])
		require.Equal(t, "TEST_EVENT", got["event_type"])
		other.quiet(100 * time.Millisecond)
		require.Empty(t, other.got())
		require.Len(t, tested.got(), 1)
		require.Equal(t, "POST", tested.got()[0].method)
		require.Equal(t, "/hook", tested.got()[0].target)
		require.Equal(t, "application/json", tested.got()[0].header.Get("Content-Type"))
	})
}

// bridgeTest is the sample in Bridge's documentation.
const bridgeTest = `{
"content": {
"item_id": 1234567890,
"status": 0,
"user_uuid": "9a95b38f-f98b-417a-988b-9d0d584893e7"
},
"timestamp": 1611681789,
"type": "TEST_EVENT"
}`

func TestBRI11_TheTestEventIsTheSameBodyEveryTime(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		receiver := newSink(t)
		app, other := w.bridge(), w.bridge()
		first, second := w.webhook(app, receiver.URL, nil), w.webhook(app, receiver.URL, nil)
		third := w.webhook(other, receiver.URL, object{"event_types": []string{"transfer.created"}})
		for i, hook := range []object{first, first, second, third} {
			w.call("POST", "/v1/subscriptions/"+hook["id"].(string)+"/test", nil, 202)
			got := receiver.await(i + 1)[i]
			require.JSONEq(t, bridgeTest, string(got.body))
			require.Equal(t, string(receiver.got()[0].body), string(got.body), "not the same bytes")
			require.Contains(t, string(got.body), `"timestamp": 1611681789`)
			require.Equal(t, keysOf(t, []byte(bridgeTest)), keysOf(t, got.body))
			require.Empty(t, got.header.Get("Posthorn-Test"), "it says itself that it is a test")
		}
	})
}

func TestBRI12_TheEnvelopeIsContentTimestampAndType(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		receiver := newSink(t, status(500, 200)...)
		app := w.bridge()
		w.webhook(app, receiver.URL, nil)
		content := `{"item_id": 9007199254740993, "b":1.50,"a":[ null,true ],"s":"<&> Ελ \/"}`
		w.publish(app, `{"type":"item.created","occurred_at":"2021-01-26T18:23:09.987+01:00","payload":`+content+`}`)
		got := receiver.await(2)
		want := `{"content":` + content + `,"timestamp":1611681789,"type":"item.created"}`
		require.Equal(t, want, string(got[0].body))
		require.Equal(t, want, string(got[1].body))

		before := time.Now().Unix()
		w.item(app, "item.created", 1)
		body := receiver.await(3)[2].body
		require.Equal(t, []string{"content", "timestamp", "type"}, keysOf(t, body))
		timestamp := bridgeBodies(t, receiver.got())[2].Timestamp // seconds, an integer: else it would not decode
		require.GreaterOrEqual(t, timestamp, before)
		require.LessOrEqual(t, timestamp, time.Now().Unix())
	})
}

// Bridge's own events came in milliseconds when they were looked at, its documented sample has seconds.
func TestBRI12_TheTimestampMayBeInMilliseconds(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		receiver := newSink(w.t)
		app := w.application("bridge", `{"time":"unix_ms"}`)
		w.webhook(app, receiver.URL, nil)
		w.publish(app, `{"type":"item.created","occurred_at":"2021-01-26T18:23:09.987+01:00","payload":1}`)
		want := `{"content":1,"timestamp":1611681789987,"type":"item.created"}`
		require.Equal(w.t, want, string(receiver.await(1)[0].body))
	})
}

func TestBRI12_AnyJSONValueIsContent(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		receiver := newSink(t)
		app := w.bridge()
		w.webhook(app, receiver.URL, nil)
		for i, content := range []string{`null`, `[]`, `"text"`, `-0.0`, `{}`, `{"content":{"type":"item.created"}}`} {
			w.publish(app, `{"type":"item.created","payload":`+content+`}`)
			require.True(t, strings.HasPrefix(string(receiver.await(i + 1)[i].body), `{"content":`+content+`,"timestamp":`))
		}
	})
}
