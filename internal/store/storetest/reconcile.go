package storetest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/internal/store"
	"github.com/posthorn/posthorn/models"
)

func (w *world) reconciled(t *testing.T) int {
	t.Helper()
	n, err := w.Reconcile(t.Context(), 100)
	require.NoError(t, err)
	return n
}

func reconcile(t *testing.T, w *world) {
	t.Helper()

	t.Run("brings up what is overdue, less and less often", func(t *testing.T) {
		w.quiet(t)
		_, _, id := w.fired(t)
		w.dispatched(t)
		due := w.now()
		for pass := 1; pass <= 4; pass++ {
			w.clock.Advance(due.Add(time.Duration(pass)*store.OverdueAfter).Sub(w.now()) - time.Microsecond)
			require.Zero(t, w.reconciled(t), "pass %d is not due", pass)
			w.clock.Advance(time.Microsecond)
			require.Equal(t, 1, w.reconciled(t), "pass %d", pass)
			require.Zero(t, w.reconciled(t), "it waits for the dispatcher")
			rows, err := w.TakeDispatches(t.Context(), 10)
			require.NoError(t, err)
			require.Len(t, rows, 1)
			require.Equal(t, []any{id, pass, due}, []any{rows[0].InvocationID, rows[0].Overdue, rows[0].Due})
			require.NoError(t, w.MarkDispatched(t.Context(), rows[0].Lease, []string{id}))
		}
		w.claim(t, w.worker(t), id)
		require.Zero(t, w.invocation(t, id).Overdue, "an attempt starts the count anew")
	})

	t.Run("brings up a row that was overlooked for months", func(t *testing.T) {
		w.quiet(t)
		_, _, id := w.fired(t)
		w.dispatched(t)
		w.exec(t, "UPDATE invocations SET overdue = 100000 WHERE id = ?", id)
		w.clock.Advance(100001*store.OverdueAfter - time.Microsecond)
		require.Zero(t, w.reconciled(t))
		w.clock.Advance(time.Microsecond)
		require.Equal(t, 1, w.reconciled(t))
	})

	t.Run("leaves a live owner's claim alone, and not a dead one's", func(t *testing.T) {
		w.quiet(t)
		_, _, id := w.fired(t)
		owner := w.worker(t)
		w.claim(t, owner, id)
		w.clock.Advance(time.Minute)
		require.NoError(t, w.RenewWorker(t.Context(), owner))
		require.Zero(t, w.reconciled(t))
		w.clock.Advance(store.Lease)
		require.Equal(t, 1, w.reconciled(t))
		require.Equal(t, []string{id}, w.take(t, 10))
	})

	t.Run("leaves alone what is not due, settled, queued or dispatched", func(t *testing.T) {
		w.quiet(t)
		app := w.application(t)
		sub := w.subscription(t, app)
		for _, status := range models.InvocationStatuses() {
			if status != models.StatusPaused {
				w.settled(t, app, sub, status) // the pending one still waits for its dispatch
			}
		}
		w.exec(t, "UPDATE invocations SET next_attempt_at = next_attempt_at + 3600000000"+
			" WHERE status = 'retrying' AND application_id = ?", app.ID)
		w.clock.Advance(time.Hour)
		require.Zero(t, w.reconciled(t))
	})

	t.Run("revives what is parked though its subscription receives", func(t *testing.T) {
		w.quiet(t)
		app := w.application(t)
		on, off := w.subscription(t, app), w.subscription(t, app, func(s *models.Subscription) { s.Enabled = false })
		lost, waiting := w.fire(t, app, on), w.fire(t, app, off)
		w.dispatched(t)
		w.exec(t, "UPDATE invocations SET parked = (1 = 1) WHERE id = ?", lost)
		w.ask(t, w.worker(t), waiting)
		require.Equal(t, 1, w.reconciled(t))
		require.Equal(t, []string{lost}, w.take(t, 10))
		require.True(t, w.invocation(t, waiting).Parked)
	})

	t.Run("brings up what is parked again and again less and less often", func(t *testing.T) {
		w.quiet(t)
		_, _, id := w.fired(t)
		w.dispatched(t)
		for pass := range 4 {
			w.exec(t, "UPDATE invocations SET parked = (1 = 1) WHERE id = ?", id)
			require.Equal(t, 1, w.reconciled(t))
			w.clock.Advance(max(0, time.Duration(pass)*store.OverdueAfter-time.Microsecond))
			require.Equal(t, pass == 0, len(w.take(t, 10)) == 1, "pass %d", pass)
			w.clock.Advance(time.Microsecond)
			require.Equal(t, pass > 0, len(w.dispatched(t)) == 1, "pass %d", pass)
			w.clock.Advance(dispatchLease)
			w.dispatched(t)
		}
	})

	t.Run("brings up a redelivery that is not carried out less and less often", func(t *testing.T) {
		w.quiet(t)
		_, _, id := w.fired(t)
		_, err := w.Redeliver(t.Context(), id, false)
		require.NoError(t, err)
		require.NoError(t, w.MarkCommand(t.Context(), w.takeCommands(t, 10)[0]))
		w.dispatched(t)
		w.exec(t, "UPDATE invocations SET next_attempt_at = NULL WHERE id = ?", id)
		w.clock.Advance(store.OverdueAfter)
		for pass := range 4 {
			require.Equal(t, 1, w.reconciled(t))
			require.Zero(t, w.reconciled(t), "it waits for the dispatcher")
			w.clock.Advance(max(0, time.Duration(pass)*store.OverdueAfter-time.Microsecond))
			if pass > 0 {
				require.Empty(t, w.takeCommands(t, 10), "pass %d", pass)
				w.clock.Advance(time.Microsecond)
			}
			rows := w.takeCommands(t, 10)
			require.Len(t, rows, 1)
			require.NoError(t, w.MarkCommand(t.Context(), rows[0]))
		}
	})

	t.Run("keeps to its limit", func(t *testing.T) {
		w.quiet(t)
		app := w.application(t)
		w.fireMany(t, 25, app, w.subscription(t, app))
		w.dispatched(t)
		w.clock.Advance(store.OverdueAfter)
		total := 0
		for _, want := range []int{10, 10, 5, 0} {
			n, err := w.Reconcile(t.Context(), 10)
			require.NoError(t, err)
			require.Equal(t, want, n)
			total += n
		}
		require.Len(t, w.take(t, 100), total)
	})
}

