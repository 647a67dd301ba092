package activities_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"github.com/posthorn/posthorn/activities"
	"github.com/posthorn/posthorn/models"
)

func failureOf(t *testing.T, err error) *temporal.ApplicationError {
	t.Helper()
	var failure *temporal.ApplicationError
	require.ErrorAs(t, err, &failure)
	require.Equal(t, temporal.ApplicationErrorCategoryBenign, failure.Category(), "a receiver's failure is no fault of ours")
	return failure
}

func TestFailedAttemptComesBackWhenThePolicySays(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.gates["a"] = []models.Gate{granted("a", "a1", every(time.Hour, 3))}
		w.answer = unavailable

		_, err := w.attempt()

		failure := failureOf(t, err)
		require.Equal(t, activities.ErrorTypeFailed, failure.Type())
		require.Equal(t, time.Hour, failure.NextRetryDelay())
		require.False(t, failure.NonRetryable())
		require.Equal(t, "attempt 1: HTTP 503", failure.Message())
	})
}

func TestLastAttemptIsNotRetried(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.gates["a"] = []models.Gate{granted("a", "a1", every(time.Hour, 1))}
	w.answer = unavailable

	_, err := w.attempt()

	failure := failureOf(t, err)
	require.Equal(t, activities.ErrorTypeExhausted, failure.Type())
	require.True(t, failure.NonRetryable())
}

func TestGateThatSaysLaterIsAskedLater(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		gate    models.Gate
		delay   time.Duration
		message string
	}{
		{"not due", models.Gate{Verdict: models.VerdictNotDue, Wait: 36 * time.Hour}, 36 * time.Hour, "not due yet"},
		{"retry not due", models.Gate{Verdict: models.VerdictNotDue, Wait: time.Minute, LastError: "HTTP 500"}, time.Minute, "HTTP 500"},
		{"held", models.Gate{Verdict: models.VerdictHeld, Wait: time.Second}, time.Second, "not due yet"},
		{"due by now", models.Gate{Verdict: models.VerdictNotDue, Wait: -time.Second}, time.Millisecond, "not due yet"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld()
			w.gates["a"] = []models.Gate{test.gate}

			_, err := w.attempt()

			failure := failureOf(t, err)
			require.Equal(t, test.delay, failure.NextRetryDelay())
			require.Equal(t, test.message, failure.Message())
			require.Empty(t, w.sent)
		})
	}
}

func TestAttemptEndsWithTheInvocationsStatus(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		gates []models.Gate
		want  activities.AttemptResult
	}{
		"delivered": {
			[]models.Gate{granted("a", "a1", every(time.Hour, 1))},
			activities.AttemptResult{Status: models.StatusSucceeded},
		},
		"closed": {
			[]models.Gate{closed("a", models.StatusAbandoned)},
			activities.AttemptResult{Status: models.StatusAbandoned},
		},
		"parked": {
			[]models.Gate{{InvocationID: "a", Verdict: models.VerdictParked, Status: models.StatusRetrying}},
			activities.AttemptResult{Status: models.StatusRetrying, Parked: true},
		},
		"erased": {nil, activities.AttemptResult{Status: models.StatusCancelled}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld()
			w.gates["a"] = test.gates

			status, err := w.attempt()

			require.NoError(t, err)
			require.Equal(t, test.want, status)
		})
	}
}

func TestDatabaseErrorIsLeftToTemporalsRetries(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.claimErrors = []error{errors.New("no connection"), errors.New("no connection")}

	_, err := w.attempt()
	var failure *temporal.ApplicationError
	require.ErrorAs(t, err, &failure)
	require.False(t, failure.NonRetryable())
	require.Zero(t, failure.NextRetryDelay(), "by the activity's own policy")

	_, err = w.redeliver()
	require.ErrorAs(t, err, &failure)
	require.False(t, failure.NonRetryable())
}

func TestAttemptWhoseClaimWasLostAsksTheGateAgain(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.gates["a"] = []models.Gate{granted("a", "a1", every(time.Hour, 2)), closed("a", models.StatusSucceeded)}
	w.lost["a1"] = true
	w.answer = unavailable

	status, err := w.attempt()

	require.NoError(t, err)
	require.Equal(t, models.StatusSucceeded, status.Status, "another worker took it over")
	require.Equal(t, 2, w.asked)
	require.Len(t, w.sent, 1)
}

func TestSettlingIsTriedUntilTheDatabaseTakesIt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.gates["a"] = []models.Gate{granted("a", "a1", every(time.Hour, 2))}
		for range 10 {
			w.settleErrors = append(w.settleErrors, errors.New("no connection"))
		}
		started := time.Now()

		status, err := w.attempt()

		require.NoError(t, err)
		require.Equal(t, models.StatusSucceeded, status.Status)
		require.Len(t, w.sent, 1)
		require.Len(t, w.settled, 1)
		// 50, 100, …, 1600 ms, then 2 s each
		require.Equal(t, 3150*time.Millisecond+4*2*time.Second, time.Since(started))
	})
}
