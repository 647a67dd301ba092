package app_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/internal/config"
)

// With POSTHORN_EVENTS_PER_WORKFLOW above 1, events that wait together share workflows, and nothing else changes: each
// has its own invocations, retries, commands and log.
func TestEventsThatShareAWorkflowAreDeliveredEachByItself(t *testing.T) {
	t.Parallel()
	onEachOwn(t, func(c *config.Config) { c.EventsPerWorkflow = 50 }, func(w *world) {
		t := w.t
		down := newSink(t, answer{status: 503})
		down.judge = func(body []byte) int {
			if strings.Contains(string(body), `"fails"`) {
				return 503
			}
			return 200
		}
		app := w.application("standard", `{"retry":{"kind":"schedule","delays":["1h"]}}`)
		sub := w.subscription(app, down.URL, nil)["id"].(string)
		invocations := w.publishMany(app, 60, func(i int) string {
			return map[bool]string{true: "fails", false: "arrives"}[i%20 == 0]
		})

		workflow, event := "", "" // of one that shares; with two workers, one may be left over
		shared := map[string]int{}
		for i, id := range invocations {
			want := map[bool]string{true: "retrying", false: "succeeded"}[i%20 == 0]
			got := w.becomes(id, want)
			require.Len(t, w.logs(id), 1)
			id := got["workflow_id"].(string)
			if shared[id]++; strings.HasPrefix(id, "events/") {
				workflow, event = id, got["event_id"].(string)
			}
		}
		require.Less(t, len(shared), 10, "workflows: %v", shared)
		require.NotEmpty(t, workflow, "workflows: %v", shared)
		for _, query := range []string{
			"PosthornEvents = '" + event + "'",
			"PosthornEvents = '" + event + "' AND PosthornSubscription = '" + sub + "' AND PosthornApplication = '" + app + "'",
		} {
			require.Eventually(t, func() bool { return w.found(query, workflow) }, patience, 50*time.Millisecond, query)
		}

		w.call("POST", "/v1/invocations/"+invocations[0]+"/cancel", nil, 202)
		w.becomes(invocations[0], "cancelled")
		w.call("POST", "/v1/invocations/"+invocations[20]+"/redeliver", nil, 202)
		require.Eventually(t, func() bool { return len(w.logs(invocations[20])) == 2 }, patience, 10*time.Millisecond)
		require.Equal(t, "retrying", w.invocation(invocations[20])["status"])
		w.call("POST", "/v1/invocations/"+invocations[20]+"/cancel", nil, 202)
		w.call("POST", "/v1/invocations/"+invocations[40]+"/cancel", nil, 202)
		for id := range shared {
			w.workflowCloses(id)
		}
	})
}

// publishMany publishes n events in one batch, each with the payload {"text": …}, and returns their invocations.
func (w *world) publishMany(app string, n int, text func(i int) string) []string {
	w.t.Helper()
	events := make([]string, 0, n)
	for i := range n {
		events = append(events, fmt.Sprintf(`{"type":"a.b","payload":{"text":%q}}`, text(i)))
	}
	answer := w.call("POST", "/v1/applications/"+app+"/events/batch", `{"events":[`+strings.Join(events, ",")+`]}`, 202)
	ids := make([]string, 0, n)
	for _, result := range answer["results"].([]any) {
		for _, invocation := range result.(map[string]any)["invocations"].([]any) {
			ids = append(ids, invocation.(map[string]any)["id"].(string))
		}
	}
	return ids
}
