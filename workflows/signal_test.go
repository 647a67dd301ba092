package workflows_test

import (
	"maps"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/models"
	"github.com/posthorn/posthorn/workflows"
)

// awaitPoints are the places where Deliver waits; each calls send while it does.
func awaitPoints() map[string]func(w *world, send func()) {
	points := map[string]func(w *world, send func()){
		"before the first attempts are over": func(w *world, send func()) {
			w.add("a", hourly(2), first(send, ok))
		},
		"while a hanging first attempt goes on": func(w *world, send func()) {
			release := make(chan struct{})
			w.add("a", hourly(2), hanging(release, ok))
			w.after(700*time.Millisecond, func() { send(); close(release) })
		},
		"during backoff": func(w *world, send func()) {
			w.add("a", hourly(2), okAfter(1))
			w.after(30*time.Minute, send)
		},
		"during the last attempt": func(w *world, send func()) {
			w.add("a", hourly(2), func(c *models.Claim) models.Result {
				if c.Number == 2 {
					send()
				}
				return unavailable(c)
			})
		},
		"during a redelivery": func(w *world, send func()) {
			w.add("a", hourly(2), func(c *models.Claim) models.Result {
				if c.Trigger == models.TriggerRedeliver {
					send()
				}
				return okWhenRedelivered(c)
			})
			w.after(30*time.Minute, func() { w.redeliver("by-hand", "a") })
		},
		"in the task that would close the workflow, after first attempts": func(w *world, send func()) {
			w.silently = true
			w.add("a", hourly(2), first(send, ok))
		},
		"in the task that would close the workflow, after an attempt": func(w *world, send func()) {
			w.silently = true
			w.add("a", hourly(2), func(c *models.Claim) models.Result {
				if c.Number == 2 {
					send()
				}
				return okAfter(1)(c)
			})
		},
	}
	maps.Copy(points, queueAwaitPoints())
	return points
}

func TestDeliverSignalIsHeardAtEveryAwaitPoint(t *testing.T) {
	t.Parallel()
	for name, at := range awaitPoints() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.add("b", hourly(2), ok)
			at(w, func() { w.bring("b") })

			w.deliver("a")

			require.Equal(t, models.StatusSucceeded, w.gate.read("b").status)
			require.False(t, w.gate.read("a").status.Open())
			require.Empty(t, w.gate.queue)
		})
	}
}

func TestRedeliverSignalIsHeardAtEveryAwaitPoint(t *testing.T) {
	t.Parallel()
	for name, at := range awaitPoints() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.add("b", hourly(2), okWhenRedelivered)
			w.gate.rows["b"].status = models.StatusFailed
			at(w, func() { w.redeliver("c", "b") })

			w.deliver("a")

			require.Equal(t, models.StatusSucceeded, w.gate.read("b").status)
			require.False(t, w.gate.read("a").status.Open())
			require.Empty(t, w.gate.queue)
		})
	}
}

func TestCancelSignalIsHeardAtEveryAwaitPoint(t *testing.T) {
	t.Parallel()
	for name, at := range awaitPoints() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.add("b", hourly(73), unavailable)
			at(w, func() { w.cancel("b") })

			w.deliver("a", "b")

			require.Less(t, w.endedAfter, 2*time.Hour, "nothing waits for b any more")
			require.Equal(t, models.StatusCancelled, w.gate.read("b").status)
			require.False(t, w.gate.read("a").status.Open())
			require.Empty(t, w.gate.queue)
		})
	}
}

func TestDeliverSignalForWaitingInvocationsStartsNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add("a", hourly(3), first(func() { w.bring("a") }, unavailable))
	w.add("b", hourly(3), okAfter(1))
	w.after(10*time.Minute, func() { w.bring("a", "b", "a") })

	w.deliver("a")

	require.Equal(t, 2, w.activities(workflows.ActivityFirstAttempts), "the second for b alone")
	require.Equal(t, 2, w.activities(workflows.ActivityAttempt))
	require.Equal(t, 3, w.receiver.requests("a"))
}

func TestParkedInvocationIsTakenUpByTheRunningWorkflow(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add("a", hourly(3), okAfter(2))
	w.add("b", hourly(3), ok)
	w.gate.rows["b"].parked = true
	w.after(30*time.Minute, func() {
		w.gate.change("b", func(r *row) { r.parked = false })
		w.bring("b")
	})

	w.deliver("a", "b")

	require.Equal(t, []time.Duration{30 * time.Minute}, w.starts("b"))
	require.Equal(t, workflows.StatusSucceeded, w.status(), "nothing is parked any more")
}

// The dispatcher brings a parked row back at once, before the activity that met the closed gate has ended: the
// signal is the only word of it.
func TestInvocationBroughtBackWhileItIsBeingParkedIsNotLost(t *testing.T) {
	t.Parallel()
	for _, silently := range []bool{false, true} {
		for _, at := range []int{1, 2} {
			w := newWorld(t)
			w.silently = silently
			w.add("a", hourly(3), okAfter(at-1))
			w.gate.rows["a"].parked = at == 1
			w.after(time.Minute, func() { w.gate.change("a", func(r *row) { r.parked = at == 2 }) })
			w.gate.asked = func(g models.Gate) {
				if g.Verdict == models.VerdictParked {
					w.gate.rows["a"].parked = false
					w.bring("a")
				}
			}

			w.deliver("a")

			require.Equal(t, models.StatusSucceeded, w.gate.read("a").status)
			require.Equal(t, at, w.receiver.requests("a"))
			require.Equal(t, workflows.StatusSucceeded, w.status())
		}
	}
}

func TestUnreadableSignalsAreDropped(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add("a", hourly(3), okAfter(2))
	w.after(time.Minute, func() {
		for _, name := range []string{workflows.SignalDeliver, workflows.SignalRedeliver, workflows.SignalCancel} {
			w.signal(name, "typed by hand")
		}
	})

	w.deliver("a")

	require.Equal(t, []time.Duration{0, time.Hour, 2 * time.Hour}, w.starts("a"))
}

func TestDeliverSignalToAClosedWorkflowDelivers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add("a", hourly(3), okAfter(1))

	w.wake(workflows.SignalDeliver, func() { w.bring("a") })

	require.Equal(t, []time.Duration{0, time.Hour}, w.starts("a"))
	require.Equal(t, []string{workflows.StatusRetrying, workflows.StatusSucceeded}, w.shown)
}
