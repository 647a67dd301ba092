package dispatch_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"

	"github.com/posthorn/posthorn/internal/dispatch"
	"github.com/posthorn/posthorn/models"
	"github.com/posthorn/posthorn/workflows"
)

const moment = time.Millisecond

func TestRowsOfOneWorkflowStartTogether(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(nil)
		w.rows = []models.Dispatch{row("e1", "i1"), row("e2", "i2"), row("e1", "i3")}

		w.run(t, moment)

		byID := map[string][]string{}
		for _, s := range w.started {
			byID[s.options.ID] = s.in.Invocations
		}
		require.Equal(t, map[string][]string{"event/e1": {"i1", "i3"}, "event/e2": {"i2"}}, byID)
		require.ElementsMatch(t, []string{"i1", "i2", "i3"}, w.marked)
		require.Equal(t, []dispatched{{rows: 3}}, w.dispatched)
	})
}

func TestStartIsEagerAndIdempotentAndFoundByOperators(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(nil)
		w.rows = []models.Dispatch{row("e1", "i1"), row("e1", "i2")}

		w.run(t, moment)

		o := w.started[0].options
		require.Equal(t, workflows.TaskQueue, o.TaskQueue)
		require.Equal(t, workflows.WorkflowTaskTimeout, o.WorkflowTaskTimeout)
		require.True(t, o.EnableEagerStart)
		require.True(t, o.WorkflowExecutionErrorWhenAlreadyStarted)
		require.Equal(t, enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE, o.WorkflowIDReusePolicy)
		require.Zero(t, o.WorkflowRunTimeout)
		require.Zero(t, o.WorkflowExecutionTimeout)
		require.Equal(t, "loan.updated → 2 subscriptions", o.StaticSummary)
		application, _ := o.TypedSearchAttributes.GetKeyword(workflows.SearchApplication)
		require.Equal(t, "app", application)
		subscriptions, _ := o.TypedSearchAttributes.GetKeywordList(workflows.SearchSubscription)
		require.Equal(t, []string{"sub of i1", "sub of i2"}, subscriptions)
		eventType, _ := o.TypedSearchAttributes.GetKeyword(workflows.SearchEventType)
		require.Equal(t, "loan.updated", eventType)
		status, _ := o.TypedSearchAttributes.GetKeyword(workflows.SearchStatus)
		require.Equal(t, workflows.StatusDelivering, status)
		require.Equal(t, workflows.DeliverInput{Invocations: []string{"i1", "i2"}}, w.started[0].in)
	})
}

func TestSummarySaysWhatIsDelivered(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(nil)
		test := row("", "i2")
		test.EventID, test.WorkflowID = nil, workflows.InvocationWorkflowID("i2")
		w.rows = []models.Dispatch{row("e1", "i1"), test}

		w.run(t, moment)

		summaries := map[string]string{}
		for _, s := range w.started {
			summaries[s.options.ID] = s.options.StaticSummary
		}
		require.Equal(t, map[string]string{
			"event/e1": "loan.updated → 1 subscription", "invocation/i2": "test of a subscription",
		}, summaries)
	})
}

func TestNamespaceWithoutSearchAttributesGetsNone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(func(o *dispatch.Options) { o.Unsearchable = true })
		w.rows = []models.Dispatch{row("e1", "i1")}
		w.commands = []models.Command{{ID: "c", Kind: models.CommandCancel, WorkflowID: "event/e2"}}

		w.run(t, moment)

		require.Zero(t, w.started[0].options.TypedSearchAttributes.Size())
		require.True(t, w.started[0].in.Unsearchable)
		require.True(t, w.signalled[0].in.Unsearchable)
	})
}

func TestRunningWorkflowIsSignalled(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(nil)
		w.rows = []models.Dispatch{row("e1", "i1"), row("e1", "i2")}
		w.startErrs["event/e1"] = alreadyStarted()

		w.run(t, moment)

		require.Len(t, w.signalled, 1)
		s := w.signalled[0]
		require.Equal(t, "event/e1", s.workflowID)
		require.Equal(t, workflows.SignalDeliver, s.name)
		require.Equal(t, workflows.DeliverSignal{Invocations: []string{"i1", "i2"}}, s.arg)
		require.Empty(t, s.in.Invocations, "a run started by the signal has its ids from it")
		require.False(t, s.options.EnableEagerStart)
		require.ElementsMatch(t, []string{"i1", "i2"}, w.marked)
	})
}

func TestReconciledRowsOfARunningWorkflowAreLeftAloneUntilTheThirdPass(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		passes  []int
		signals int
	}{{[]int{1, 2}, 0}, {[]int{3}, 1}, {[]int{4, 1}, 1}, {[]int{1, 0}, 1}} {
		t.Run(fmt.Sprint(test.passes), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(nil)
				w.startErrs["event/e1"] = alreadyStarted()
				for i, passes := range test.passes {
					w.rows = append(w.rows, overdue(row("e1", fmt.Sprint("i", i)), passes))
				}

				w.run(t, moment)

				require.Len(t, w.signalled, test.signals)
				require.Len(t, w.marked, len(test.passes), "the dispatcher's part is done either way")
			})
		})
	}
}

func TestReconciledRowsWithoutAWorkflowAreStarted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(nil)
		w.rows = []models.Dispatch{overdue(row("e1", "i1"), 1)}

		w.run(t, moment)

		require.Len(t, w.started, 1)
		require.Equal(t, []string{"i1"}, w.marked)
	})
}

func TestOnlyWhatWasStartedIsMarked(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(nil)
		w.rows = []models.Dispatch{row("e1", "i1"), row("e2", "i2"), row("e3", "i3")}
		w.startErrs["event/e2"] = errDown

		w.run(t, moment)

		require.ElementsMatch(t, []string{"i1", "i3"}, w.marked)
		require.Len(t, w.takings, 1, "what failed waits for its lease to end")
	})
}

func TestStartsAreBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(nil)
		w.delay = 10 * time.Millisecond
		for i := range 100 {
			w.rows = append(w.rows, row(fmt.Sprint("e", i), fmt.Sprint("i", i)))
		}

		w.run(t, 500*time.Millisecond)

		require.Len(t, w.marked, 100)
		require.Equal(t, 32, w.mostRunning)
	})
}

func TestCommandsBecomeSignals(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(nil)
		w.commands = []models.Command{
			{ID: "c1", Kind: models.CommandRedeliver, InvocationID: "i1", WorkflowID: "event/e1"},
			{ID: "c2", Kind: models.CommandCancel, InvocationID: "i2", WorkflowID: "event/e2"},
		}

		w.run(t, moment)

		args := map[string]any{}
		for _, s := range w.signalled {
			args[s.workflowID+" "+s.name] = s.arg
			require.Equal(t, workflows.DeliverInput{}, s.in, "a closed workflow starts with nothing else to do")
			require.False(t, s.options.EnableEagerStart)
			require.Equal(t, s.workflowID, s.options.ID)
			require.Equal(t, workflows.TaskQueue, s.options.TaskQueue)
			require.Equal(t, enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE, s.options.WorkflowIDReusePolicy)
		}
		require.Equal(t, map[string]any{
			"event/e1 redeliver": workflows.RedeliverSignal{Invocation: "i1", Command: "c1"},
			"event/e2 cancel":    workflows.CancelSignal{Invocation: "i2"},
		}, args)
		require.ElementsMatch(t, []string{"c1", "c2"}, w.markedCmds)
	})
}
