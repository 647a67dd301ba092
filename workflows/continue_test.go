package workflows_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/workflow"

	"github.com/posthorn/posthorn/models"
	"github.com/posthorn/posthorn/workflows"
)

// continued runs until the workflow continues as new and returns what the next run starts with.
func (w *world) continued(in workflows.DeliverInput) workflows.DeliverInput {
	w.t.Helper()
	w.env.ExecuteWorkflow(workflows.DeliverName, in)
	var again *workflow.ContinueAsNewError
	require.ErrorAs(w.t, w.env.GetWorkflowError(), &again)
	require.Equal(w.t, workflows.DeliverName, again.WorkflowType.Name)
	var next workflows.DeliverInput
	require.NoError(w.t, converter.GetDefaultDataConverter().FromPayloads(again.Input, &next))
	return next
}

// fill makes the history too long at the given time, and something happen then.
func (w *world) fill(after time.Duration, happen func()) {
	w.after(after, func() {
		w.env.SetContinueAsNewSuggested(true)
		happen()
	})
}

func TestContinueAsNewCarriesWhatIsOpenAndHowTheRestEnded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add("open", hourly(3), okAfter(2))
	w.add("failed", hourly(1), okWhenRedelivered)
	w.add("parked", hourly(1), ok)
	w.gate.rows["parked"].parked = true
	w.add("cancelled", hourly(73), unavailable)
	w.fill(30*time.Minute, func() { w.cancel("cancelled") })

	next := w.continued(workflows.DeliverInput{
		Invocations: []string{"open", "failed", "parked", "cancelled"}, Unsearchable: true,
	})

	require.Equal(t, workflows.DeliverInput{
		Invocations: []string{"open"}, Unsearchable: true,
		Ended: []workflows.Ended{
			{Invocation: "failed", Status: workflows.StatusFailed},
			{Invocation: "parked", Status: workflows.StatusParked},
			{Invocation: "cancelled", Status: workflows.StatusCancelled},
		},
	}, next)
}

func TestContinuedRunGoesOnWithTheScheduleAndRemembersTheWorst(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add("open", hourly(4), okAfter(3))
	w.add("failed", hourly(1), unavailable)
	w.fill(90*time.Minute, func() { w.redeliver("c", "failed") })
	next := w.continued(workflows.DeliverInput{Invocations: []string{"open", "failed"}})
	require.Equal(t, []time.Duration{0, time.Hour}, w.starts("open"))

	w.renew(w.start.Add(90 * time.Minute))
	w.run(next)

	require.Equal(t, []time.Duration{0, time.Hour, 2 * time.Hour, 3 * time.Hour}, w.starts("open"))
	require.Equal(t, 2, w.receiver.requests("failed"), "the redelivery is made once")
	require.Equal(t, workflows.StatusFailed, w.status())
}

func TestContinueAsNewCarriesRedeliveriesNotYetMade(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	release := make(chan struct{})
	w.add("a", hourly(3), func(c *models.Claim) models.Result {
		if c.RedeliveryID == "c1" {
			<-release
			return unavailable(c)
		}
		return okWhenRedelivered(c)
	})
	w.fill(time.Minute, func() {
		w.silently = true
		w.redeliver("c1", "a")
		w.silently = false
		w.redeliver("c2", "a")
	})
	next := w.continued(workflows.DeliverInput{Invocations: []string{"a"}})
	require.Equal(t, []workflows.RedeliverSignal{
		{Invocation: "a", Command: "c1"}, {Invocation: "a", Command: "c2"},
	}, next.Redeliveries)
	require.Equal(t, []string{"a"}, next.Invocations)

	w.renew(w.start.Add(time.Minute))
	close(release)
	w.run(next)

	require.Equal(t, 3, w.receiver.requests("a"), "c1 was in flight and is not sent again")
	require.Equal(t, models.StatusSucceeded, w.gate.read("a").status)
	require.Equal(t, workflows.StatusSucceeded, w.status())
}

// What arrives in the very task that continues as new would be lost with the old run.
func TestContinueAsNewTakesEverySignalFirst(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add("a", hourly(3), okAfter(2))
	w.add("b", hourly(3), okAfter(2))
	w.add("c", hourly(3), okAfter(2))
	w.fill(time.Minute, func() {
		w.silently = true
		w.redeliver("c", "a")
		w.bring("b")
		w.silently = false
		w.cancel("c")
	})

	next := w.continued(workflows.DeliverInput{Invocations: []string{"a", "c"}})

	require.Equal(t, []string{"a", "b"}, next.Invocations)
	require.Equal(t, []workflows.Ended{{Invocation: "c", Status: workflows.StatusCancelled}}, next.Ended)
	require.Equal(t, 1, w.receiver.requests("b"), "its first attempt was made by this run")
	redelivered := w.receiver.requests("a") == 2
	require.Equal(t, !redelivered, len(next.Redeliveries) == 1)
}

func TestShortHistoryDoesNotContinueAsNew(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add("a", hourly(3), okAfter(2))
	w.after(time.Minute, func() { w.cancel("a") })

	w.deliver("a")

	require.Equal(t, time.Minute, w.endedAfter)
}
