package app_test

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestARI2_ARI3_ARI4_OneEventForEachSubscription(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		app := w.application("aria", "")
		path := "/v1/applications/" + app + "/subscriptions"
		for _, refused := range [][]string{{}, {"loan.created", "loan.updated"}, {"loan.*"}, {"loan.paid"}} {
			w.call("POST", path, object{"url": "https://example.com/", "event_types": refused}, 422)
		}
		types := w.catalogue("aria")
		require.Len(t, types, 11)
		for _, entry := range types {
			require.NotEmpty(t, entry["description"])
			name := entry["name"].(string)
			made := w.call("POST", path, object{"url": "https://example.com/", "event_types": []string{name}}, 201)
			require.Equal(t, []any{name}, made["event_types"])
			old := name == "advance.created" || name == "advance.updated"
			require.Equal(t, old, entry["deprecated"])
			if warnings, _ := made["warnings"].([]any); old {
				require.Len(t, warnings, 1)
			} else {
				require.Empty(t, warnings)
			}
		}
	})
}

// The documentation's sample, of a deprecated type as it is.
func TestARI4_ARI15_ARI16_TheSampleArrivesAsItIs(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		payload, err := os.ReadFile("../demo/testdata/aria_advance.json")
		require.NoError(t, err)
		receiver := newSink(t, status(500, 201)...)
		app := w.application("aria", `{"retry":{"kind":"fixed","interval":"20ms"}}`)
		w.subscription(app, receiver.URL, object{"event_types": []string{"advance.created"}})
		w.publish(app, `{"type":"advance.created","occurred_at":"2022-04-21T08:57:27.987Z","payload":`+string(payload)+`}`)
		for _, r := range receiver.await(2) {
			require.Equal(t, `{"date":"2022-04-21T08:57:27.987Z","event":"advance.created","payload":`+string(payload)+`}`, string(r.body))
			require.NotEmpty(t, r.header.Get("webhook-id"))
		}
	})
}
