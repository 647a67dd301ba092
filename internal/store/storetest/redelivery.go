package storetest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/models"
)

func redelivery(t *testing.T, w *world) {
	t.Helper()

	t.Run("is allowed in any state, of an abandoned one by force", func(t *testing.T) {
		app := w.application(t)
		sub := w.subscription(t, app)
		for _, status := range models.InvocationStatuses() {
			if status == models.StatusPaused {
				continue
			}
			id := w.settled(t, app, sub, status)
			_, err := w.Redeliver(t.Context(), id, false)
			if status == models.StatusAbandoned {
				require.Equal(t, models.CodeConflict, models.ErrorCode(err))
			} else {
				require.NoError(t, err, "status %s", status)
			}
			c := w.redeliver(t, w.worker(t), id)
			require.Equal(t, models.TriggerRedeliver, c.Trigger)
			require.Equal(t, len(w.attempts(t, id))+1, c.Number)
			require.Equal(t, status, w.invocation(t, id).Status, "asking changes nothing")
		}
	})

	t.Run("is a conflict on a deleted or unverified subscription", func(t *testing.T) {
		_, sub, id := w.fired(t)
		w.update(t, sub, func(s *models.Subscription) { s.Verified = false })
		_, err := w.Redeliver(t.Context(), id, true)
		require.Equal(t, models.CodeConflict, models.ErrorCode(err))
		w.update(t, sub, func(s *models.Subscription) { s.Verified, s.Enabled, s.Gone = true, false, true })
		_, err = w.Redeliver(t.Context(), id, false)
		require.NoError(t, err, "who asks for a disabled one means it")
		require.NoError(t, w.DeleteSubscription(t.Context(), sub.ID))
		_, err = w.Redeliver(t.Context(), id, true)
		require.Equal(t, models.CodeConflict, models.ErrorCode(err))
	})

	t.Run("of what is absent is not found", func(t *testing.T) {
		_, err := w.Redeliver(t.Context(), models.NewID(), false)
		require.Equal(t, models.CodeNotFound, models.ErrorCode(err))
		_, err = w.ClaimRedelivery(t.Context(), w.worker(t), models.NewID())
		require.Equal(t, models.CodeNotFound, models.ErrorCode(err))
	})

	t.Run("waits for the attempt in flight", func(t *testing.T) {
		_, _, id := w.fired(t)
		owner := w.worker(t)
		c := w.claim(t, owner, id)
		command, err := w.Redeliver(t.Context(), id, false)
		require.NoError(t, err)
		require.Equal(t, models.VerdictHeld, w.askRedelivery(t, owner, command).Verdict)
		w.end(t, c, w.unreached())
		require.Equal(t, models.VerdictGranted, w.askRedelivery(t, owner, command).Verdict)
		require.Equal(t, models.VerdictHeld, w.askRedelivery(t, owner, command).Verdict, "its own attempt is in flight")
		w.clock.Advance(time.Hour)
		require.Equal(t, 3, w.claim(t, w.worker(t), id).Number, "the schedule goes on once its owner is dead")
	})

	t.Run("is closed when its subscription is deleted", func(t *testing.T) {
		_, sub, id := w.fired(t)
		command, err := w.Redeliver(t.Context(), id, false)
		require.NoError(t, err)
		require.NoError(t, w.DeleteSubscription(t.Context(), sub.ID))
		require.Equal(t, models.VerdictClosed, w.askRedelivery(t, w.worker(t), command).Verdict)
		require.Zero(t, w.count(t, "SELECT count(*) FROM commands WHERE settled_at IS NULL AND id = ?", command))
	})

	t.Run("goes to no URL that has not proven itself", func(t *testing.T) {
		_, sub, id := w.fired(t)
		command, err := w.Redeliver(t.Context(), id, false)
		require.NoError(t, err)
		w.update(t, sub, func(s *models.Subscription) { s.URL, s.Verified = "https://elsewhere.example/", false })
		require.Equal(t, models.VerdictClosed, w.askRedelivery(t, w.worker(t), command).Verdict)
		require.Zero(t, w.count(t, "SELECT count(*) FROM commands WHERE settled_at IS NULL AND id = ?", command))
	})

	t.Run("takes no dispatch away", func(t *testing.T) {
		_, _, id := w.fired(t)
		before := w.invocation(t, id)
		owner := w.worker(t)
		w.end(t, w.redeliver(t, owner, id), w.unreached())
		row := w.invocation(t, id)
		require.Equal(t, []any{before.DispatchAfter, before.NextAttemptAt, before.Status},
			[]any{row.DispatchAfter, row.NextAttemptAt, row.Status})
	})
}

