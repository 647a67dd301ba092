package app_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
)

// alviereVersions is alviere with a second and third version of one type, and a retry that a test can wait for.
const alviereVersions = `{"catalogue":[{"name":"ACCOUNT","versions":["2021-11-18.1","2026-01-01.1","2026-02-01.1"]}],
	"retry":{"kind":"fixed","interval":"20ms","max_attempts":5}}`

// envelope is a body of alviere.
type envelope struct {
	Retry   int             `json:"event_retry"`
	Version string          `json:"event_version"`
	Entity  json.RawMessage `json:"entity"`
}

func opened(t *testing.T, r request) envelope {
	t.Helper()
	var e envelope
	require.NoError(t, json.Unmarshal(r.body, &e))
	return e
}

func TestEachSubscriptionGetsThePayloadOfTheVersionItPinned(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		app := w.application("alviere", alviereVersions)
		sinks := map[string]*sink{}
		subs := map[string]string{}
		for _, version := range []string{"2021-11-18.1", "2026-01-01.1", "2026-02-01.1"} {
			sinks[version] = newSink(t)
			subs[version] = w.subscription(app, sinks[version].URL,
				object{"event_types": []string{"ACCOUNT"}, "version": version, "security_key": "k"})["id"].(string)
		}
		old, current := sinks["2021-11-18.1"], sinks["2026-01-01.1"]
		old.answers(status(500, 200)...)
		_, ids := w.published(app, `{"type":"ACCOUNT","versions":[
			{"version":"2026-01-01.1","payload":{"amount": 100.50, "s":"<&>"}},{"version":"2021-11-18.1","payload":{"cents": 10050}}]}`)
		require.Len(t, ids, 3)

		got := old.await(2)
		for i, r := range got[:2] {
			require.Equal(t, envelope{i, "2021-11-18.1", json.RawMessage(`{"cents": 10050}`)}, opened(t, r))
		}
		require.Equal(t, envelope{0, "2026-01-01.1", json.RawMessage(`{"amount": 100.50, "s":"<&>"}`)},
			opened(t, current.await(1)[0]))
		for _, id := range ids {
			switch w.invocation(id)["subscription_id"] {
			case subs["2021-11-18.1"]:
				w.becomes(id, "succeeded")
				// A version pinned later is for later events: the log still shows what was sent.
				w.call("PATCH", "/v1/subscriptions/"+subs["2021-11-18.1"], object{"version": "2026-02-01.1"}, 200)
				for i, entry := range w.logs(id) {
					require.Equal(t, string(got[i].body), entry["request"].(map[string]any)["body"])
				}
				w.call("POST", "/v1/invocations/"+id+"/redeliver", nil, 202)
				again := opened(t, old.await(3)[2])
				require.Equal(t, envelope{2, "2021-11-18.1", json.RawMessage(`{"cents": 10050}`)}, again)
			case subs["2026-02-01.1"]:
				cancelled := w.becomes(id, "cancelled")
				require.Equal(t, "version_missing", cancelled["reason"])
				require.EqualValues(t, 0, cancelled["attempts"])
			}
		}

		// In its FIFO queue what was cancelled holds up nobody.
		_, plain := w.published(app, `{"type":"ACCOUNT","payload":{"n":1}}`)
		require.Len(t, plain, 3)
		for _, id := range plain {
			w.becomes(id, "succeeded")
		}
		require.Len(t, sinks["2026-02-01.1"].got(), 1)
		require.Equal(t, envelope{0, "2026-02-01.1", json.RawMessage(`{"n":1}`)}, opened(t, sinks["2026-02-01.1"].got()[0]))
	})
}
