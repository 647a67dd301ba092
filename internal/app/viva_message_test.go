package app_test

import (
	"encoding/json"
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/models"
)

func TestVIV17_AMessageIsReadByItsId(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		v, other, receiver := w.viva(""), w.viva(""), newSink(t)
		v.webhook(receiver, 1796)
		id := v.fired()
		receiver.awaitPosts(1)
		require.Equal(t, id, v.message(id)["messageId"])
		v.call("GET", messages+"/"+models.NewID(), nil, 404)
		v.call("GET", messages+"/3f2504e0-4f89-41d3-9a0c-0305e82c3301", nil, 404)
		other.call("GET", messages+"/"+id, nil, 404)
		for _, bad := range []string{"1796", "abc", id + "0"} {
			v.call("GET", messages+"/"+bad, nil, 400)
		}
	})
}

func TestVIV18_AMessageHoldsTheBodyAsSent(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		v, receiver := w.viva(every(20, 9)), newSink(t, status(500, 500, 200)...)
		v.webhook(receiver, 1796)
		_, ids := w.published(v.app, `{"type":1796,"occurred_at":"2014-06-18T14:20:30.45+03:00",`+
			`"payload":{"Amount": 100.50, "CompanyName": "Viva Ηλεκτρονικές Υπηρεσίες <&>"}}`)
		m := v.messageBecomes(ids[0], 1, 3)
		require.Len(t, m, 10)
		sent := receiver.awaitPosts(3)
		for _, r := range sent {
			require.Equal(t, string(r.body), m["payload"])
		}
		var message map[string]any
		require.NoError(t, json.Unmarshal([]byte(m["payload"].(string)), &message))
		require.ElementsMatch(t, []string{"EventData", "EventTypeId", "Created"}, slices.Collect(maps.Keys(message)))
	})
}

func TestVIV19_EachAttemptIsADelivery(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		v, receiver := w.viva(every(20, 9)), newSink(t, status(500, 200)...)
		v.webhook(receiver, 1796)
		deliveries := v.messageBecomes(v.fired(), 1, 2)["deliveries"].([]any)
		first, second := object(deliveries[0].(map[string]any)), object(deliveries[1].(map[string]any))
		for _, d := range []object{first, second} {
			require.ElementsMatch(t, []string{"deliveryId", "created", "responseStatus", "statusCode", "delivered"},
				slices.Collect(maps.Keys(d)))
			require.True(t, models.IsID(d["deliveryId"].(string)))
		}
		require.Equal(t, []any{2.0, 500.0, nil}, values(first, "responseStatus", "statusCode", "delivered"))
		require.Equal(t, []any{1.0, 200.0}, values(second, "responseStatus", "statusCode"))
		require.NotEqual(t, first["deliveryId"], second["deliveryId"])
		require.True(t, timeOf(t, first["created"]).Before(timeOf(t, second["created"])))
		require.False(t, timeOf(t, second["delivered"]).Before(timeOf(t, second["created"])))
	})
}

func TestVIV36_AMessageRemembersWhereItWasSent(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		v, older, newer := w.viva(""), newSink(t), newSink(t)
		sub := v.webhook(older, 1796)
		id := v.fired()
		v.messageBecomes(id, 1, 1)
		newer.shows(answer{status: 200, body: keyAnswer(v.token)})
		v.call("PATCH", sub, object{"url": newer.URL + "/hook"}, 200)
		v.call("POST", sub+"/verify", nil, 200)
		require.Equal(t, older.URL+"/hook", v.message(id)["url"])
		require.Equal(t, older.URL+"/hook", v.messages("eventTypeId=1796")[0]["url"])

		v.redeliver(id)
		require.Equal(t, older.posts()[0].body, newer.awaitPosts(1)[0].body)
		require.Equal(t, newer.URL+"/hook", v.messageBecomes(id, 1, 2)["url"])
		logs := v.logs(id)
		require.Equal(t, []any{older.URL + "/hook", newer.URL + "/hook"}, []any{logs[0]["url"], logs[1]["url"]})
		require.Len(t, older.posts(), 1)
	})
}
