package app_test

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestFiltersDecideAtTheSenderWhoGetsWhat(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		big, gone := newSink(t), newSink(t)
		app := w.application("standard", "")
		w.subscription(app, big.URL, object{"filter": `payload.amount > 100 && type == "invoice.paid"`})
		other := w.subscription(app, gone.URL, object{"filter": `has(payload.deleted_at)`})
		require.Equal(t, `has(payload.deleted_at)`, other["filter"])

		_, ids := w.published(app, `{"type":"invoice.paid","payload":{"amount": 100.50}}`)
		require.Len(t, ids, 1)
		event, none := w.published(app, `{"type":"invoice.paid","payload":{"amount": 100}}`)
		require.Empty(t, none)
		_, deleted := w.published(app, `{"type":"invoice.gone","payload":{"amount": 200, "deleted_at": "2026-11-21"}}`)
		require.Len(t, deleted, 1)
		w.becomes(ids[0], "succeeded")
		w.becomes(deleted[0], "succeeded")
		require.Empty(t, w.call("GET", "/v1/events/"+event, nil, 200)["invocations"], "it is kept all the same")

		w.call("PATCH", "/v1/subscriptions/"+other["id"].(string), object{"filter": nil}, 200)
		_, all := w.published(app, `{"type":"invoice.made","payload":{"amount": 1}}`)
		require.Len(t, all, 1)
		w.becomes(all[0], "succeeded")

		require.Equal(t, `{"amount": 100.50}`, string(big.await(1)[0].body))
		require.Len(t, big.got(), 1)
		got := gone.await(2)
		require.Len(t, got, 2)
		require.Equal(t, `{"amount": 1}`, string(got[1].body))
	})
}
