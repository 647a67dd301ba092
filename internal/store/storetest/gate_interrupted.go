package storetest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/internal/store"
	"github.com/posthorn/posthorn/models"
)

func interrupted(t *testing.T, w *world) {
	t.Helper()

	t.Run("records the dead owner's attempt and grants the next", func(t *testing.T) {
		_, sub, id := w.fired(t)
		dead := w.worker(t)
		w.clock.Advance(time.Second)
		started := w.now()
		first := w.claim(t, dead, id)
		w.clock.Advance(store.Lease - time.Second - time.Microsecond)
		second := w.worker(t)
		require.Equal(t, models.VerdictHeld, w.ask(t, second, id).Verdict)
		w.clock.Advance(time.Microsecond)

		c := w.claim(t, second, id)
		require.NotEqual(t, first.Token, c.Token)
		require.Equal(t, []any{2, models.TriggerScheduled, 0, &started},
			[]any{c.Number, c.Trigger, c.PolicyAttempts, c.FirstAttemptAt})
		attempts := w.attempts(t, id)
		require.Len(t, attempts, 1)
		require.Equal(t, models.Attempt{
			ID: attempts[0].ID, InvocationID: id, SubscriptionID: sub.ID, Number: 1, Trigger: models.TriggerScheduled,
			StartedAt: started, FinishedAt: w.now(), URL: sub.URL, Outcome: models.AttemptFailed,
			ErrorCode: new(models.AttemptInterrupted), ErrorMessage: attempts[0].ErrorMessage,
			RequestHeaders: []models.Header{}, ResponseHeaders: []models.Header{},
		}, attempts[0])
		row := w.invocation(t, id)
		require.Equal(t, []any{1, 0, new(models.AttemptInterrupted)},
			[]any{row.Attempts, row.PolicyAttempts, row.LastErrorCode})

		w.end(t, c, w.refused(500))
		row = w.invocation(t, id)
		require.Equal(t, []any{2, 1, models.StatusRetrying}, []any{row.Attempts, row.PolicyAttempts, row.Status})
	})

	t.Run("names the URL that the lost request went to", func(t *testing.T) {
		_, sub, id := w.fired(t)
		w.update(t, sub, func(s *models.Subscription) { s.URL = "https://new.example/" })
		w.claim(t, w.worker(t), id)
		w.update(t, sub, func(s *models.Subscription) { s.URL = "https://newer.example/" })
		w.clock.Advance(store.Lease)
		w.claim(t, w.worker(t), id)
		require.Equal(t, "https://new.example/", w.attempts(t, id)[0].URL)
	})

	t.Run("refuses what the dead owner says afterwards", func(t *testing.T) {
		_, _, id := w.fired(t)
		dead := w.worker(t)
		late := w.claim(t, dead, id)
		w.clock.Advance(store.Lease)
		c := w.claim(t, w.worker(t), id)
		require.NoError(t, w.RenewWorker(t.Context(), dead), "it was only slow")
		before := w.invocation(t, id)
		settled, err := w.Settle(t.Context(), late.Settle(w.delivered()))
		require.NoError(t, err)
		require.False(t, settled.Kept)
		require.Equal(t, before, w.invocation(t, id))
		require.Len(t, w.attempts(t, id), 1)
		w.end(t, c, w.delivered())
	})

	t.Run("keeps what a slow owner settles before anybody asks", func(t *testing.T) {
		_, _, id := w.fired(t)
		c := w.claim(t, w.worker(t), id)
		w.clock.Advance(time.Minute)
		w.end(t, c, w.delivered())
		require.Equal(t, models.StatusSucceeded, w.invocation(t, id).Status)
	})

	t.Run("takes over from a retired owner at once", func(t *testing.T) {
		_, _, id := w.fired(t)
		owner := w.worker(t)
		w.claim(t, owner, id)
		require.NoError(t, w.RetireWorker(t.Context(), owner))
		require.Equal(t, 2, w.claim(t, w.worker(t), id).Number)
	})

	t.Run("numbers one death after the other", func(t *testing.T) {
		_, _, id := w.fired(t)
		for n := range 4 {
			require.Equal(t, n+1, w.claim(t, w.worker(t), id).Number)
			w.clock.Advance(store.Lease)
		}
		for n, a := range w.attempts(t, id) {
			require.Equal(t, []any{n + 1, n}, []any{a.Number, a.RetryCount})
		}
	})

	t.Run("names the redelivery that was cut off, and grants it again", func(t *testing.T) {
		_, _, id := w.fired(t)
		c := w.redeliver(t, w.worker(t), id)
		w.clock.Advance(store.Lease)
		g := w.askRedelivery(t, w.worker(t), c.RedeliveryID)
		require.Equal(t, models.VerdictGranted, g.Verdict)
		require.Equal(t, []any{2, c.RedeliveryID}, []any{g.Claim.Number, g.Claim.RedeliveryID})
		attempts := w.attempts(t, id)
		require.Len(t, attempts, 1)
		require.Equal(t, []any{models.TriggerRedeliver, &c.RedeliveryID}, []any{attempts[0].Trigger, attempts[0].RedeliveryID})
		require.Nil(t, w.invocation(t, id).FirstAttemptAt, "the policy's age counts from its own first attempt")
	})

	t.Run("takes a schedule's attempt for a redelivery over, and the other way round", func(t *testing.T) {
		_, _, id := w.fired(t)
		w.claim(t, w.worker(t), id)
		w.clock.Advance(store.Lease)
		c := w.redeliver(t, w.worker(t), id)
		require.Equal(t, models.TriggerRedeliver, c.Trigger)
		w.clock.Advance(store.Lease)
		next := w.claim(t, w.worker(t), id)
		require.Equal(t, []any{3, models.TriggerScheduled, ""}, []any{next.Number, next.Trigger, next.RedeliveryID})
		attempts := w.attempts(t, id)
		require.Equal(t, models.TriggerScheduled, attempts[0].Trigger)
		require.Equal(t, models.TriggerRedeliver, attempts[1].Trigger)
	})

	t.Run("parks and still records when the subscription is paused meanwhile", func(t *testing.T) {
		_, sub, id := w.fired(t)
		w.claim(t, w.worker(t), id)
		w.update(t, sub, func(s *models.Subscription) { s.Enabled = false })
		w.clock.Advance(store.Lease)
		require.Equal(t, models.VerdictParked, w.ask(t, w.worker(t), id).Verdict)
		require.Len(t, w.attempts(t, id), 1)
		require.Nil(t, w.invocation(t, id).ClaimToken)
	})
}
