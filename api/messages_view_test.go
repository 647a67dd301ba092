package api

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/models"
)

func TestAMessageShowsWhatBecameOfIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v := newVivaTenant(w)
	id := v.fire()
	body := `{"EventData":{"Amount": 100.50},"EventTypeId":1796,"Created":"2014-06-18T14:20:30.45+03:00"}`
	get := func() map[string]any {
		m := w.do(v.member, "GET", messages+"/"+id, "").is(200)
		require.Equal(t, body, m["payload"])
		require.Equal(t, id, m["messageId"])
		require.Equal(t, json.Number("1796"), m["eventTypeId"])
		require.Len(t, m, 10)
		return m
	}
	fresh := get()
	require.Equal(t, []any{json.Number("0"), nil, nil, nil, []any{}},
		[]any{fresh["responseStatus"], fresh["statusCode"], fresh["delivered"], fresh["nextRetry"], fresh["deliveries"]})

	settle(t, w, id, 500)
	failing := get()
	require.Equal(t, []any{json.Number("2"), json.Number("500"), nil},
		[]any{failing["responseStatus"], failing["statusCode"], failing["delivered"]})
	require.NotNil(t, failing["nextRetry"])
	w.op("POST", "/v1/subscriptions/"+v.sub+"/disable", "").is(200)
	require.Nil(t, get()["nextRetry"], "nothing is sent while it is disabled")
	w.op("POST", "/v1/subscriptions/"+v.sub+"/enable", "").is(200)

	settleRedelivery(t, w, id, 200)
	done := get()
	require.Equal(t, []any{json.Number("1"), json.Number("200"), nil},
		[]any{done["responseStatus"], done["statusCode"], done["nextRetry"]})
	require.NotNil(t, done["delivered"])
	deliveries := done["deliveries"].([]any)
	require.Len(t, deliveries, 2)
	first, second := deliveries[0].(map[string]any), deliveries[1].(map[string]any)
	require.Equal(t, []any{json.Number("2"), json.Number("500"), nil}, []any{first["responseStatus"], first["statusCode"], first["delivered"]})
	require.Equal(t, []any{json.Number("1"), json.Number("200")}, []any{second["responseStatus"], second["statusCode"]})
	require.NotNil(t, second["delivered"])
	require.Len(t, second, 5)
	require.NotEqual(t, first["deliveryId"], second["deliveryId"])

	settleRedelivery(t, w, id, 500)
	again := get()
	require.Equal(t, json.Number("1"), again["responseStatus"], "a redelivery that fails does not undo a delivery")
	require.Equal(t, done["delivered"], again["delivered"])
}

// settleRedelivery asks for a redelivery and makes its attempt as a worker would.
func settleRedelivery(t *testing.T, w *world, id string, status int) {
	t.Helper()
	command, err := w.store.Redeliver(t.Context(), id, false)
	require.NoError(t, err)
	gate, err := w.store.ClaimRedelivery(t.Context(), bootID, command)
	require.NoError(t, err)
	require.Equal(t, models.VerdictGranted, gate.Verdict)
	finish(t, w, gate.Claim, status)
}

func TestTheLatestThousandDeliveriesAreShown(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v := newVivaTenant(w)
	id := v.fire()
	settle(t, w, id, 500)
	for range maxDeliveries + 2 {
		settleRedelivery(t, w, id, 503)
	}
	deliveries := w.do(v.member, "GET", messages+"/"+id, "").is(200)["deliveries"].([]any)
	require.Len(t, deliveries, maxDeliveries)
	require.Equal(t, json.Number("503"), deliveries[0].(map[string]any)["statusCode"])
	logs := w.op("GET", "/v1/invocations/"+id+"/logs?limit=500", "").is(200)["items"].([]any)
	require.Equal(t, logs[3].(map[string]any)["id"], deliveries[0].(map[string]any)["deliveryId"])
}
