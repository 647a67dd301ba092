package app_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestVIV1_OnePOSTPerEventPerEnabledWebhookOfItsType(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		v := w.viva("")
		one, two, off, other := newSink(t), newSink(t), newSink(t), newSink(t)
		v.webhook(one, 1796)
		v.webhook(two, 1796)
		v.call("POST", v.webhook(off, 1796)+"/disable", nil, 200)
		v.webhook(other, 1797)
		for range 3 {
			require.Len(t, v.fire(1796), 2)
		}
		one.awaitPosts(3)
		two.awaitPosts(3)
		two.quiet(200 * time.Millisecond)
		require.Len(t, one.posts(), 3)
		require.Len(t, two.posts(), 3)
		require.Empty(t, off.posts())
		require.Empty(t, other.posts())
	})
}

func TestVIV2_TheEventTypesAre1796And1797(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		v := w.viva("")
		wires := map[any]any{}
		for _, item := range v.call("GET", "/v1/event-types?profile=viva", nil, 200)["items"].([]any) {
			e := item.(map[string]any)
			wires[e["wire"]] = e["name"]
		}
		require.Equal(t, map[any]any{1796.0: "transaction.created", 1797.0: "transaction.refunded"}, wires)
		for _, unknown := range []any{9999, "9999", "transaction", "*"} {
			body := object{"url": "https://example.com/hook", "event_types": []any{unknown}}
			problem := v.call("POST", "/v1/applications/"+v.app+"/subscriptions", body, 422)
			require.Equal(t, "validation_failed", problem["code"], unknown)
		}
		w.call("POST", "/v1/applications/"+v.app+"/events", `{"type":9999,"payload":{}}`, 422)
	})
}

func TestVIV3_AMessageIsAJSONObjectInAPOST(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		v, receiver := w.viva(""), newSink(t)
		v.webhook(receiver, 1796)
		v.fired()
		got := receiver.awaitPosts(1)[0]
		require.Equal(t, "POST", got.method)
		require.Equal(t, "/hook", got.target)
		require.Equal(t, "application/json", got.header.Get("Content-Type"))
		require.Equal(t, fmt.Sprint(len(got.body)), got.header.Get("Content-Length"))
		var message map[string]json.RawMessage
		require.NoError(t, json.Unmarshal(got.body, &message))
		require.Len(t, message, 3)
	})
}

func TestVIV10_EachEventTypeHasItsTransactionTypes(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		app := w.application("viva", "")
		legal := map[int][]int{1796: {0, 5, 6, 9, 15, 16}, 1797: {4, 7, 11, 13, 17}}
		for eventType, ids := range legal {
			for id := range 19 {
				body := fmt.Sprintf(`{"type":%d,"payload":{"TransactionTypeId":%d}}`, eventType, id)
				if slices.Contains(ids, id) {
					w.publish(app, body)
					continue
				}
				problem := w.call("POST", "/v1/applications/"+app+"/events", body, 422)
				place := problem["errors"].([]any)[0].(map[string]any)["location"]
				require.Equal(t, "payload/TransactionTypeId", place, "%d of %d", id, eventType)
			}
		}
	})
}

func TestVIV11_OnlyTheInitialChargeOfInstallmentsIsSent(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		v, receiver := w.viva(""), newSink(t)
		v.webhook(receiver, 1796)
		publish := func(transactionType, installment int) int {
			_, ids := w.published(v.app, fmt.Sprintf(
				`{"type":1796,"payload":{"TransactionTypeId":%d,"CurrentInstallment":%d,"ParentId":"90a7114f"}}`,
				transactionType, installment))
			return len(ids)
		}
		require.Equal(t, 1, publish(6, 0), "the initial charge")
		for installment := 1; installment <= 3; installment++ {
			require.Zero(t, publish(5, installment), "a follow-up")
		}
		require.Equal(t, 1, publish(5, 0), "an ordinary charge, as in the sample")
		receiver.awaitPosts(2)
		receiver.quiet(200 * time.Millisecond)
		require.Len(t, receiver.posts(), 2)
		for _, r := range receiver.posts() {
			require.Contains(t, string(r.body), `"CurrentInstallment":0`)
		}
	})
}
