package workflows_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"github.com/posthorn/posthorn/models"
	"github.com/posthorn/posthorn/workflows"
)

func TestCancelDuringBackoffEndsWithoutAnotherRequest(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add("a", hourly(73), unavailable)
	w.after(150*time.Minute, func() { w.cancel("a") })

	w.deliver("a")

	require.Equal(t, 150*time.Minute, w.endedAfter)
	require.Equal(t, 3, w.receiver.requests("a"))
	require.Equal(t, workflows.StatusCancelled, w.status())
}

func TestCancelOfOneLeavesTheOthersWaiting(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add("a", hourly(73), unavailable)
	w.add("b", hourly(3), okAfter(2))
	w.after(90*time.Minute, func() { w.cancel("a") })

	w.deliver("a", "b")

	require.Equal(t, 2, w.receiver.requests("a"))
	require.Equal(t, []time.Duration{0, time.Hour, 2 * time.Hour}, w.starts("b"))
}

func TestCancelDuringTheFirstAttemptStartsNoActivity(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add("a", hourly(73), first(func() { w.cancel("a") }, unavailable))

	w.deliver("a")

	require.Zero(t, w.endedAfter)
	require.Equal(t, []string{workflows.ActivityFirstAttempts}, w.scheduled)
	require.Equal(t, workflows.StatusCancelled, w.status())
}

// What a receiver took after the cancel stays cancelled in the database, and so it does here.
func TestCancelDuringASuccessfulAttemptStaysCancelled(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add("a", hourly(73), func(c *models.Claim) models.Result {
		if c.Number == 2 {
			w.cancel("a")
			return ok(c)
		}
		return unavailable(c)
	})

	w.deliver("a")

	require.Equal(t, models.StatusCancelled, w.gate.read("a").status)
	require.Equal(t, workflows.StatusCancelled, w.status())
	require.Equal(t, time.Hour, w.endedAfter)
}

func TestCancelOfAnUnknownInvocationIsHarmless(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add("a", hourly(2), okAfter(1))
	w.after(time.Minute, func() { w.signal(workflows.SignalCancel, workflows.CancelSignal{Invocation: "unknown"}) })

	w.deliver("a")

	require.Equal(t, []time.Duration{0, time.Hour}, w.starts("a"))
}

func TestCancelOfAClosedWorkflowIsAnEmptyRun(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add("a", hourly(2), ok)

	w.wake(workflows.SignalCancel, func() { w.cancel("a") })

	require.Empty(t, w.scheduled)
	require.Equal(t, []string{workflows.StatusCancelled}, w.shown)
}

// An operator's cancel in the Temporal UI ends the workflow, not the delivery: its row brings it back.
func TestWorkflowCancelledInTemporalEndsAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add("a", hourly(73), unavailable)
	w.after(90*time.Minute, w.env.CancelWorkflow)

	w.env.ExecuteWorkflow(workflows.DeliverName, workflows.DeliverInput{Invocations: []string{"a"}})

	require.True(t, w.env.IsWorkflowCompleted())
	require.True(t, temporal.IsCanceledError(w.env.GetWorkflowError()))
	require.Equal(t, 90*time.Minute, w.endedAfter)
	require.Equal(t, models.StatusRetrying, w.gate.read("a").status)
	require.Equal(t, workflows.StatusCancelled, w.status())
}