func namespace(t *testing.T, w *world) {
	t.Helper()
	w.quiet(t)
	app := w.application(t)
	sub, off := w.subscription(t, app), w.subscription(t, app)
	pending, retrying := w.fire(t, app, sub), w.settled(t, app, sub, models.StatusRetrying)
	parkedOne := w.fire(t, app, off)
	w.settled(t, app, sub, models.StatusSucceeded)
	w.settled(t, app, sub, models.StatusCancelled)
	w.settled(t, app, sub, models.StatusQueued)
	w.update(t, off, func(s *models.Subscription) { s.Enabled = false })
	w.dispatched(t)
	w.ask(t, w.worker(t), parkedOne)
	command, err := w.Redeliver(t.Context(), pending, false)
	require.NoError(t, err)
	require.NoError(t, w.MarkCommand(t.Context(), w.takeCommands(t, 10)[0]))

	adopt := func(uuid string) bool {
		changed, err := w.AdoptNamespace(t.Context(), uuid)
		require.NoError(t, err)
		return changed
	}
	require.False(t, adopt("first"), "nothing was there before")
	w.dispatched(t)
	for _, c := range w.takeCommands(t, 10) {
		require.NoError(t, w.MarkCommand(t.Context(), c))
	}
	require.False(t, adopt("first"), "the same")
	require.Empty(t, w.take(t, 10))
	require.Empty(t, w.takeCommands(t, 10))
	require.True(t, adopt("second"))
	require.ElementsMatch(t, []string{pending, retrying}, w.take(t, 10))
	rows := w.takeCommands(t, 10)
	require.Len(t, rows, 1)
	require.Equal(t, command, rows[0].ID)
	require.True(t, w.invocation(t, parkedOne).Parked)
	require.False(t, adopt("second"), "the last is kept")
}
