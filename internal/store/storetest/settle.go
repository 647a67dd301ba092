package storetest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/internal/store"
	"github.com/posthorn/posthorn/models"
)

func settle(t *testing.T, w *world) {
	t.Helper()

	t.Run("a success", func(t *testing.T) {
		_, _, id := w.fired(t)
		c := w.claim(t, w.worker(t), id)
		r := w.delivered()
		w.end(t, c, r)
		row := w.invocation(t, id)
		require.Equal(t, []any{models.StatusSucceeded, 1, 1, new(204)},
			[]any{row.Status, row.Attempts, row.PolicyAttempts, row.LastStatusCode})
		require.Equal(t, []*time.Time{&r.FinishedAt, &r.StartedAt, &r.StartedAt},
			[]*time.Time{row.DeliveredAt, row.FirstAttemptAt, row.LastAttemptAt})
		require.Nil(t, row.NextAttemptAt)
		require.Nil(t, row.LastErrorCode)
		requireUnclaimed(t, row)
		require.Equal(t, models.VerdictClosed, w.ask(t, w.worker(t), id).Verdict)
	})

	t.Run("with everything that was said", func(t *testing.T) {
		_, sub, id := w.fired(t)
		c := w.claim(t, w.worker(t), id)
		r := w.refused(503)
		r.RequestHeaders = []models.Header{{Name: "webhook-ID", Value: "<1>"}, {Name: "webhook-ID", Value: "2"}}
		r.ResponseHeaders = []models.Header{{Name: "Retry-After", Value: "ü\""}}
		r.ResponseBody, r.Truncated = []byte("\x00\xff<html>"), true
		w.end(t, c, r)
		attempts := w.attempts(t, id)
		require.Len(t, attempts, 1)
		require.True(t, models.IsID(attempts[0].ID))
		require.Equal(t, models.Attempt{
			ID: attempts[0].ID, InvocationID: id, SubscriptionID: sub.ID, Number: 1, Trigger: models.TriggerScheduled,
			StartedAt: r.StartedAt, FinishedAt: r.FinishedAt, URL: sub.URL, Outcome: models.AttemptFailed,
			StatusCode: new(503), ErrorCode: new(models.AttemptStatus), ErrorMessage: &r.Error.Message,
			RequestHeaders: r.RequestHeaders, ResponseHeaders: r.ResponseHeaders,
			ResponseBody: r.ResponseBody, ResponseTruncated: true,
		}, attempts[0])
		outcomes, err := w.Outcomes(t.Context(), id, 0, 2)
		require.NoError(t, err)
		bare := attempts[0]
		bare.RequestHeaders, bare.ResponseHeaders, bare.ResponseBody = nil, nil, nil
		require.Equal(t, []models.Attempt{bare}, outcomes)
	})

	t.Run("without an answer", func(t *testing.T) {
		_, _, id := w.fired(t)
		w.attempt(t, w.worker(t), id, w.unreached)
		a := w.attempts(t, id)[0]
		require.Nil(t, a.StatusCode)
		require.Equal(t, new(models.AttemptConnect), a.ErrorCode)
		require.Empty(t, a.ResponseHeaders)
		require.Empty(t, a.ResponseBody)
		require.Nil(t, w.invocation(t, id).LastStatusCode)
	})

	t.Run("a failure that is tried again", func(t *testing.T) {
		_, _, id := w.fired(t)
		started := w.now()
		owner := w.worker(t)
		w.attempt(t, owner, id, func() models.Result { return w.refused(500) })
		row := w.invocation(t, id)
		require.Equal(t, []any{models.StatusRetrying, new(w.in(time.Hour)), new(500), new(models.AttemptStatus)},
			[]any{row.Status, row.NextAttemptAt, row.LastStatusCode, row.LastErrorCode})
		require.Nil(t, row.DeliveredAt)
		requireUnclaimed(t, row)
		require.Equal(t, time.Hour, w.ask(t, owner, id).Wait)

		w.clock.Advance(time.Hour)
		c := w.claim(t, w.worker(t), id)
		require.Equal(t, []any{2, 1, 1, &started}, []any{c.Number, c.PolicyAttempts, c.RetryCount(), c.FirstAttemptAt})
		w.end(t, c, w.delivered())
		row = w.invocation(t, id)
		require.Equal(t, []any{models.StatusSucceeded, 2, &started}, []any{row.Status, row.Attempts, row.FirstAttemptAt})
		require.Nil(t, row.LastErrorMessage)
	})

	t.Run("the last failure", func(t *testing.T) {
		_, _, id := w.fired(t)
		w.claim(t, w.worker(t), id)
		w.clock.Advance(store.Lease) // cut off, and not counted by the policy
		for n := 1; n <= 3; n++ {
			w.attempt(t, w.worker(t), id, w.unreached)
			w.clock.Advance(time.Hour)
		}
		row := w.invocation(t, id)
		require.Equal(t, []any{models.StatusFailed, 3, 4}, []any{row.Status, row.PolicyAttempts, row.Attempts})
		require.Nil(t, row.NextAttemptAt)
		require.Nil(t, row.DeliveredAt)
	})

	t.Run("a test, once", func(t *testing.T) {
		for status, result := range map[models.InvocationStatus]func() models.Result{
			models.StatusSucceeded: w.delivered, models.StatusFailed: w.unreached,
		} {
			app := w.application(t)
			i := invocationOf(&models.Event{ApplicationID: app.ID}, w.subscription(t, app), spec(t), w.now())
			i.EventID = nil
			require.NoError(t, w.CreateTest(t.Context(), i, spec(t)))
			w.attempt(t, w.worker(t), i.ID, result)
			require.Equal(t, status, w.invocation(t, i.ID).Status)
			require.Equal(t, models.TriggerTest, w.attempts(t, i.ID)[0].Trigger)
		}
	})

	t.Run("moves the invocation's URL to where the attempt went", func(t *testing.T) {
		_, sub, id := w.fired(t)
		w.update(t, sub, func(s *models.Subscription) { s.URL = "https://moved.example" })
		require.Equal(t, sub.URL, w.invocation(t, id).URL)
		w.attempt(t, w.worker(t), id, w.delivered)
		require.Equal(t, "https://moved.example", w.invocation(t, id).URL)
		require.Equal(t, "https://moved.example", w.attempts(t, id)[0].URL)
	})
}

