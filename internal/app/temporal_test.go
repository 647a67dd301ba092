package app_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"
)

// workflowCloses waits until the workflow's newest run is closed and returns the run's id.
func (w *world) workflowCloses(id string) string {
	w.t.Helper()
	run := ""
	require.Eventuallyf(w.t, func() bool {
		described, err := w.app.TemporalClient().DescribeWorkflowExecution(w.t.Context(), id, "")
		if err != nil {
			return false
		}
		info := described.GetWorkflowExecutionInfo()
		run = info.GetExecution().GetRunId()
		return info.GetStatus() == enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED
	}, patience, 10*time.Millisecond, "workflow %s did not complete", id)
	return run
}

func TestTemporalShowsAttemptLastFailureAndNextRetry(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		receiver := newSink(t, status(503)...)
		app := w.application("standard", `{"retry":{"kind":"schedule","delays":["20ms","20ms","1h"]}}`)
		sub := w.subscription(app, receiver.URL, nil)["id"].(string)
		_, ids := w.published(app, `{"type":"loan.updated","payload":{}}`)
		receiver.await(3)
		require.Eventually(t, func() bool { return len(w.logs(ids[0])) == 3 }, patience, 10*time.Millisecond)
		retrying := w.invocation(ids[0])
		workflowID := retrying["workflow_id"].(string)

		require.Eventually(t, func() bool {
			described, err := w.app.TemporalClient().DescribeWorkflowExecution(t.Context(), workflowID, "")
			require.NoError(t, err)
			pending := described.GetPendingActivities()
			// The activity's first try hands over from the local one: it sends only where the retry is due by then, so
			// Temporal's count is the delivery's next attempt (4) or, on a busy machine, one less.
			if len(pending) != 1 || pending[0].GetAttempt() < 3 || pending[0].GetScheduledTime() == nil {
				return false
			}
			require.Equal(t, "attempt 3: the receiver answered 503", pending[0].GetLastFailure().GetMessage())
			next := pending[0].GetScheduledTime().AsTime()
			due, err := time.Parse(time.RFC3339, retrying["next_attempt_at"].(string))
			require.NoError(t, err)
			require.WithinDuration(t, due, next, time.Second)
			return true
		}, patience, 20*time.Millisecond)

		for _, query := range []string{
			`PosthornEventType = 'loan.updated' AND PosthornApplication = '` + app + `'`,
			`PosthornSubscription = '` + sub + `'`,
			`PosthornSubscription = '` + sub + `' AND PosthornStatus = 'retrying'`,
		} {
			require.Eventually(t, func() bool { return w.found(query, workflowID) }, patience, 50*time.Millisecond, query)
		}
	})
}

// found reports whether the query finds exactly the workflow.
func (w *world) found(query, workflowID string) bool {
	ctx, cancel := context.WithTimeout(w.t.Context(), patience)
	defer cancel()
	listed, err := w.app.TemporalClient().ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{Query: query})
	require.NoError(w.t, err)
	return len(listed.GetExecutions()) == 1 && listed.GetExecutions()[0].GetExecution().GetWorkflowId() == workflowID
}

func TestNoPayloadURLOrSecretIsInAHistory(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		receiver := newSink(t, answer{status: 500, body: "canary-answer"}, answer{status: 200})
		app := w.application("standard", `{"retry":{"kind":"fixed","interval":"20ms"}}`)
		sub := w.subscription(app, receiver.URL+"/canary-path", object{"headers": object{"X-Canary": "canary-header"}})
		_, ids := w.published(app, `{"type":"a.b","entity_id":"canary-entity","payload":{"secret":"canary-payload"}}`)
		workflowID := w.becomes(ids[0], "succeeded")["workflow_id"].(string)
		run := w.workflowCloses(workflowID)
		events := w.app.TemporalClient().GetWorkflowHistory(t.Context(), workflowID, run, false,
			enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
		for events.HasNext() {
			event, err := events.Next()
			require.NoError(t, err)
			require.NotContains(t, fmt.Sprint(event), "canary")
			require.NotContains(t, fmt.Sprint(event), sub["secret"])
		}
	})
}
