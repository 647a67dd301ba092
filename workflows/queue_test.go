package workflows_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"

	"github.com/posthorn/posthorn/activities"
	"github.com/posthorn/posthorn/models"
	"github.com/posthorn/posthorn/workflows"
)

// enqueue puts invocations into one FIFO queue, the first at its head.
func (g *gate) enqueue(ids ...string) {
	g.queue = ids
	for _, id := range ids {
		g.rows[id].queued = true
	}
}

// line adds invocations that are in one FIFO queue; the last is answered by the script, the others with success.
func (w *world) line(last script, ids ...string) {
	for _, id := range ids {
		w.add(id, hourly(2), ok)
	}
	w.receiver.scripts[ids[len(ids)-1]] = last
	w.gate.enqueue(ids...)
}

// slowly makes every request take so long on the activities' clock.
func slowly(acts *activities.Activities, d time.Duration, r *receiver) {
	var passed atomic.Int64
	now := acts.Now
	acts.Now = func() time.Time { return now().Add(time.Duration(passed.Load())) }
	for id, answer := range r.scripts {
		r.scripts[id] = func(c *models.Claim) models.Result {
			passed.Add(int64(d))
			return answer(c)
		}
	}
}

// queueAwaitPoints are the places where Deliver waits on its way through a FIFO queue.
func queueAwaitPoints() map[string]func(w *world, send func()) {
	return map[string]func(w *world, send func()){
		"between two of a queue": func(w *world, send func()) {
			w.line(ok, "a", "q1", "q2")
			w.receiver.scripts["q1"] = first(send, ok)
		},
		"between two calls for a queue": func(w *world, send func()) {
			w.line(ok, "a", "q1", "q2", "q3")
			w.receiver.scripts["q2"] = first(send, ok)
			slowly(w.acts, 600*time.Millisecond, w.receiver)
		},
		"while one that followed hangs": func(w *world, send func()) {
			release := make(chan struct{})
			w.line(hanging(release, ok), "a", "q1")
			w.after(700*time.Millisecond, func() { send(); close(release) })
		},
		"during the backoff of one that followed": func(w *world, send func()) {
			w.line(okAfter(1), "a", "q1")
			w.after(30*time.Minute, send)
		},
		"at the first attempt of the next after an attempt": func(w *world, send func()) {
			w.line(ok, "a", "q1", "q2")
			w.receiver.scripts["a"] = okAfter(1)
			w.receiver.scripts["q1"] = first(send, ok)
		},
		"in the task that goes on with the next after an attempt": func(w *world, send func()) {
			w.silently = true
			w.line(ok, "a", "q1")
			w.receiver.scripts["a"] = func(c *models.Claim) models.Result {
				if c.Number == 2 {
					send()
				}
				return okAfter(1)(c)
			}
		},
		"at the first attempt of the next after a redelivery": func(w *world, send func()) {
			w.line(ok, "a", "q1", "q2")
			w.receiver.scripts["a"] = okWhenRedelivered
			w.receiver.scripts["q1"] = first(send, ok)
			w.after(30*time.Minute, func() { w.redeliver("by-hand", "a") })
		},
	}
}

func TestQueueRunsInOneCallWhileItIsDelivered(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.line(ok, "a", "b", "c")

	w.deliver("a")

	require.Equal(t, []string{"a", "b", "c"}, w.receiver.sent)
	require.Equal(t, []string{workflows.ActivityFirstAttempts}, w.scheduled)
	require.Equal(t, []string{workflows.StatusSucceeded}, w.shown)
}

func TestQueueRunsInSeveralCallsWhenItIsLong(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.line(ok, "a", "b", "c", "d", "e")
	slowly(w.acts, 600*time.Millisecond, w.receiver)

	w.deliver("a")

	require.Equal(t, []string{"a", "b", "c", "d", "e"}, w.receiver.sent)
	require.Equal(t, 3, w.activities(workflows.ActivityFirstAttempts), "two a second")
	require.Len(t, w.scheduled, 3)
}

func TestLastOfARunThatFailsIsTriedAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.line(okAfter(1), "a", "b", "c")

	w.deliver("a")

	require.Equal(t, []time.Duration{0, time.Hour}, w.starts("c"))
	require.Equal(t, []string{workflows.ActivityFirstAttempts, workflows.ActivityAttempt}, w.scheduled)
	require.Equal(t, []string{workflows.StatusRetrying, workflows.StatusSucceeded}, w.shown)
}

func TestQueueGoesOnAfterItsHeadWasTriedAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.line(ok, "a", "b", "c")
	w.receiver.scripts["a"] = okAfter(1)

	w.deliver("a")

	require.Equal(t, []string{"a", "a", "b", "c"}, w.receiver.sent)
	require.Equal(t, []time.Duration{time.Hour}, w.starts("c"))
	require.Empty(t, w.gate.queue)
}

func TestQueueGoesOnAfterItsHeadWasRedelivered(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.line(okAfter(1), "a", "b")
	w.receiver.scripts["a"] = okWhenRedelivered
	w.after(time.Minute, func() { w.redeliver("c", "a") })

	w.deliver("a")

	require.Equal(t, []time.Duration{time.Minute, time.Hour + time.Minute}, w.starts("b"))
	require.Equal(t, workflows.StatusSucceeded, w.status())
}

