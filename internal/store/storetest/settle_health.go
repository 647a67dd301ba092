package storetest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/models"
)

func (w *world) find(t *testing.T, id string) *models.Subscription {
	t.Helper()
	sub, err := w.Subscription(t.Context(), id)
	require.NoError(t, err)
	return sub
}

func gone(t *testing.T, w *world) {
	t.Helper()

	t.Run("ends its open invocations", func(t *testing.T) {
		app := w.application(t)
		sub, other := w.subscription(t, app), w.subscription(t, app)
		waiting, done := w.fire(t, app, sub), w.settled(t, app, sub, models.StatusSucceeded)
		retrying, theirs := w.settled(t, app, sub, models.StatusRetrying), w.fire(t, app, other)
		id := w.fire(t, app, sub)
		w.attempt(t, w.worker(t), id, w.goneResult)

		require.Equal(t, models.SubscriptionGone, w.find(t, sub.ID).Status())
		require.Equal(t, models.SubscriptionActive, w.find(t, other.ID).Status())
		for _, cancelled := range []string{id, waiting, retrying} {
			row := w.invocation(t, cancelled)
			require.Equal(t, []any{models.StatusCancelled, new(models.ReasonSubscriptionGone)}, []any{row.Status, row.Reason})
			require.Nil(t, row.NextAttemptAt)
		}
		require.Equal(t, new(410), w.attempts(t, id)[0].StatusCode)
		require.Equal(t, models.StatusSucceeded, w.invocation(t, done).Status)
		require.Equal(t, models.StatusPending, w.invocation(t, theirs).Status)
	})

	t.Run("takes many 410 at once", func(t *testing.T) {
		app := w.application(t)
		sub := w.subscription(t, app)
		ids := w.fireMany(t, 12, app, sub)
		owner := w.worker(t)
		settlements := make([]models.Settlement, len(ids))
		for i, id := range ids {
			settlements[i] = w.claim(t, owner, id).Settle(w.goneResult())
		}
		settled := make([]models.Settled, len(ids))
		errs := make([]error, len(ids))
		atOnce(len(ids), func(i int) { settled[i], errs[i] = w.Settle(t.Context(), settlements[i]) })
		for i, id := range ids {
			require.NoError(t, errs[i])
			require.True(t, settled[i].Kept)
			require.Equal(t, models.StatusCancelled, w.invocation(t, id).Status)
			require.Len(t, w.attempts(t, id), 1)
		}
	})
}

func health(t *testing.T, w *world) {
	t.Helper()

	t.Run("is failing after twenty failures in a row", func(t *testing.T) {
		app := w.application(t)
		sub := w.subscription(t, app)
		for n, id := range w.fireMany(t, models.FailingAfterAttempts, app, sub) {
			before := w.find(t, sub.ID)
			require.Equal(t, models.SubscriptionActive, before.Status(), "after %d", n)
			require.Equal(t, n, before.ConsecutiveFailures)
			w.end(t, w.claim(t, w.worker(t), id), w.unreached())
		}
		found := w.find(t, sub.ID)
		require.Equal(t, models.SubscriptionFailing, found.Status())
		require.Equal(t, models.FailingAfterAttempts, found.ConsecutiveFailures)
		w.claim(t, w.worker(t), w.fire(t, app, sub)) // failing is no reason to skip an attempt
	})

	t.Run("is failing after five minutes of failures", func(t *testing.T) {
		app := w.application(t)
		sub := w.subscription(t, app)
		first := w.now()
		w.attempt(t, w.worker(t), w.fire(t, app, sub), w.unreached)
		w.clock.Advance(models.FailingAfter - 3*time.Second)
		w.attempt(t, w.worker(t), w.fire(t, app, sub), w.unreached)
		require.Equal(t, models.SubscriptionActive, w.find(t, sub.ID).Status())
		w.attempt(t, w.worker(t), w.fire(t, app, sub), w.unreached)
		found := w.find(t, sub.ID)
		require.Equal(t, models.SubscriptionFailing, found.Status())
		require.Equal(t, &first, found.FailingSince)
	})

	t.Run("is active again after one success", func(t *testing.T) {
		app := w.application(t)
		sub := w.subscription(t, app)
		w.attempt(t, w.worker(t), w.fire(t, app, sub), w.unreached)
		w.clock.Advance(models.FailingAfter)
		w.attempt(t, w.worker(t), w.fire(t, app, sub), w.unreached)
		require.Equal(t, models.SubscriptionFailing, w.find(t, sub.ID).Status())
		w.attempt(t, w.worker(t), w.fire(t, app, sub), w.delivered)
		found := w.find(t, sub.ID)
		require.Equal(t, []any{models.SubscriptionActive, 0}, []any{found.Status(), found.ConsecutiveFailures})
		require.Nil(t, found.FailingSince)
	})

	t.Run("is active again after a success that was in flight beside the failures", func(t *testing.T) {
		app := w.application(t)
		sub := w.subscription(t, app)
		slow := w.claim(t, w.worker(t), w.fire(t, app, sub))
		w.attempt(t, w.worker(t), w.fire(t, app, sub), w.unreached)
		w.clock.Advance(models.FailingAfter)
		w.attempt(t, w.worker(t), w.fire(t, app, sub), w.unreached)
		require.Equal(t, models.SubscriptionFailing, w.find(t, sub.ID).Status())
		w.end(t, slow, w.delivered())
		require.Equal(t, models.SubscriptionActive, w.find(t, sub.ID).Status())
	})

	t.Run("counts failures that end together", func(t *testing.T) {
		app := w.application(t)
		sub := w.subscription(t, app)
		ids := w.fireMany(t, 8, app, sub)
		owner := w.worker(t)
		settlements := make([]models.Settlement, len(ids))
		for i, id := range ids {
			c := w.claim(t, owner, id)
			settlements[i] = c.Settle(models.Result{
				StartedAt: w.now(), FinishedAt: w.now(), Outcome: models.AttemptFailed,
				Error: &models.AttemptError{Code: models.AttemptTimeout},
			})
		}
		errs := make([]error, len(ids))
		atOnce(len(ids), func(i int) { _, errs[i] = w.Settle(t.Context(), settlements[i]) })
		for _, err := range errs {
			require.NoError(t, err)
		}
		require.Equal(t, len(ids), w.find(t, sub.ID).ConsecutiveFailures)
	})
}
