package storetest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/internal/store"
	"github.com/posthorn/posthorn/models"
)

// commandsOf counts the open commands of an invocation.
func (w *world) commandsOf(t *testing.T, id string) int {
	t.Helper()
	return w.count(t, "SELECT count(*) FROM commands WHERE settled_at IS NULL AND invocation_id = ?", id)
}

func cancel(t *testing.T, w *world) {
	t.Helper()

	requireCancelled := func(t *testing.T, id, reason string) {
		t.Helper()
		row := w.invocation(t, id)
		require.Equal(t, []any{models.StatusCancelled, &reason}, []any{row.Status, row.Reason})
		require.Nil(t, row.NextAttemptAt)
		require.Nil(t, row.DispatchAfter)
		require.False(t, row.Parked)
		require.Equal(t, models.VerdictClosed, w.ask(t, w.worker(t), id).Verdict)
	}

	t.Run("changes rows only before the dispatch", func(t *testing.T) {
		_, _, id := w.fired(t)
		require.NoError(t, w.Cancel(t.Context(), id))
		requireCancelled(t, id, models.ReasonCancelled)
		require.Zero(t, w.commandsOf(t, id))
	})

	t.Run("changes rows only while it is parked", func(t *testing.T) {
		_, sub, id := w.fired(t)
		w.update(t, sub, func(s *models.Subscription) { s.Enabled = false })
		w.ask(t, w.worker(t), id)
		require.NoError(t, w.Cancel(t.Context(), id))
		requireCancelled(t, id, models.ReasonCancelled)
		require.Zero(t, w.commandsOf(t, id))
	})

	t.Run("tells the workflow once it is dispatched", func(t *testing.T) {
		_, _, id := w.fired(t)
		w.dispatched(t)
		require.NoError(t, w.Cancel(t.Context(), id))
		requireCancelled(t, id, models.ReasonCancelled)
		require.Equal(t, 1, w.commandsOf(t, id))
	})

	t.Run("is a conflict for what is settled", func(t *testing.T) {
		app := w.application(t)
		sub := w.subscription(t, app)
		for _, status := range models.InvocationStatuses() {
			if status == models.StatusPaused {
				continue
			}
			id := w.settled(t, app, sub, status)
			err := w.Cancel(t.Context(), id)
			if status.Open() {
				require.NoError(t, err, "status %s", status)
				requireCancelled(t, id, models.ReasonCancelled)
				continue
			}
			require.Equal(t, models.CodeConflict, models.ErrorCode(err), "status %s", status)
			require.Equal(t, status, w.invocation(t, id).Status)
		}
		err := w.Cancel(t.Context(), models.NewID())
		require.Equal(t, models.CodeNotFound, models.ErrorCode(err))
	})

	t.Run("of an event ends what is open of it", func(t *testing.T) {
		app := w.application(t)
		subs := []*models.Subscription{w.subscription(t, app), w.subscription(t, app), w.subscription(t, app)}
		a := w.draft(t, app, subs)
		w.accept(t, app, a)
		other := w.fire(t, app, subs[0])
		waiting, done, retrying := a.Invocations[0].ID, a.Invocations[1].ID, a.Invocations[2].ID
		w.attempt(t, w.worker(t), done, w.delivered)
		w.attempt(t, w.worker(t), retrying, w.unreached)
		require.NoError(t, w.CancelEvent(t.Context(), a.Event.ID))

		requireCancelled(t, waiting, models.ReasonEventCancelled)
		requireCancelled(t, retrying, models.ReasonEventCancelled)
		require.Equal(t, []int{0, 0, 1}, []int{w.commandsOf(t, waiting), w.commandsOf(t, done), w.commandsOf(t, retrying)})
		require.Equal(t, models.StatusSucceeded, w.invocation(t, done).Status)
		require.Equal(t, models.StatusPending, w.invocation(t, other).Status)
		event, err := w.Event(t.Context(), a.Event.ID)
		require.NoError(t, err)
		require.Equal(t, new(w.now()), event.CancelledAt)

		first := w.now()
		w.clock.Advance(store.Lease)
		require.NoError(t, w.CancelEvent(t.Context(), a.Event.ID), "again")
		event, err = w.Event(t.Context(), a.Event.ID)
		require.NoError(t, err)
		require.Equal(t, &first, event.CancelledAt)
		require.Equal(t, 1, w.commandsOf(t, retrying))
		err = w.CancelEvent(t.Context(), models.NewID())
		require.Equal(t, models.CodeNotFound, models.ErrorCode(err))
	})

	t.Run("and a claim exclude each other", func(t *testing.T) {
		app := w.application(t)
		sub := w.subscription(t, app)
		owner := w.worker(t)
		for _, id := range w.fireMany(t, 20, app, sub) {
			var cancelled, asked error
			var gates []models.Gate
			atOnce(2, func(i int) {
				if i == 0 {
					cancelled = w.Cancel(t.Context(), id)
				} else {
					gates, asked = w.Claim(t.Context(), owner, []string{id})
				}
			})
			require.NoError(t, cancelled)
			require.NoError(t, asked)
			require.Contains(t, []models.Verdict{models.VerdictGranted, models.VerdictClosed}, gates[0].Verdict)
			requireCancelled(t, id, models.ReasonCancelled)
		}
	})
}
