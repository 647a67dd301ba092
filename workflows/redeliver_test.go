package workflows_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/models"
	"github.com/posthorn/posthorn/workflows"
)

func TestSuccessfulRedeliveryEndsTheSchedule(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add("a", hourly(73), okWhenRedelivered)
	w.after(90*time.Minute, func() { w.redeliver("c", "a") })

	w.deliver("a")

	require.Equal(t, []time.Duration{0, time.Hour, 90 * time.Minute}, w.starts("a"))
	require.Equal(t, 90*time.Minute, w.endedAfter, "the waiting activity is cancelled")
	require.Equal(t, []string{workflows.StatusRetrying, workflows.StatusSucceeded}, w.shown)
}

func TestFailedRedeliveryLeavesTheScheduleAsItWas(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add("a", hourly(3), unavailable)
	w.after(90*time.Minute, func() { w.redeliver("c", "a") })

	w.deliver("a")

	require.Equal(t, []time.Duration{0, time.Hour, 90 * time.Minute, 2 * time.Hour}, w.starts("a"))
	require.Equal(t, workflows.StatusFailed, w.status())
}

func TestSameRedeliverSignalTwiceIsOneRequest(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add("a", hourly(3), unavailable)
	w.after(10*time.Minute, func() { w.redeliver("c", "a"); w.redeliver("c", "a") })
	w.after(20*time.Minute, func() {
		w.signal(workflows.SignalRedeliver, workflows.RedeliverSignal{Invocation: "a", Command: "c"})
	})

	w.deliver("a")

	require.Equal(t, 4, w.receiver.requests("a"))
	require.Equal(t, 2, w.activities(workflows.ActivityRedeliver), "the gate refuses the one that came late")
}

func TestRedeliveryOfAClosedWorkflowIsANewRun(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		answer script
		status string
	}{{okWhenRedelivered, workflows.StatusSucceeded}, {unavailable, workflows.StatusFailed}} {
		t.Run(test.status, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.add("a", hourly(2), test.answer)
			w.deliver("a")
			require.Equal(t, workflows.StatusFailed, w.status())

			w.wake(workflows.SignalRedeliver, func() { w.redeliver("c", "a") })

			require.Equal(t, 3, w.receiver.requests("a"))
			require.Equal(t, test.status, w.status())
			require.Equal(t, models.InvocationStatus(test.status), w.gate.read("a").status)
			require.Equal(t, time.Hour, w.endedAfter)
		})
	}
}

// The gate lets one through at a time; the others wait in the workflow, not as activities that poll.
func TestRedeliveriesOfOneInvocationFollowEachOther(t *testing.T) {
	t.Parallel()
	const commands = 100
	w := newWorld(t)
	w.add("a", hourly(3), unavailable)
	w.gate.asked = func(g models.Gate) {
		if g.Verdict == models.VerdictHeld {
			t.Error("a redelivery was asked for while another was in flight")
		}
	}
	w.after(10*time.Minute, func() {
		for i := range commands {
			w.redeliver(fmt.Sprint("c", i), "a")
		}
	})

	w.deliver("a")

	require.Equal(t, commands, w.activities(workflows.ActivityRedeliver))
	require.Equal(t, 3+commands, w.receiver.requests("a"))
	for i, s := range w.gate.read("a").log[1 : commands+1] {
		require.Equal(t, fmt.Sprint("c", i), s.Claim.RedeliveryID, "in the order of their commands")
	}
}

func TestRedeliveriesOfTwoInvocationsRunSideBySide(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	release := make(chan struct{})
	w.add("a", hourly(3), func(c *models.Claim) models.Result {
		if c.Trigger == models.TriggerRedeliver {
			<-release // by the other's redelivery
		}
		return okWhenRedelivered(c)
	})
	w.add("b", hourly(3), func(c *models.Claim) models.Result {
		if c.Trigger == models.TriggerRedeliver {
			close(release)
		}
		return okWhenRedelivered(c)
	})
	w.after(time.Minute, func() { w.redeliver("c1", "a"); w.redeliver("c2", "b") })

	w.deliver("a", "b")

	require.Equal(t, time.Minute, w.endedAfter)
	require.Equal(t, workflows.StatusSucceeded, w.status())
}

func TestRedeliveryMakesUpForAnInvocationThatFailed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add("failed", hourly(1), okWhenRedelivered)
	w.add("waiting", hourly(2), okAfter(1))
	w.after(time.Minute, func() { w.redeliver("c", "failed") })

	w.deliver("failed", "waiting")

	require.Equal(t, workflows.StatusSucceeded, w.status())
}

func TestFailedRedeliveryOfADeliveredInvocationChangesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add("delivered", hourly(1), func(c *models.Claim) models.Result {
		if c.Trigger == models.TriggerRedeliver {
			return unavailable(c)
		}
		return ok(c)
	})
	w.add("waiting", hourly(2), okAfter(1))
	w.after(time.Minute, func() { w.redeliver("c", "delivered") })

	w.deliver("delivered", "waiting")

	require.Equal(t, models.StatusSucceeded, w.gate.read("delivered").status)
	require.Equal(t, workflows.StatusSucceeded, w.status())
}

func TestRedeliveryOfAnErasedInvocationEnds(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.wake(workflows.SignalRedeliver, func() {
		w.signal(workflows.SignalRedeliver, workflows.RedeliverSignal{Invocation: "gone", Command: "gone too"})
	})

	require.Zero(t, w.endedAfter)
	require.Equal(t, workflows.StatusFailed, w.status())
}

func TestRedeliveryDuringTheFirstAttemptWaitsForItsTurn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	release := make(chan struct{})
	w.add("a", hourly(3), func(c *models.Claim) models.Result {
		if c.Number == 1 {
			w.redeliver("c", "a")
			<-release
		}
		return okWhenRedelivered(c)
	})
	w.after(700*time.Millisecond, func() { close(release) })

	w.deliver("a")

	require.Equal(t, 2, w.receiver.requests("a"))
	require.Equal(t, models.StatusSucceeded, w.gate.read("a").status)
	require.Less(t, w.endedAfter, time.Hour)
}
