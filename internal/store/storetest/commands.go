package storetest

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/internal/store"
	"github.com/posthorn/posthorn/models"
)

func (w *world) takeCommands(t *testing.T, limit int) []models.Command {
	t.Helper()
	rows, err := w.TakeCommands(t.Context(), limit)
	require.NoError(t, err)
	return rows
}

func commands(t *testing.T, w *world) {
	t.Helper()

	t.Run("of a redelivery are leased, marked and settled by the attempt", func(t *testing.T) {
		w.quiet(t)
		_, _, id := w.fired(t)
		command, err := w.Redeliver(t.Context(), id, false)
		require.NoError(t, err)
		rows := w.takeCommands(t, 10)
		require.Equal(t, []models.Command{{
			ID: command, InvocationID: id, Kind: models.CommandRedeliver, WorkflowID: w.invocation(t, id).WorkflowID,
			DispatchAfter: new(w.in(dispatchLease)), CreatedAt: w.now(),
		}}, rows)
		require.Empty(t, w.takeCommands(t, 10))
		w.clock.Advance(dispatchLease)
		again := w.takeCommands(t, 10)
		require.Len(t, again, 1)
		require.NoError(t, w.MarkCommand(t.Context(), rows[0]), "of the lease that is over")
		w.clock.Advance(dispatchLease)
		again = w.takeCommands(t, 10)
		require.Len(t, again, 1)
		require.NoError(t, w.MarkCommand(t.Context(), again[0]))
		w.clock.Advance(dispatchLease)
		require.Empty(t, w.takeCommands(t, 10))
		require.Equal(t, 1, w.commandsOf(t, id), "signalled is not carried out")

		g := w.askRedelivery(t, w.worker(t), command)
		w.end(t, g.Claim, w.unreached())
		require.Zero(t, w.commandsOf(t, id))
	})

	t.Run("of a cancel are settled by their signal", func(t *testing.T) {
		w.quiet(t)
		_, _, id := w.fired(t)
		w.dispatched(t)
		require.NoError(t, w.Cancel(t.Context(), id))
		rows := w.takeCommands(t, 10)
		require.Len(t, rows, 1)
		require.Equal(t, models.CommandCancel, rows[0].Kind)
		require.NoError(t, w.MarkCommand(t.Context(), rows[0]))
		require.Zero(t, w.commandsOf(t, id))
		w.clock.Advance(time.Hour)
		require.Empty(t, w.takeCommands(t, 10))
	})

	t.Run("come oldest first within the limit", func(t *testing.T) {
		w.quiet(t)
		_, _, id := w.fired(t)
		ids := make([]string, 5)
		for i := range ids {
			var err error
			ids[i], err = w.Redeliver(t.Context(), id, false)
			require.NoError(t, err)
			w.clock.Advance(time.Millisecond)
		}
		var got []string
		for range 3 {
			rows := w.takeCommands(t, 2)
			require.LessOrEqual(t, len(rows), 2)
			for _, row := range rows {
				got = append(got, row.ID)
			}
		}
		require.ElementsMatch(t, ids[:2], got[:2])
		require.ElementsMatch(t, ids, got)
	})

	t.Run("never go to two takers", func(t *testing.T) {
		w.quiet(t)
		_, _, id := w.fired(t)
		const n = 40
		for range n {
			_, err := w.Redeliver(t.Context(), id, false)
			require.NoError(t, err)
		}
		var mu sync.Mutex
		taken := map[string]int{}
		errs := make([]error, 4)
		atOnce(len(errs), func(i int) {
			for range 5 {
				rows, err := w.TakeCommands(t.Context(), 7)
				errs[i] = err
				mu.Lock()
				for _, row := range rows {
					taken[row.ID]++
				}
				mu.Unlock()
			}
		})
		for _, err := range errs {
			require.NoError(t, err)
		}
		for _, row := range w.takeCommands(t, n) {
			taken[row.ID]++
		}
		require.Len(t, taken, n)
		for _, times := range taken {
			require.Equal(t, 1, times)
		}
	})

	t.Run("that were signalled and not carried out are brought up again", func(t *testing.T) {
		w.quiet(t)
		_, _, id := w.fired(t)
		command, err := w.Redeliver(t.Context(), id, false)
		require.NoError(t, err)
		w.dispatched(t)
		w.attempt(t, w.worker(t), id, w.delivered)
		require.NoError(t, w.MarkCommand(t.Context(), w.takeCommands(t, 10)[0]))
		w.clock.Advance(store.OverdueAfter - time.Second - time.Microsecond)
		require.Zero(t, w.reconciled(t))
		w.clock.Advance(time.Microsecond)
		require.Equal(t, 1, w.reconciled(t))
		rows := w.takeCommands(t, 10)
		require.Len(t, rows, 1)
		require.Equal(t, command, rows[0].ID)
	})
}
