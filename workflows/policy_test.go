package workflows_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"github.com/posthorn/posthorn/models"
	"github.com/posthorn/posthorn/workflows"
)

func TestDeliveredAtTheFirstTryNeedsOneLocalActivity(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add("a", hourly(3), ok)

	w.deliver("a")

	require.Equal(t, models.StatusSucceeded, w.gate.read("a").status)
	require.Equal(t, []string{workflows.ActivityFirstAttempts}, w.scheduled)
	require.Equal(t, []string{workflows.StatusSucceeded}, w.shown)
}

func TestHourlyPolicyMakesItsLastAttemptAfter72Hours(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add("a", hourly(73), unavailable)

	w.deliver("a")

	require.Equal(t, models.StatusFailed, w.gate.read("a").status)
	starts := w.starts("a")
	require.Len(t, starts, 73)
	for i, start := range starts {
		require.Equal(t, time.Duration(i)*time.Hour, start)
	}
	require.Equal(t, 1, w.activities(workflows.ActivityAttempt), "one activity for the whole policy")
	require.Equal(t, []string{workflows.StatusRetrying, workflows.StatusFailed}, w.shown)
}

func TestExponentialPolicyDoublesUntilItsTwelfthAttempt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add("a", models.RetryPolicy{
		Kind: models.RetryExponential, Initial: models.Duration(time.Minute), Factor: 2, MaxAttempts: 12,
	}, unavailable)

	w.deliver("a")

	starts := w.starts("a")
	require.Len(t, starts, 12)
	for i, start := range starts {
		require.Equal(t, time.Minute*(1<<i-1), start)
	}
	require.Equal(t, models.StatusFailed, w.gate.read("a").status)
}

func TestPolynomialPolicyDeliversAfterFiveThousandFailures(t *testing.T) {
	t.Parallel()
	const failures = 5000
	w := newWorld(t)
	policy := models.RetryPolicy{
		Kind: models.RetryPolynomial, Initial: models.Duration(20 * time.Millisecond), Degree: 2,
		MaxInterval: models.Duration(2 * time.Minute),
	}
	w.add("a", policy, okAfter(failures))

	w.deliver("a")

	starts := w.starts("a")
	require.Len(t, starts, failures+1)
	due := time.Duration(0)
	for n, start := range starts {
		require.Equal(t, due, start, "attempt %d", n+1)
		due += min(20*time.Millisecond*time.Duration((n+1)*(n+1)), 2*time.Minute)
	}
	require.Equal(t, models.StatusSucceeded, w.gate.read("a").status)
	require.Equal(t, []string{workflows.ActivityFirstAttempts, workflows.ActivityAttempt}, w.scheduled)
}

func TestScheduleIsExhaustedAfterItsLastDelay(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add("a", models.RetryPolicy{Kind: models.RetrySchedule, Delays: []models.Duration{
		models.Duration(5 * time.Second), models.Duration(5 * time.Minute), models.Duration(30 * time.Minute),
	}}, unavailable)

	w.deliver("a")

	require.Equal(t, []time.Duration{
		0, 5 * time.Second, 5*time.Minute + 5*time.Second, 35*time.Minute + 5*time.Second,
	}, w.starts("a"))
	require.Equal(t, models.StatusFailed, w.gate.read("a").status)
}

func TestNoAttemptStartsAfterTheMaximumAge(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	policy := hourly(0)
	policy.MaxAge = models.Duration(3 * time.Hour)
	w.add("a", policy, unavailable)

	w.deliver("a")

	require.Equal(t, []time.Duration{0, time.Hour, 2 * time.Hour, 3 * time.Hour}, w.starts("a"))
	require.Equal(t, workflows.StatusFailed, w.status())
}

func TestReceiverMayPostponeTheNextAttempt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add("a", hourly(3), func(c *models.Claim) models.Result {
		result := okAfter(2)(c)
		if c.Number == 1 {
			result.RetryAfter = 90 * time.Minute
		}
		return result
	})

	w.deliver("a")

	require.Equal(t, []time.Duration{0, 90 * time.Minute, 150 * time.Minute}, w.starts("a"))
	require.Equal(t, workflows.StatusSucceeded, w.status())
}

// The policy's own delays come from the gate; were they mirrored here, a killed attempt would wait for an hour.
func TestActivitiesRetryOurOwnFaultsEachSecondAndForEver(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add("a", hourly(2), okAfter(1))

	w.deliver("a")

	require.Len(t, w.options, 1)
	options := w.options[0]
	require.Equal(t, &temporal.RetryPolicy{InitialInterval: time.Second, BackoffCoefficient: 1}, options.RetryPolicy)
	require.Equal(t, 65*time.Second, options.StartToCloseTimeout)
	require.Equal(t, 4*time.Second, options.HeartbeatTimeout)
	require.Zero(t, options.ScheduleToCloseTimeout)
}
