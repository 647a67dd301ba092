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

func TestALV21_ALV22_TheWaitsGrowWithTheSquareUpToTwoMinutes(t *testing.T) {
	t.Parallel()
	const retries = 200
	w := newWorld(t)
	w.add("a", policyOf(t, "alviere"), okAfter(retries))

	w.deliver("a")

	starts := w.starts("a")
	require.Len(t, starts, retries+1)
	for n := 1; n <= retries; n++ {
		want := min(120*time.Second, time.Duration(n*n)*20*time.Millisecond)
		require.Equal(t, want, starts[n]-starts[n-1], "retry %d", n)
	}
}

func TestALV23_AfterFiveThousandFailuresItStillRetriesAndThenDelivers(t *testing.T) {
	t.Parallel()
	const failures = 5000
	w := newWorld(t)
	w.add("a", policyOf(t, "alviere"), okAfter(failures))
	var during models.InvocationStatus
	w.after(6*24*time.Hour, func() { during = w.gate.read("a").status })

	w.deliver("a")

	starts := w.starts("a")
	require.Len(t, starts, failures+1)
	require.Greater(t, starts[failures], 6*24*time.Hour)
	require.Equal(t, models.StatusRetrying, during)
	require.Equal(t, models.StatusSucceeded, w.gate.read("a").status)
	require.Equal(t, []string{workflows.ActivityFirstAttempts, workflows.ActivityAttempt}, w.scheduled,
		"the history does not grow with the attempts")
}

func TestARI5_AfterAThousandFailuresItStillRetriesAndThenDelivers(t *testing.T) {
	t.Parallel()
	const failures = 1000
	w := newWorld(t)
	w.add("a", policyOf(t, "aria"), okAfter(failures))
	var during row
	w.after(40*24*time.Hour, func() { during = w.gate.read("a") })

	w.deliver("a")

	starts := w.starts("a")
	require.Len(t, starts, failures+1)
	for n := 1; n <= failures; n++ {
		require.Equal(t, min(time.Hour, 10*time.Second<<min(n-1, 10)), starts[n]-starts[n-1], "retry %d", n)
	}
	require.Greater(t, starts[failures], 40*24*time.Hour)
	require.Equal(t, models.StatusRetrying, during.status)
	require.True(t, during.next.After(w.start.Add(40*24*time.Hour)), "the next attempt is scheduled")
	require.Equal(t, models.StatusSucceeded, w.gate.read("a").status)
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
	require.Equal(t, 3*time.Second, options.HeartbeatTimeout)
	require.Zero(t, options.ScheduleToCloseTimeout)
}
