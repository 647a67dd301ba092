package app_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// alviereTypes are the nine of Alviere's documentation.
func alviereTypes() []string {
	return []string{
		"ACCOUNT", "WALLET_TRANSACTION", "ISSUED_CARD", "BENEFICIARY", "BANK_PM", "CARD_PM", "CHECK", "DOSSIER",
		"PAYMENT_INSTRUMENT",
	}
}

func TestALV6_TheCatalogueHasNineTypes(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		var names []string
		for _, item := range w.call("GET", "/v1/event-types?profile=alviere", nil, 200)["items"].([]any) {
			entry := item.(map[string]any)
			names = append(names, entry["name"].(string))
			require.NotEmpty(t, entry["description"])
			require.Equal(t, entry["name"], entry["wire"])
			require.Equal(t, []any{"2021-11-18.1"}, entry["versions"])
		}
		require.Equal(t, alviereTypes(), names)
		app := w.alviere()
		problem := w.call("POST", "/v1/applications/"+app+"/subscriptions",
			alviereRequest("FOO", "https://receiver.example/", "k1"), 422)
		require.Contains(t, problem["errors"].([]any)[0].(map[string]any)["location"], "event_types")
		w.call("POST", "/v1/applications/"+app+"/events", `{"type":"FOO","payload":{}}`, 422)
	})
}

func TestALV6_OneAccountHasManyEvents(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		receiver := newSink(t)
		app := w.alviere()
		w.account(app, receiver.URL)
		uuids := map[string]bool{}
		for range 3 {
			w.publish(app, `{"type":"ACCOUNT","entity_id":"A1","payload":{"account_uuid":"A1"}}`)
		}
		for _, body := range alviereBodies(t, receiver.await(3)) {
			uuids[body.UUID] = true
		}
		require.Len(t, uuids, 3)
	})
}

// ALV-6: each type can be subscribed to and published; ALV-12: it is a JSON string, no list.
func TestALV6_ALV12_EachOfTheNineTypesArrivesByItsName(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		app := w.alviere()
		for _, eventType := range alviereTypes() {
			receiver := newSink(t)
			w.alviereSubscription(app, eventType, receiver.URL, "k1")
			w.publish(app, fmt.Sprintf(`{"type":%q,"payload":{}}`, eventType))
			require.Equal(t, `"`+eventType+`"`, string(alviereBodies(t, receiver.await(1))[0].Type))
		}
	})
}

// A world of its own: the versions of a type are the deployment's.
func TestALV18_EachSubscriptionPinsItsVersion(t *testing.T) {
	t.Parallel()
	for name, database := range databases(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := embedded(t)
			cfg.DatabaseURL = database(t)
			w := start(t, cfg, everything)
			const older, newer = "2021-11-18.1", "2023-02-01.2"
			app := w.alviere()
			list := "/v1/applications/" + app + "/subscriptions"
			wants := func(url, version string) object {
				request := alviereRequest("WALLET_TRANSACTION", url, "k1")
				request["version"] = version
				return request
			}
			first, second := newSink(t), newSink(t)
			w.call("POST", list, wants(second.URL, newer), 422)
			changed := w.call("PATCH", "/v1/profiles/alviere/event-types/WALLET_TRANSACTION",
				object{"versions": []string{older, newer}}, 200)
			require.Equal(t, []any{older, newer}, changed["versions"])
			w.call("POST", list, wants(first.URL, older), 201)
			moved := w.call("POST", list, wants(second.URL, newer), 201)["id"].(string)
			problem := w.call("POST", list, wants(second.URL, "1999-01-01.1"), 422)
			require.Equal(t, "version", problem["errors"].([]any)[0].(map[string]any)["location"])
			w.call("PATCH", "/v1/subscriptions/"+moved, object{"version": "1999-01-01.1"}, 422)
			w.call("PATCH", "/v1/subscriptions/"+moved, object{"event_types": []string{"CHECK"}}, 422)

			w.publish(app, `{"type":"WALLET_TRANSACTION","payload":{}}`)
			require.Equal(t, older, alviereBodies(t, first.await(1))[0].Version)
			require.Equal(t, newer, alviereBodies(t, second.await(1))[0].Version)
			w.call("PATCH", "/v1/subscriptions/"+moved, object{"version": older}, 200)
			w.publish(app, `{"type":"WALLET_TRANSACTION","payload":{}}`)
			require.Equal(t, older, alviereBodies(t, second.await(2))[1].Version)
		})
	}
}