// Its error has no room for the next, which the dispatcher brings to a workflow of its own.
func TestQueueIsTheDispatchersAfterItsHeadIsUsedUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.line(ok, "a", "b")
	w.receiver.scripts["a"] = unavailable

	w.deliver("a")

	require.Equal(t, []string{"a", "a"}, w.receiver.sent)
	require.Equal(t, workflows.StatusFailed, w.status())
	require.Equal(t, []string{"b"}, w.gate.queue)
}

func TestRunOfAQueueInWhichOneIsUsedUpIsShownAsFailed(t *testing.T) {
	t.Parallel()
	for _, used := range []string{"a", "b", "c"} {
		w := newWorld(t)
		w.line(ok, "a", "b", "c")
		w.add(used, hourly(1), unavailable)
		w.gate.rows[used].queued = true

		w.deliver("a")

		require.Equal(t, []string{"a", "b", "c"}, w.receiver.sent)
		require.Equal(t, workflows.StatusFailed, w.status(), used)
	}
}

// The worker ended after it had settled and before Temporal heard of it.
func TestQueueGoesOnWhenAnAnswerIsLost(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.line(ok, "a", "b", "c", "d")
	slowly(w.acts, 600*time.Millisecond, w.receiver)
	lost := false
	w.env.RegisterActivityWithOptions(
		func(ctx context.Context, in activities.FirstAttemptsInput) (*activities.FirstAttemptsResult, error) {
			result, err := w.acts.FirstAttempts(ctx, in)
			if !lost {
				lost = true
				return nil, errors.New("the worker ended")
			}
			return result, err
		}, activity.RegisterOptions{Name: workflows.ActivityFirstAttempts, DisableAlreadyRegisteredCheck: true})

	w.deliver("a")

	require.True(t, lost)
	require.Equal(t, []string{"a", "b", "c", "d"}, w.receiver.sent)
	require.Equal(t, workflows.StatusSucceeded, w.status())
}

func TestQueuedInvocationThatIsBroughtEarlyWaitsForItsTurn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.line(ok, "a", "b")
	w.receiver.scripts["a"] = okAfter(1)
	w.after(time.Minute, func() { w.bring("b") })

	w.deliver("a")

	require.Equal(t, []time.Duration{time.Hour}, w.starts("b"))
	require.Equal(t, workflows.StatusSucceeded, w.status())
}

func TestNextThatTheDispatcherBringsTooIsSentOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.line(ok, "a", "b")
	w.receiver.scripts["a"] = func(c *models.Claim) models.Result {
		if c.Number == 2 {
			w.bring("b")
		}
		return okAfter(1)(c)
	}

	w.deliver("a")

	require.Equal(t, []string{"a", "a", "b"}, w.receiver.sent)
	require.Equal(t, workflows.StatusSucceeded, w.status())
}

func TestContinueAsNewGoesOnWithTheQueue(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]script{"after an attempt": okAfter(1), "after a redelivery": okWhenRedelivered} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.line(ok, "a", "b", "c")
			w.receiver.scripts["a"] = func(c *models.Claim) models.Result {
				w.env.SetContinueAsNewSuggested(c.Number > 1)
				return answer(c)
			}
			w.after(30*time.Minute, func() {
				if name == "after a redelivery" {
					w.redeliver("c1", "a")
				}
			})

			next := w.continued(workflows.DeliverInput{Invocations: []string{"a"}})
			require.Equal(t, []string{"b"}, next.Invocations)
			require.Equal(t, []workflows.Ended{{Invocation: "a", Status: workflows.StatusSucceeded}}, next.Ended)

			w.renew(w.env.Now())
			w.run(next)
			require.Empty(t, w.gate.queue)
			require.Equal(t, 1, w.receiver.requests("b"))
			require.Equal(t, 1, w.receiver.requests("c"))
			require.Equal(t, workflows.StatusSucceeded, w.status())
		})
	}
}

// A queue that never ends would hand on more and more, until Temporal refuses the input.
func TestContinueAsNewForgetsWhatEndedLongAgo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add("open", hourly(3), okAfter(2))
	w.add("cancelled", hourly(73), unavailable)
	ended := []workflows.Ended{{Invocation: "old", Status: workflows.StatusFailed}}
	for i := range 1000 {
		ended = append(ended, workflows.Ended{Invocation: fmt.Sprint(i), Status: workflows.StatusSucceeded})
	}
	w.fill(30*time.Minute, func() { w.cancel("cancelled") })

	next := w.continued(workflows.DeliverInput{Invocations: []string{"open", "cancelled"}, Ended: ended})

	require.Equal(t, []string{"open"}, next.Invocations)
	require.Len(t, next.Ended, 101)
	require.Equal(t, ended[0], next.Ended[0], "the worst is remembered")
	require.Equal(t, ended[902:], next.Ended[1:100])
	require.Equal(t, workflows.Ended{Invocation: "cancelled", Status: workflows.StatusCancelled}, next.Ended[100])
}
