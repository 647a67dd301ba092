package app_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// Every code of the catalogue in the same envelope, with the subscriber's own headers.
func TestTHR11_THR14_THR19_THR20_THR23_EveryCodeIsDeliveredTheSameWay(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		receiver, app := newSink(t), w.application("thredd", "")
		var codes []any
		for _, entry := range w.catalogue("thredd") {
			require.NotEmpty(t, entry["description"])
			require.Equal(t, entry["name"], fmt.Sprint(entry["wire"]), "its name is the code as text")
			codes = append(codes, entry["wire"])
		}
		require.Len(t, codes, 11)
		w.subscription(app, receiver.URL, object{"event_types": codes, "headers": object{"X-Api-Key": "k1", "X-Issuer": "7"}})
		for i, code := range codes {
			id, _ := w.published(app, fmt.Sprintf(`{"type":%v,"occurred_at":"2026-11-21T19:17:00.5Z","payload":{"amount": 100.50}}`, code))
			r := receiver.await(i + 1)[i]
			want := fmt.Sprintf(`{"notificationId":%q,"eventCode":%v,"createdTime":"2026-11-21T19:17:00.500Z",`+
				`"payload":{"amount": 100.50}}`, id, code)
			require.Equal(t, want, string(r.body))
			require.Equal(t, []string{"k1", "7", id},
				[]string{r.header.Get("X-Api-Key"), r.header.Get("X-Issuer"), r.header.Get("webhook-id")})
		}
	})
}

func TestTHR3_THR6_THR18_CodesAreChosenAtAnyTime(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		receiver, app := newSink(t), w.application("thredd", "")
		sub := "/v1/subscriptions/" + w.subscription(app, receiver.URL, object{"event_types": []int{}})["id"].(string)
		_, none := w.published(app, `{"type":101,"payload":{}}`)
		require.Empty(t, none, "a webhook without events receives nothing")
		w.call("PUT", sub+"/events", `{"event_types":[101,"103"]}`, 200)
		w.call("PUT", sub+"/events", `{"event_types":[101]}`, 409)
		for _, unknown := range []string{"111", "100", "113", `"101a"`} {
			w.call("PUT", sub+"/events", `{"event_types":[`+unknown+`]}`, 422)
		}
		for _, code := range []string{"101", "102", "103"} {
			w.publish(app, `{"type":`+code+`,"payload":{}}`)
		}
		receiver.await(2)
		w.call("DELETE", sub+"/events/101", nil, 204)
		require.Equal(t, []any{"103"}, w.call("GET", sub, nil, 200)["event_types"])
		w.publish(app, `{"type":101,"payload":{}}`)
		w.publish(app, `{"type":103,"payload":{}}`)
		require.Contains(t, string(receiver.await(3)[2].body), `"eventCode":103`)
	})
}
