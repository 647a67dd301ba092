package workflows_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/models"
	"github.com/posthorn/posthorn/profiles"
	"github.com/posthorn/posthorn/workflows"
)

// policyOf is the retry policy of a built-in profile, in its real hours.
func policyOf(t *testing.T, name string) models.RetryPolicy {
	t.Helper()
	registry, err := profiles.New("")
	require.NoError(t, err)
	profile, known := registry.Get(name)
	require.True(t, known)
	return profile.Retry
}

func TestBRI19_BRI20_BridgeDoublesFromAMinuteAndGivesUpAfter34Hours7Minutes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add("a", policyOf(t, "bridge"), unavailable)

	w.deliver("a")

	starts := w.starts("a")
	require.Len(t, starts, 12)
	for n := 1; n < len(starts); n++ {
		require.Equal(t, time.Minute<<(n-1), starts[n]-starts[n-1], "the delay before retry %d", n)
	}
	require.Equal(t, 34*time.Hour+7*time.Minute, starts[11])
	require.Equal(t, models.StatusFailed, w.gate.read("a").status)
	require.Equal(t, starts[11], w.endedAfter, "the workflow is over: nothing is left that could send")
	require.Equal(t, 12, w.receiver.requests("a"))
}

func TestBRI19_NoBridgeAttemptStartsAfter48Hours(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add("a", policyOf(t, "bridge"), func(c *models.Claim) models.Result {
		result := unavailable(c)
		result.RetryAfter = 10 * time.Hour // each is postponed, as by an outage of ours
		return result
	})

	w.deliver("a")

	starts := w.starts("a")
	require.LessOrEqual(t, starts[len(starts)-1], 48*time.Hour)
	require.GreaterOrEqual(t, starts[len(starts)-1], 24*time.Hour)
	require.Equal(t, models.StatusFailed, w.gate.read("a").status)
}

func TestTHR16_ThreddDoublesFromAMinuteToAnHourAndGivesUpAfter4Hours3Minutes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add("a", policyOf(t, "thredd"), unavailable)

	w.deliver("a")

	starts := w.starts("a")
	require.Len(t, starts, 10)
	for n := 1; n < len(starts); n++ {
		require.Equal(t, min(time.Hour, time.Minute<<(n-1)), starts[n]-starts[n-1], "the delay before retry %d", n)
	}
	require.Equal(t, 4*time.Hour+3*time.Minute, starts[9])
	require.Equal(t, models.StatusFailed, w.gate.read("a").status)
	require.Equal(t, starts[9], w.endedAfter, "the workflow is over: nothing is left that could send")
	require.Equal(t, 10, w.receiver.requests("a"))
}

// A fraud alert that nobody confirms is closed by itself after three days.
func TestTHR21_AnEventDueInThreeDaysFiresThen(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add("a", policyOf(t, "thredd"), ok)
	w.gate.rows["a"].next = w.start.Add(72 * time.Hour)

	w.deliver("a")

	require.Equal(t, []time.Duration{72 * time.Hour}, w.starts("a"))
	require.Equal(t, workflows.StatusSucceeded, w.status())
}

func TestTHR21_AnEventDueInThreeDaysNeverFiresWhenItIsCancelledBefore(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add("a", policyOf(t, "thredd"), ok)
	w.gate.rows["a"].next = w.start.Add(72 * time.Hour)
	w.after(71*time.Hour, func() { w.cancel("a") })

	w.deliver("a")

	require.Zero(t, w.receiver.requests("a"))
	require.Equal(t, 71*time.Hour, w.endedAfter)
	require.Equal(t, workflows.StatusCancelled, w.status())
}
