package app_test

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// Bridge's documentation describes the events in words; the names are those of a later version of it, or ours.
const (
	banking = "Banking Synchronization"
	payment = "Payment Initiation"
)

// ofGroup are a catalogue's descriptions by name.
func ofGroup(catalogue []object, group string) map[string]string {
	described := map[string]string{}
	for _, eventType := range catalogue {
		if eventType["group"] == group {
			described[eventType["name"].(string)] = eventType["description"].(string)
		}
	}
	return described
}

func TestBRI13_FourTypesOfBankingSynchronization(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		require.Equal(w.t, map[string]string{
			"item.created":         "an item has been created",
			"item.refreshed":       "an item has been refreshed",
			"item.account.created": "an account has been created",
			"item.account.updated": "an account has been updated",
		}, ofGroup(w.catalogue("bridge"), banking))
	})
}

func TestBRI14_SevenTypesOfPaymentInitiationAndNoTestEvent(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		require.Equal(t, map[string]string{
			"payment.transaction.created": "a payment transaction has been created",
			"payment.transaction.updated": "a payment transaction has been updated",
			"payment.link.updated":        "a payment link has been updated",
			"transfer.account.created":    "a transfer account has been created",
			"transfer.account.updated":    "a transfer account has been updated",
			"transfer.created":            "a transfer has been created",
			"transfer.updated":            "a transfer has been updated",
		}, ofGroup(w.catalogue("bridge"), payment))

		app := w.bridge()
		body := object{"url": "https://example.com/", "event_types": []string{"TEST_EVENT"}}
		require.Equal(t, []string{"event_types[0]"}, w.refusedAt("POST", "/v1/applications/"+app+"/subscriptions", body))
		require.Equal(t, []string{"type"}, w.refusedAt("POST", "/v1/applications/"+app+"/events",
			`{"type":"TEST_EVENT","payload":{}}`))
	})
}

func TestBRI15_TheCatalogueCanBeReadAndEachTypeDelivered(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		receiver := newSink(t)
		app := w.bridge()
		catalogue := w.asRole(app, "member").catalogue("bridge")
		require.Len(t, catalogue, 11)
		var names []string
		for _, eventType := range catalogue {
			name := eventType["name"].(string)
			require.Equal(t, name, eventType["wire"])
			require.NotEmpty(t, eventType["description"], name)
			require.Contains(t, []any{banking, payment}, eventType["group"], name)
			require.Equal(t, false, eventType["deprecated"], name)
			names = append(names, name)
		}
		w.webhook(app, receiver.URL, object{"event_types": names})
		for _, name := range names {
			require.Len(t, w.item(app, name, 1), 1)
		}
		require.ElementsMatch(t, names, typesOf(bridgeBodies(t, receiver.await(11))))
	})
}

func TestBRI2_AnAddedTypeIsSubscribableAtOnceWhileDeliveriesGoOn(t *testing.T) {
	t.Parallel()
	onEachAlone(t, func(w *world) {
		t, w := w.t, w.atOneAPI() // another API learns of a change to a catalogue within a second
		receiver, failing := newSink(t), newSink(t, status(500)...)
		app := w.application("bridge", `{"retry":{"kind":"fixed","interval":"50ms"}}`)
		w.webhook(app, failing.URL, nil)
		retried := w.item(app, "item.created", 1)[0]
		failing.await(1)
		body := object{"url": receiver.URL, "event_types": []string{"mandate.signed"}}
		require.Equal(t, []string{"event_types[0]"}, w.refusedAt("POST", "/v1/applications/"+app+"/subscriptions", body))

		w.call("POST", "/v1/profiles/bridge/event-types",
			object{"name": "mandate.signed", "group": payment, "description": "a mandate has been signed"}, 201)
		require.Equal(t, "a mandate has been signed", ofGroup(w.catalogue("bridge"), payment)["mandate.signed"])
		w.call("POST", "/v1/applications/"+app+"/subscriptions", body, 201)
		require.Len(t, w.item(app, "mandate.signed", 2), 1)
		require.Equal(t, "mandate.signed", bridgeBodies(t, receiver.await(1))[0].Type)

		failing.answers(answer{status: 200})
		w.becomes(retried, "succeeded")
	})
}