func redelivered(t *testing.T, w *world) {
	t.Helper()

	t.Run("success ends the invocation and its command", func(t *testing.T) {
		app := w.application(t)
		sub := w.subscription(t, app)
		for _, status := range []models.InvocationStatus{
			models.StatusPending, models.StatusRetrying, models.StatusFailed, models.StatusCancelled,
			models.StatusAbandoned, models.StatusSucceeded,
		} {
			id := w.settled(t, app, sub, status)
			before := w.invocation(t, id)
			owner := w.worker(t)
			c := w.redeliver(t, owner, id)
			r := w.delivered()
			w.end(t, c, r)
			row := w.invocation(t, id)
			require.Equal(t, []any{models.StatusSucceeded, &r.FinishedAt, before.PolicyAttempts, before.Attempts + 1},
				[]any{row.Status, row.DeliveredAt, row.PolicyAttempts, row.Attempts}, "from %s", status)
			require.Nil(t, row.NextAttemptAt)
			require.Nil(t, row.DispatchAfter)
			require.Nil(t, row.Reason)
			require.False(t, row.Parked)
			requireUnclaimed(t, row)
			require.Equal(t, models.VerdictClosed, w.ask(t, owner, id).Verdict)
			require.Equal(t, models.VerdictClosed, w.askRedelivery(t, owner, c.RedeliveryID).Verdict, "carried out")
			log := w.attempts(t, id)
			require.Equal(t, []any{models.TriggerRedeliver, &c.RedeliveryID},
				[]any{log[len(log)-1].Trigger, log[len(log)-1].RedeliveryID})
		}
	})

	t.Run("success brings back what was paused", func(t *testing.T) {
		_, sub, id := w.fired(t)
		w.update(t, sub, func(s *models.Subscription) { s.Enabled = false })
		w.ask(t, w.worker(t), id)
		require.True(t, w.invocation(t, id).Parked)
		w.end(t, w.redeliver(t, w.worker(t), id), w.delivered())
		row := w.invocation(t, id)
		require.Equal(t, []any{models.StatusSucceeded, false}, []any{row.Shown(), row.Parked})
	})

	t.Run("failure leaves status and schedule as they were", func(t *testing.T) {
		app := w.application(t)
		sub := w.subscription(t, app)
		for _, status := range models.InvocationStatuses() {
			if status == models.StatusPaused {
				continue
			}
			id := w.settled(t, app, sub, status)
			before := w.invocation(t, id)
			owner := w.worker(t)
			c := w.redeliver(t, owner, id)
			w.end(t, c, w.refused(502))
			row := w.invocation(t, id)
			require.Equal(t, []any{status, before.NextAttemptAt, before.PolicyAttempts, before.DeliveredAt, before.Reason},
				[]any{row.Status, row.NextAttemptAt, row.PolicyAttempts, row.DeliveredAt, row.Reason}, "status %s", status)
			require.Equal(t, []any{before.Attempts + 1, new(502)}, []any{row.Attempts, row.LastStatusCode})
			requireUnclaimed(t, row)
			require.Equal(t, models.VerdictClosed, w.askRedelivery(t, owner, c.RedeliveryID).Verdict, "carried out")
		}
	})

	t.Run("failure does not start the policy's clock", func(t *testing.T) {
		app := w.application(t)
		later := w.in(10 * time.Hour)
		under := spec(t, func(s *models.Spec) { s.Retry.MaxAge = models.Duration(2 * time.Hour) })
		a := w.draftUnder(app, under, []*models.Subscription{w.subscription(t, app)}, func(a *models.Acceptance) {
			a.Invocations[0].NextAttemptAt, a.Invocations[0].DispatchAfter = &later, &later
		})
		w.accept(t, app, a)
		id := a.Invocations[0].ID
		w.end(t, w.redeliver(t, w.worker(t), id), w.unreached())
		w.clock.Advance(10 * time.Hour)
		w.attempt(t, w.worker(t), id, w.unreached)
		require.Equal(t, models.StatusRetrying, w.invocation(t, id).Status, "its first scheduled attempt was just now")
	})

	t.Run("410 makes the subscription gone", func(t *testing.T) {
		app := w.application(t)
		sub := w.subscription(t, app)
		id, other := w.settled(t, app, sub, models.StatusSucceeded), w.fire(t, app, sub)
		w.end(t, w.redeliver(t, w.worker(t), id), w.goneResult())
		require.Equal(t, models.SubscriptionGone, w.find(t, sub.ID).Status())
		require.Equal(t, models.StatusSucceeded, w.invocation(t, id).Status)
		require.Equal(t, models.StatusCancelled, w.invocation(t, other).Status)
	})
}