func requireUnclaimed(t *testing.T, row *models.InvocationView) {
	t.Helper()
	require.Nil(t, row.ClaimToken)
	require.Nil(t, row.ClaimOwner)
	require.Nil(t, row.ClaimRedelivery)
	require.Nil(t, row.ClaimedAt)
}

func overtaken(t *testing.T, w *world) {
	t.Helper()

	t.Run("a cancelled invocation stays so, its attempt on record", func(t *testing.T) {
		for _, result := range []func() models.Result{w.delivered, w.unreached, w.goneResult} {
			_, _, id := w.fired(t)
			c := w.claim(t, w.worker(t), id)
			require.NoError(t, w.Cancel(t.Context(), id))
			w.end(t, c, result())
			row := w.invocation(t, id)
			require.Equal(t, []any{models.StatusCancelled, new(models.ReasonCancelled), 1},
				[]any{row.Status, row.Reason, row.Attempts})
			require.Nil(t, row.NextAttemptAt)
			require.Nil(t, row.DeliveredAt)
			requireUnclaimed(t, row)
			require.Len(t, w.attempts(t, id), 1)
		}
	})

	t.Run("so does one of a deleted subscription", func(t *testing.T) {
		_, sub, id := w.fired(t)
		c := w.claim(t, w.worker(t), id)
		require.NoError(t, w.DeleteSubscription(t.Context(), sub.ID))
		w.end(t, c, w.delivered())
		require.Equal(t, models.StatusCancelled, w.invocation(t, id).Status)
		require.Len(t, w.attempts(t, id), 1)
	})

	t.Run("a claim is settled once", func(t *testing.T) {
		_, sub, id := w.fired(t)
		c := w.claim(t, w.worker(t), id)
		settlement := c.Settle(w.unreached())
		settled := make([]models.Settled, 5)
		errs := make([]error, len(settled))
		atOnce(len(settled), func(i int) { settled[i], errs[i] = w.Settle(t.Context(), settlement) })
		wins := 0
		for i := range settled {
			require.NoError(t, errs[i])
			if settled[i].Kept {
				wins++
			}
		}
		require.Equal(t, 1, wins)
		require.Len(t, w.attempts(t, id), 1)
		found, err := w.Subscription(t.Context(), sub.ID)
		require.NoError(t, err)
		require.Equal(t, 1, found.ConsecutiveFailures, "a lost claim says nothing of the subscription")
	})

	t.Run("a lost redelivery settles nothing", func(t *testing.T) {
		_, _, id := w.fired(t)
		c := w.redeliver(t, w.worker(t), id)
		w.clock.Advance(store.Lease)
		w.claim(t, w.worker(t), id)
		settled, err := w.Settle(t.Context(), c.Settle(w.delivered()))
		require.NoError(t, err)
		require.False(t, settled.Kept)
		require.Equal(t, models.StatusPending, w.invocation(t, id).Status)
		require.Equal(t, 1, w.count(t, "SELECT count(*) FROM commands WHERE settled_at IS NULL AND id = ?", c.RedeliveryID))
	})
}
