package storetest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/models"
)

func deleted(t *testing.T, w *world) {
	t.Helper()

	t.Run("closes what was open", func(t *testing.T) {
		app := w.application(t)
		sub, other := w.subscription(t, app), w.subscription(t, app)
		open := []string{
			w.fire(t, app, sub), w.settled(t, app, sub, models.StatusRetrying), w.settled(t, app, sub, models.StatusQueued),
		}
		done, untouched := w.settled(t, app, sub, models.StatusSucceeded), w.fire(t, app, other)
		require.NoError(t, w.DeleteSubscription(t.Context(), sub.ID))
		w.clock.Advance(time.Hour)
		for _, id := range open {
			row := w.invocation(t, id)
			require.Equal(t, []any{models.StatusCancelled, new(models.ReasonSubscriptionDeleted)}, []any{row.Status, row.Reason})
			require.Nil(t, row.NextAttemptAt)
			require.Nil(t, row.DispatchAfter)
			g := w.ask(t, w.worker(t), id)
			require.Equal(t, []any{models.VerdictClosed, models.StatusCancelled}, []any{g.Verdict, g.Status})
		}
		require.Equal(t, models.StatusSucceeded, w.invocation(t, done).Status)
		w.claim(t, w.worker(t), untouched)
	})

	t.Run("closes what was accepted while it was being deleted", func(t *testing.T) {
		app := w.application(t)
		sub := w.subscription(t, app)
		require.NoError(t, w.DeleteSubscription(t.Context(), sub.ID))
		id := w.fire(t, app, sub)
		g := w.ask(t, w.worker(t), id)
		require.Equal(t, []any{models.VerdictClosed, models.StatusCancelled}, []any{g.Verdict, g.Status})
		row := w.invocation(t, id)
		require.Equal(t, []any{models.StatusCancelled, new(models.ReasonSubscriptionDeleted)}, []any{row.Status, row.Reason})
	})

	t.Run("claims nothing after the deletion has answered", func(t *testing.T) {
		app := w.application(t)
		for range 10 {
			sub := w.subscription(t, app)
			ids := w.fireMany(t, 12, app, sub, func(s *models.Spec) { s.MaxInFlight = 100 })
			owner := w.worker(t)
			errs := make([]error, 4)
			atOnce(len(errs), func(i int) {
				if i == 0 {
					errs[i] = w.DeleteSubscription(t.Context(), sub.ID)
					return
				}
				_, errs[i] = w.Claim(t.Context(), owner, ids[(i-1)*4:i*4])
			})
			for _, err := range errs {
				require.NoError(t, err)
			}
			for _, verdict := range w.verdicts(t, w.worker(t), ids...) {
				require.Equal(t, models.VerdictClosed, verdict)
			}
		}
	})
}
