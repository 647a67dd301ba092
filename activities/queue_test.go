package activities_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/activities"
	"github.com/posthorn/posthorn/models"
)

// testWorkflow is the workflow that the test environment's activities work for.
const testWorkflow = "default-test-workflow-id"

// line puts invocations into one FIFO queue, the first at its head, as package store does: settling the head releases
// the next. Each is granted when it is asked for, under the policy.
func (w *world) line(policy models.RetryPolicy, ids ...string) {
	for _, id := range ids {
		gate := granted(id, id, policy)
		gate.Claim.OrderingKey = "queue"
		w.gates[id] = []models.Gate{gate}
	}
	w.outcome = func(s models.Settlement, settled *models.Settled) {
		if len(ids) == 0 || s.Claim.InvocationID != ids[0] || s.Status == "" || s.Status.Open() {
			return
		}
		ids = ids[1:]
		switch {
		case len(ids) == 0:
		case s.Workflow == "":
			settled.Released = true
		default:
			settled.Next = ids[0]
			if s.Owner != "" {
				gate := w.take(ids[0])
				settled.Gate = &gate
			}
		}
	}
}

// failing answers 503 to the claims with these tokens.
func failing(tokens ...string) func(*models.Claim) models.Result {
	return func(claim *models.Claim) models.Result {
		if slices.Contains(tokens, claim.Token) {
			return unavailable(claim)
		}
		return slowly(0)(claim)
	}
}

// draw runs FirstAttempts as an activity, in a synctest bubble.
func (w *world) draw(t *testing.T, ids ...string) (result activities.FirstAttemptsResult, took time.Duration) {
	t.Helper()
	started := time.Now()
	env := environment()
	env.RegisterActivity(w.FirstAttempts)
	value, err := env.ExecuteActivity(w.FirstAttempts, activities.FirstAttemptsInput{Invocations: ids})
	require.NoError(t, err)
	require.NoError(t, value.Get(&result))
	return result, time.Since(started)
}

func TestHeadDrawsItsQueueUntilOneFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.line(every(time.Hour, 2), "a", "b", "c", "d", "e")
		w.answer = failing("d")

		result, _ := w.draw(t, "a")

		require.Equal(t, activities.FirstAttemptsResult{Open: []string{"d"}}, result)
		require.Equal(t, []string{"a", "b", "c", "d"}, w.sent)
		for _, s := range w.settled {
			require.Equal(t, []string{testWorkflow, "owner"}, []string{s.Workflow, s.Owner})
		}
		require.Len(t, w.observed, 4)
		require.Zero(t, w.woken)
	})
}

func TestHeadDrawsItsQueueToTheEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.line(every(time.Hour, 2), "a", "b", "c")

		result, _ := w.draw(t, "a")

		require.Zero(t, result)
		require.Equal(t, []string{"a", "b", "c"}, w.sent)
	})
}

func TestQueueIsDrawnForASecondAtATime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.line(every(time.Hour, 2), "a", "b", "c", "d", "e", "f")
		w.answer = slowly(300*time.Millisecond, "a", "b", "c", "d", "e")

		result, took := w.draw(t, "a")

		require.Equal(t, activities.FirstAttemptsResult{Next: []string{"e"}}, result)
		require.Equal(t, 1200*time.Millisecond, took)
		last := w.settled[len(w.settled)-1]
		require.Equal(t, []string{testWorkflow, ""}, []string{last.Workflow, last.Owner}, "nobody claims for a call that is over")

		result, _ = w.draw(t, "e")
		require.Zero(t, result)
		require.Equal(t, []string{"a", "b", "c", "d", "e", "f"}, w.sent)
	})
}

func TestSlowReceiverInAQueueIsWaitedForHalfASecond(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.line(every(time.Hour, 2), "b", "a", "c") // "a" is what the activity after it is for
		w.answer = func(claim *models.Claim) models.Result {
			slowly(300*time.Millisecond, "b")(claim)
			return slowly(20*time.Second, "a")(claim)
		}

		result, took := w.draw(t, "b")
		require.Equal(t, activities.FirstAttemptsResult{Open: []string{"a"}}, result)
		require.Equal(t, 800*time.Millisecond, took, "its half second begins with its own request")

		status, err := w.attempt()
		require.NoError(t, err)
		require.Equal(t, activities.AttemptResult{Status: models.StatusSucceeded, Next: "c"}, status)
		require.Equal(t, []string{"b", "a"}, w.sent)
	})
}

func TestQueueWhoseNextIsRefusedIsLeftToIt(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		gate models.Gate
		want activities.FirstAttemptsResult
	}{
		"parked":  {models.Gate{Verdict: models.VerdictParked}, activities.FirstAttemptsResult{Parked: []string{"b"}}},
		"not due": {models.Gate{Verdict: models.VerdictNotDue, Wait: time.Hour}, activities.FirstAttemptsResult{Open: []string{"b"}}},
		"held":    {models.Gate{Verdict: models.VerdictHeld, Wait: time.Second}, activities.FirstAttemptsResult{Open: []string{"b"}}},
		"closed": {
			models.Gate{Verdict: models.VerdictClosed, Status: models.StatusCancelled},
			activities.FirstAttemptsResult{Cancelled: []string{"b"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld()
				w.line(every(time.Hour, 2), "a", "b")
				test.gate.InvocationID = "b"
				w.gates["b"] = []models.Gate{test.gate}

				result, _ := w.draw(t, "a")

				require.Equal(t, test.want, result)
				require.Equal(t, []string{"a"}, w.sent)
			})
		})
	}
}

