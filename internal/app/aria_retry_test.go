package app_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestARI5_TheRetriesHaveNoEnd(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		retry := w.call("GET", "/v1/profiles/aria", nil, 200)["retry"]
		preview := w.call("POST", "/v1/retry-policies/preview", object{"retry": retry}, 200)
		require.Nil(t, preview["attempts"])
		require.Nil(t, preview["total"])

		receiver := newSink(t, status(500)...)
		slow := w.application("aria", "")
		w.loans(slow, receiver.URL)
		id := w.loan(slow, "L", "NEW")[0]
		waiting := w.becomes(id, "retrying")
		finished := timeOf(t, w.logs(id)[0]["finished_at"])
		require.Equal(t, 10*time.Second, timeOf(t, waiting["next_attempt_at"]).Sub(finished))

		quick := w.application("aria",
			`{"retry":{"kind":"exponential","initial":"10ms","factor":2,"max_interval":"10ms"}}`)
		many := newSink(t, status(500)...)
		w.loans(quick, many.URL)
		id = w.loan(quick, "L", "NEW")[0]
		many.await(20)
		require.Equal(t, "retrying", w.invocation(id)["status"])
		many.answers(answer{status: 200})
		w.becomes(id, "succeeded")
	})
}

// What is on its way keeps the policy that it was accepted under; what is accepted afterwards gets the new one.
func TestARI6_ANewPolicyLosesNothingOnItsWay(t *testing.T) {
	t.Parallel()
	for name, database := range databases(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := embedded(t)
			cfg.DatabaseURL = database(t)
			w := boot(t, cfg, everything)
			receiver := newSink(t, status(500)...)
			app := w.application("aria", `{"retry":{"kind":"fixed","interval":"400ms"}}`)
			sub := w.loans(app, receiver.URL)
			old := w.loan(app, "L1", "OLD")[0]
			w.becomes(old, "retrying")
			w.call("PATCH", "/v1/applications/"+app,
				`{"overrides":{"retry":{"kind":"fixed","interval":"1h","max_attempts":2}}}`, 200)
			w.stop()

			w = start(t, cfg, everything)
			delivery := w.call("GET", "/v1/subscriptions/"+sub, nil, 200)["delivery"].(map[string]any)
			require.Equal(t, "1h", delivery["retry"].(map[string]any)["interval"])
			seen := w.invocation(old)["attempts"].(float64)
			require.Eventually(t, func() bool { return w.invocation(old)["attempts"].(float64) >= seen+3 },
				patience, 10*time.Millisecond, "it goes on every 400 ms, beyond two attempts")
			fresh := w.loan(app, "L2", "NEW")[0]
			due := timeOf(t, w.becomes(fresh, "retrying")["next_attempt_at"])
			require.Equal(t, time.Hour, due.Sub(timeOf(t, w.logs(fresh)[0]["finished_at"])))
			receiver.answers(answer{status: 200})
			w.becomes(old, "succeeded")
		})
	}
}

func TestARI18_AnErrorIsAnythingBut2xxOrSilence(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		elsewhere := newSink(t)
		app := w.application("aria", `{"timeout":"2s","retry":{"kind":"fixed","interval":"20ms"}}`)
		table := failures(elsewhere.URL)
		sinks, names := map[string]*sink{}, map[string]string{}
		for name, failure := range table {
			sinks[name] = newSink(t, failure.answer, answer{status: 200})
			names[w.loans(app, sinks[name].URL)] = name
		}
		for _, id := range w.loan(app, "L", "NEW") {
			name := names[w.becomes(id, "succeeded")["subscription_id"].(string)]
			says := table[name].says
			if code, isStatus := says.(int); isStatus && code/100 == http.StatusOK/100 {
				require.Len(t, w.logs(id), 1, name)
				require.Len(t, sinks[name].got(), 1, name)
				continue
			}
			w.saysOfTheFirst(id, name, says)
			require.Len(t, sinks[name].got(), 2, name)
		}
		require.Empty(t, elsewhere.got(), "redirects are not followed")
	})
}
