package activities_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/activities"
	"github.com/posthorn/posthorn/models"
)

// firstAttempts runs the activity in a synctest bubble, so that the time it took is exact.
func firstAttempts(t *testing.T, w *world, ids ...string) (*activities.FirstAttemptsResult, time.Duration) {
	t.Helper()
	started := time.Now()
	result, err := w.FirstAttempts(t.Context(), activities.FirstAttemptsInput{Invocations: ids})
	require.NoError(t, err)
	return result, time.Since(started)
}

func TestFirstAttemptsReturnWhenAllHaveAnswered(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.gates["a"] = []models.Gate{granted("a", "a1", every(time.Hour, 2))}
		w.gates["b"] = []models.Gate{granted("b", "b1", every(time.Hour, 2))}
		w.answer = slowly(120*time.Millisecond, "a1")

		result, took := firstAttempts(t, w, "a", "b")

		require.Equal(t, 120*time.Millisecond, took, "both at once")
		require.Equal(t, &activities.FirstAttemptsResult{}, result, "nothing but successes leaves nothing to say")
		require.Len(t, w.settled, 2)
		require.Len(t, w.observed, 2)
	})
}

func TestFirstAttemptsLeaveAHangingReceiverAfterHalfASecond(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.gates["slow"] = []models.Gate{granted("slow", "s1", every(time.Hour, 2))}
		w.gates["quick"] = []models.Gate{granted("quick", "q1", every(time.Hour, 2))}
		w.answer = slowly(20*time.Second, "s1")

		result, took := firstAttempts(t, w, "slow", "quick")

		require.Equal(t, 500*time.Millisecond, took)
		require.Equal(t, []string{"slow"}, result.Open)
		require.Len(t, w.settled, 1)
		require.NoError(t, w.Drain(t.Context()))
		require.Len(t, w.settled, 2, "the request went on")
	})
}

func TestFirstAttemptsReturnWhenTheFirstRetryIsDue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.gates["slow"] = []models.Gate{granted("slow", "s1", every(time.Hour, 2))}
		w.gates["later"] = []models.Gate{granted("later", "l1", every(200*time.Millisecond, 2))}
		w.gates["quick"] = []models.Gate{granted("quick", "q1", every(20*time.Millisecond, 2))}
		w.answer = func(claim *models.Claim) models.Result {
			if claim.Token == "s1" {
				<-time.After(20 * time.Second)
			}
			return unavailable(claim)
		}

		result, took := firstAttempts(t, w, "slow", "later", "quick")

		require.Equal(t, 20*time.Millisecond, took, "whatever the one that hangs is waited for with")
		require.ElementsMatch(t, []string{"slow", "later", "quick"}, result.Open)
		require.NoError(t, w.Drain(t.Context()))
	})
}

func TestFirstAttemptsSayWhatBecameOfEach(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.gates["delivered"] = []models.Gate{granted("delivered", "d1", every(time.Hour, 2))}
		w.gates["retrying"] = []models.Gate{granted("retrying", "r1", every(time.Hour, 2))}
		w.gates["used up"] = []models.Gate{granted("used up", "u1", every(time.Hour, 1))}
		w.gates["not due"] = []models.Gate{{InvocationID: "not due", Verdict: models.VerdictNotDue, Wait: time.Hour}}
		w.gates["held"] = []models.Gate{{InvocationID: "held", Verdict: models.VerdictHeld, Wait: time.Second}}
		w.gates["parked"] = []models.Gate{{InvocationID: "parked", Verdict: models.VerdictParked}}
		for _, status := range []models.InvocationStatus{
			models.StatusSucceeded, models.StatusFailed, models.StatusCancelled, models.StatusAbandoned,
		} {
			w.gates[string(status)] = []models.Gate{closed(string(status), status)}
		}
		w.answer = func(claim *models.Claim) models.Result {
			if claim.Token == "d1" {
				return slowly(0)(claim)
			}
			return unavailable(claim)
		}

		result, _ := firstAttempts(t, w, "delivered", "retrying", "used up", "not due", "held", "parked", "erased",
			"succeeded", "failed", "cancelled", "abandoned")

		require.ElementsMatch(t, []string{"retrying", "not due", "held"}, result.Open)
		require.Equal(t, []string{"parked"}, result.Parked)
		require.ElementsMatch(t, []string{"used up", "failed"}, result.Failed)
		require.ElementsMatch(t, []string{"erased", "cancelled", "abandoned"}, result.Cancelled)
	})
}

func TestFirstAttemptWhoseClaimWasLostStaysOpen(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.gates["a"] = []models.Gate{granted("a", "a1", every(time.Hour, 2))}
		w.lost["a1"] = true

		result, _ := firstAttempts(t, w, "a")

		require.Equal(t, []string{"a"}, result.Open, "only the gate knows what became of it")
	})
}

func TestFirstAttemptsSendNothingWithoutTheGate(t *testing.T) {
	t.Parallel()
	w := newWorld()
	outage := errors.New("no connection")
	w.claimErrors = []error{outage}

	_, err := w.FirstAttempts(t.Context(), activities.FirstAttemptsInput{Invocations: []string{"a"}})

	require.ErrorIs(t, err, outage)
	require.Empty(t, w.sent)
}

func TestFirstAttemptsThatAreCutOffLeaveTheirRequestsInFlight(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.gates["a"] = []models.Gate{granted("a", "a1", every(time.Hour, 2))}
		w.answer = slowly(time.Minute, "a1")
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()

		result, err := w.FirstAttempts(ctx, activities.FirstAttemptsInput{Invocations: []string{"a"}})

		require.NoError(t, err)
		require.Equal(t, []string{"a"}, result.Open)
		require.NoError(t, w.Drain(t.Context()))
		require.Len(t, w.settled, 1)
		require.Equal(t, models.StatusSucceeded, w.settled[0].Status)
	})
}

func TestGateThatReleasedSomethingWakesTheDispatcher(t *testing.T) {
	t.Parallel()
	for _, released := range []bool{false, true} {
		w := newWorld()
		gate := closed("a", models.StatusCancelled)
		gate.Released = released
		w.gates["a"] = []models.Gate{gate}
		firstAttempts(t, w, "a")
		_, err := w.attempt()
		require.NoError(t, err)
		want := 0
		if released {
			want = 2
		}
		require.Equal(t, want, w.woken)
	}
}

func TestOpenOnesAreNamedWithTheirSubscriptions(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		slow, failed, delivered := granted("a", "a1", every(time.Hour, 2)), granted("b", "b1", every(time.Hour, 2)), granted("c", "c1", every(time.Hour, 2))
		slow.Claim.SubscriptionID, failed.Claim.SubscriptionID, delivered.Claim.SubscriptionID = "sub a", "sub b", "sub c"
		w.gates["a"], w.gates["b"], w.gates["c"] = []models.Gate{slow}, []models.Gate{failed}, []models.Gate{delivered}
		w.gates["d"] = []models.Gate{{InvocationID: "d", SubscriptionID: "sub d", Verdict: models.VerdictHeld, Wait: time.Second}}
		w.answer = func(c *models.Claim) models.Result {
			switch c.InvocationID {
			case "a":
				<-time.After(time.Minute)
			case "b":
				return unavailable(c)
			}
			return models.Result{Outcome: models.AttemptSucceeded, StatusCode: 200}
		}

		result, _ := firstAttempts(t, w, "a", "b", "c", "d")

		require.Equal(t, map[string]string{"a": "sub a", "b": "sub b", "d": "sub d"}, result.Subscriptions)
		require.NoError(t, w.Drain(t.Context()))
	})
}