func TestUsedUpHeadDrawsItsQueueToo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.line(every(time.Hour, 1), "a", "b", "c")
		w.answer = failing("a", "b")

		result, _ := w.draw(t, "a")

		require.Equal(t, activities.FirstAttemptsResult{Failed: []string{"a", "b"}}, result)
		require.Equal(t, []string{"a", "b", "c"}, w.sent)
	})
}

func TestGateNamesTheHeadToAWorkflowThatLostAnAnswer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		over := closed("a", models.StatusSucceeded)
		over.Next = "b"
		w.gates["a"] = []models.Gate{over}

		result, _ := w.draw(t, "a")
		require.Equal(t, activities.FirstAttemptsResult{Next: []string{"b"}}, result)
		status, err := w.attempt()
		require.NoError(t, err)
		require.Equal(t, activities.AttemptResult{Status: models.StatusSucceeded, Next: "b"}, status)
	})
}

func TestAttemptLeavesTheNextToItsWorkflow(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.line(every(time.Hour, 2), "a", "b")

	status, err := w.attempt()

	require.NoError(t, err)
	require.Equal(t, activities.AttemptResult{Status: models.StatusSucceeded, Next: "b"}, status)
	require.Equal(t, []string{testWorkflow, ""}, []string{w.settled[0].Workflow, w.settled[0].Owner})
	require.Equal(t, []string{"a"}, w.sent)
}

func TestUsedUpAttemptLeavesTheNextToTheDispatcherAndWakesIt(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.line(every(time.Hour, 1), "a", "b")
	w.answer = unavailable

	_, err := w.attempt()

	require.Equal(t, activities.ErrorTypeExhausted, failureOf(t, err).Type())
	require.Empty(t, w.settled[0].Workflow)
	require.Equal(t, 1, w.woken)
}

// The flight was launched by FirstAttempts, and its settlement claimed the next; the error of a used-up policy would
// drop it.
func TestNextOfAQueueIsNotLostWhenAFlightOfTheFirstAttemptsIsUsedUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.line(every(time.Hour, 1), "a", "b")
		w.answer = func(claim *models.Claim) models.Result {
			slowly(700*time.Millisecond, "a")(claim)
			slowly(time.Minute, "b")(claim)
			return unavailable(claim)
		}
		result, _ := w.draw(t, "a")
		require.Equal(t, []string{"a"}, result.Open)

		status, err := w.attempt()

		require.NoError(t, err)
		require.Equal(t, activities.AttemptResult{Status: models.StatusFailed, Next: "b"}, status)
		require.NoError(t, w.Drain(t.Context()))
	})
}

func TestRedeliveredHeadLeavesTheNextToItsWorkflow(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		answer func(*models.Claim) models.Result
		want   activities.RedeliverResult
	}{
		"delivered": {nil, activities.RedeliverResult{Succeeded: true, Next: "b"}},
		"failed":    {unavailable, activities.RedeliverResult{Message: "attempt 1: HTTP 503"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld()
			w.line(every(time.Hour, 2), "a", "b")
			gate := redelivery()
			gate.Claim.OrderingKey = "queue"
			w.gates["c"] = []models.Gate{gate}
			w.answer = test.answer

			result, err := w.redeliver()

			require.NoError(t, err)
			require.Equal(t, test.want, result)
			require.Equal(t, []string{testWorkflow, ""}, []string{w.settled[0].Workflow, w.settled[0].Owner})
		})
	}
}

func TestUnorderedAttemptCarriesNothingOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.gates["a"] = []models.Gate{granted("a", "a1", every(time.Hour, 2))}

		w.draw(t, "a")

		require.Equal(t, []string{"", ""}, []string{w.settled[0].Workflow, w.settled[0].Owner})
	})
}

// A newer event was delivered while the attempt was in flight: what the database says counts, not what the policy says.
func TestOvertakenAttemptIsNotRepeated(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.gates["a"] = []models.Gate{granted("a", "a1", every(time.Hour, 9))}
		w.answer = unavailable
		w.outcome = func(_ models.Settlement, settled *models.Settled) { settled.Status = models.StatusAbandoned }

		result, _ := w.draw(t, "a")
		require.Equal(t, activities.FirstAttemptsResult{Cancelled: []string{"a"}}, result)
		require.Equal(t, models.StatusAbandoned, w.observed[0].Status)
		require.Nil(t, w.observed[0].NextAttemptAt)

		status, err := w.attempt()
		require.NoError(t, err)
		require.Equal(t, activities.AttemptResult{Status: models.StatusAbandoned}, status)
	})
}
