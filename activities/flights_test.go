package activities_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"

	"github.com/posthorn/posthorn/activities"
	"github.com/posthorn/posthorn/models"
)

func TestActivityJoinsTheAttemptInFlight(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.gates["a"] = []models.Gate{granted("a", "a1", every(time.Hour, 2))}
		w.answer = slowly(10*time.Second, "a1")
		started := time.Now()

		result, _ := firstAttempts(t, w, "a")
		require.Equal(t, []string{"a"}, result.Open)
		status, err := w.attempt()

		require.NoError(t, err)
		require.Equal(t, models.StatusSucceeded, status.Status)
		require.Len(t, w.sent, 1)
		require.Equal(t, 1, w.asked, "the gate is not asked again")
		require.Equal(t, 10*time.Second, time.Since(started))
	})
}

func TestRedeliveryWaitsForTheScheduledAttemptInFlight(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.gates["a"] = []models.Gate{granted("a", "scheduled", every(time.Hour, 2))}
		w.gates["c"] = []models.Gate{redelivery()}
		w.answer = slowly(10*time.Second, "scheduled")
		firstAttempts(t, w, "a")

		result, err := w.redeliver()

		require.NoError(t, err)
		require.Equal(t, activities.RedeliverResult{Succeeded: true}, result)
		require.Equal(t, []string{"scheduled", "c"}, w.sent)
		require.Len(t, w.settled, 2)
	})
}

func TestScheduledAttemptWaitsForTheRedeliveryInFlight(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.gates["c"] = []models.Gate{redelivery()}
		w.gates["a"] = []models.Gate{closed("a", models.StatusSucceeded)}
		w.answer = slowly(10*time.Second, "c")
		done := make(chan activities.RedeliverResult, 1)
		go func() {
			result, err := w.redeliver()
			if err == nil {
				done <- result
			}
			close(done)
		}()
		synctest.Wait()

		status, err := w.attempt()

		require.NoError(t, err)
		require.Equal(t, models.StatusSucceeded, status.Status)
		require.Equal(t, []string{"c"}, w.sent)
		require.True(t, (<-done).Succeeded)
	})
}

func TestScheduledAttemptIsNotEndedByARedeliveryThatFailed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.gates["c"] = []models.Gate{redelivery()}
		w.gates["a"] = []models.Gate{{InvocationID: "a", Verdict: models.VerdictNotDue, Wait: time.Minute}}
		w.answer = func(claim *models.Claim) models.Result {
			slowly(10*time.Second, "c")(claim)
			return unavailable(claim)
		}
		go func() { _, _ = w.redeliver() }()
		synctest.Wait()

		_, err := w.attempt()

		require.Equal(t, time.Minute, failureOf(t, err).NextRetryDelay())
	})
}

func TestRedeliveryEndsAfterItsOneAttempt(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		gate   models.Gate
		answer func(*models.Claim) models.Result
		want   activities.RedeliverResult
	}{
		"delivered":            {redelivery(), nil, activities.RedeliverResult{Succeeded: true}},
		"failed":               {redelivery(), unavailable, activities.RedeliverResult{Message: "attempt 1: HTTP 503"}},
		"carried out already":  {closed("a", models.StatusSucceeded), nil, activities.RedeliverResult{Succeeded: true}},
		"subscription deleted": {closed("a", models.StatusCancelled), nil, activities.RedeliverResult{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld()
			w.gates["c"] = []models.Gate{test.gate}
			w.answer = test.answer

			result, err := w.redeliver()

			require.NoError(t, err)
			require.Equal(t, test.want, result)
		})
	}
}

// The row is gone, with its application: trying again would go on for ever.
func TestRedeliveryOfAnErasedCommandEnds(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.claimErrors = []error{models.NotFound("command")}

	result, err := w.redeliver()

	require.NoError(t, err)
	require.Zero(t, result)
}

func TestRedeliveryComesBackWhileAnotherProcessSends(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.gates["c"] = []models.Gate{{InvocationID: "a", Verdict: models.VerdictHeld, Wait: 250 * time.Millisecond}}

	_, err := w.redeliver()

	require.Equal(t, 250*time.Millisecond, failureOf(t, err).NextRetryDelay())
}

func TestRedeliveryWhoseClaimWasLostAsksTheGateAgain(t *testing.T) {
	t.Parallel()
	w := newWorld()
	lost := redelivery()
	lost.Claim.Token = "lost"
	w.lost["lost"] = true
	w.gates["c"] = []models.Gate{lost, redelivery()}

	result, err := w.redeliver()

	require.NoError(t, err)
	require.True(t, result.Succeeded)
	require.Equal(t, []string{"lost", "c"}, w.sent)
}

// A process that was stopped for a while comes back to claims that others took over, while its requests hang on.
func TestLostFlightDoesNotHideTheOneThatFollows(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.gates["a"] = []models.Gate{granted("a", "lost", every(time.Hour, 2)), granted("a", "new", every(time.Hour, 2))}
		w.lost["lost"] = true
		w.answer = func(claim *models.Claim) models.Result {
			if claim.Token == "lost" {
				return slowly(2*time.Second, "lost")(claim)
			}
			return slowly(10*time.Second, "new")(claim)
		}
		firstAttempts(t, w, "a")
		firstAttempts(t, w, "a")
		<-time.After(5 * time.Second) // the lost one has landed

		status, err := w.attempt()

		require.NoError(t, err)
		require.Equal(t, models.StatusSucceeded, status.Status)
		require.Equal(t, 2, w.asked, "the attempt joined the one in flight")
	})
}

func TestCancelledActivityLeavesItsRequestInFlight(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.gates["a"] = []models.Gate{granted("a", "a1", every(time.Hour, 2))}
		w.answer = slowly(10*time.Second, "a1")
		ctx, cancel := context.WithCancel(t.Context())
		cancel()

		_, err := w.Attempt(ctx, activities.AttemptInput{Invocation: "a"})

		require.ErrorIs(t, err, context.Canceled)
		require.Empty(t, w.settled)
		require.NoError(t, w.Drain(t.Context()))
		require.Len(t, w.settled, 1)
	})
}

func TestRequestThatTakesLongShowsThatItsWorkerLives(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.gates["a"] = []models.Gate{granted("a", "a1", every(time.Hour, 2))}
		w.answer = slowly(30*time.Second, "a1")
		env := environment()
		env.RegisterActivity(w.Attempt)
		started := time.Now()
		var beats []time.Duration
		env.SetOnActivityHeartbeatListener(func(*activity.Info, converter.EncodedValues) {
			beats = append(beats, time.Since(started))
		})

		_, err := env.ExecuteActivity(w.Attempt, activities.AttemptInput{Invocation: "a"})

		require.NoError(t, err)
		require.NotEmpty(t, beats)
		require.Equal(t, time.Second, beats[0]) // the SDK sends the later ones in batches
	})
}

func TestDrainWaitsForWhatIsInFlightUntilItMustNot(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		require.NoError(t, w.Drain(t.Context()), "nothing is in flight")
		w.gates["a"] = []models.Gate{granted("a", "a1", every(time.Hour, 2))}
		w.answer = slowly(10*time.Second, "a1")
		firstAttempts(t, w, "a")
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()

		require.ErrorIs(t, w.Drain(ctx), context.DeadlineExceeded)
		require.Empty(t, w.settled)
		require.NoError(t, w.Drain(t.Context()))
		require.Len(t, w.settled, 1)
	})
}
