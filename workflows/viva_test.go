package workflows_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/models"
	"github.com/posthorn/posthorn/profiles"
	"github.com/posthorn/posthorn/workflows"
)

// vivaPolicy is the one that the built-in profile has.
func vivaPolicy(t *testing.T) models.RetryPolicy {
	t.Helper()
	registry, err := profiles.New("")
	require.NoError(t, err)
	p, ok := registry.Get("viva")
	require.True(t, ok)
	return p.Spec.Retry
}

func TestVIV24_VIV25_RetriesOncePerHour72Times(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add("a", vivaPolicy(t), unavailable)

	w.deliver("a")

	starts := w.starts("a")
	require.Len(t, starts, 73)
	for i, start := range starts {
		require.Equal(t, time.Duration(i)*time.Hour, start)
	}
	require.Equal(t, models.StatusFailed, w.gate.read("a").status)
	require.Equal(t, 72*time.Hour, w.endedAfter, "nothing follows")
}

func TestVIV25_A200OnRetry40IsTheLastAttempt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add("a", vivaPolicy(t), okAfter(40))

	w.deliver("a")

	require.Len(t, w.starts("a"), 41)
	require.Equal(t, 40*time.Hour, w.endedAfter)
	require.Equal(t, models.StatusSucceeded, w.gate.read("a").status)
}

func TestVIV21_NoRequestAnHourAfterARedeliveryThatSucceeded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add("a", vivaPolicy(t), okWhenRedelivered)
	w.after(10*time.Minute, func() { w.redeliver("c", "a") })

	w.deliver("a")

	require.Equal(t, []time.Duration{0, 10 * time.Minute}, w.starts("a"))
	require.Equal(t, 10*time.Minute, w.endedAfter)
	require.Equal(t, []string{workflows.StatusRetrying, workflows.StatusSucceeded}, w.shown)
}
