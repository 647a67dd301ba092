package storetest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/models"
)

func stats(t *testing.T, w *world) {
	t.Helper()

	t.Run("of a new subscription are empty", func(t *testing.T) {
		sub := w.subscription(t, w.application(t))
		got, err := w.SubscriptionStats(t.Context(), sub.ID)
		require.NoError(t, err)
		require.Empty(t, got.Counts)
		require.Nil(t, got.OldestOpen)
		require.Empty(t, got.LatenciesMS)
	})

	t.Run("count by status and sort latencies", func(t *testing.T) {
		app := w.application(t)
		sub, other := w.subscription(t, app), w.subscription(t, app)
		owner := w.worker(t)
		for _, took := range []time.Duration{30 * time.Millisecond, 10 * time.Millisecond, 20 * time.Millisecond} {
			c := w.claim(t, owner, w.fire(t, app, sub))
			r := w.took(took)
			r.Outcome, r.StatusCode = models.AttemptSucceeded, 200
			w.end(t, c, r)
		}
		w.settled(t, app, other, models.StatusSucceeded)
		oldest := w.now()
		w.fire(t, app, sub)
		w.clock.Advance(time.Second)
		w.settled(t, app, sub, models.StatusRetrying)
		w.settled(t, app, sub, models.StatusCancelled)

		got, err := w.SubscriptionStats(t.Context(), sub.ID)
		require.NoError(t, err)
		require.Equal(t, map[models.InvocationStatus]int{
			models.StatusSucceeded: 3, models.StatusPending: 1, models.StatusRetrying: 1, models.StatusCancelled: 1,
		}, got.Counts)
		require.Equal(t, &oldest, got.OldestOpen)
		require.Equal(t, []int64{10, 20, 30, 1000}, got.LatenciesMS)
	})

	t.Run("an attempt log comes in parts", func(t *testing.T) {
		_, _, id := w.fired(t)
		for range 5 {
			w.end(t, w.redeliver(t, w.worker(t), id), w.unreached())
		}
		all := w.attempts(t, id)
		require.Len(t, all, 5)
		for i := range all {
			require.Equal(t, i+1, all[i].Number)
		}
		part, err := w.AttemptsAfter(t.Context(), id, 2, 2)
		require.NoError(t, err)
		require.Equal(t, all[2:4], part)
		part, err = w.AttemptsAfter(t.Context(), id, 5, 2)
		require.NoError(t, err)
		require.Empty(t, part)
	})
}
