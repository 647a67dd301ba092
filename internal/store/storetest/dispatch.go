package storetest

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/models"
)

// dispatchLease is what TakeDispatches and TakeCommands promise.
const dispatchLease = 3 * time.Second

// take takes dispatches and returns their invocations' ids.
func (w *world) take(t *testing.T, limit int) []string {
	t.Helper()
	rows, err := w.TakeDispatches(t.Context(), limit)
	require.NoError(t, err)
	require.LessOrEqual(t, len(rows), limit)
	ids := make([]string, 0, len(rows))
	for _, row := range rows {
		ids = append(ids, row.InvocationID)
	}
	return ids
}

// dispatched takes everything that is due and marks it.
func (w *world) dispatched(t *testing.T) []string {
	t.Helper()
	ids := w.take(t, 1000)
	require.NoError(t, w.MarkDispatched(t.Context(), w.in(dispatchLease), ids))
	return ids
}

func dispatches(t *testing.T, w *world) {
	t.Helper()

	t.Run("name the workflow and all that starting it takes", func(t *testing.T) {
		w.quiet(t)
		app := w.application(t)
		sub := w.subscription(t, app)
		a := w.draft(t, app, []*models.Subscription{sub})
		w.accept(t, app, a)
		rows, err := w.TakeDispatches(t.Context(), 10)
		require.NoError(t, err)
		require.Equal(t, []models.Dispatch{{
			InvocationID: a.Invocations[0].ID, ApplicationID: app.ID, SubscriptionID: sub.ID, EventID: &a.Event.ID,
			EventType: "loan.updated", WorkflowID: "event/" + a.Event.ID, Lease: w.in(dispatchLease), Due: w.now(),
		}}, rows)
	})

	t.Run("are leased until they are marked", func(t *testing.T) {
		w.quiet(t)
		_, _, id := w.fired(t)
		require.Equal(t, []string{id}, w.take(t, 10))
		require.Empty(t, w.take(t, 10))
		w.clock.Advance(dispatchLease - time.Microsecond)
		require.Empty(t, w.take(t, 10))
		w.clock.Advance(time.Microsecond)
		require.Equal(t, []string{id}, w.dispatched(t))
		w.clock.Advance(time.Hour)
		require.Empty(t, w.take(t, 10))
	})

	t.Run("wait for not_before", func(t *testing.T) {
		w.quiet(t)
		app := w.application(t)
		later := w.in(time.Hour)
		a := w.draft(t, app, []*models.Subscription{w.subscription(t, app)}, func(a *models.Acceptance) {
			a.Event.NotBefore = &later
			a.Invocations[0].NextAttemptAt, a.Invocations[0].DispatchAfter = &later, &later
		})
		w.accept(t, app, a)
		w.clock.Advance(time.Hour - time.Microsecond)
		require.Empty(t, w.take(t, 10))
		w.clock.Advance(time.Microsecond)
		require.Len(t, w.take(t, 10), 1)
	})

	t.Run("come oldest first within the limit", func(t *testing.T) {
		w.quiet(t)
		app := w.application(t)
		sub := w.subscription(t, app)
		ids := make([]string, 5)
		for i := range ids {
			ids[i] = w.fire(t, app, sub)
			w.clock.Advance(time.Second)
		}
		require.ElementsMatch(t, ids[:2], w.take(t, 2))
		require.ElementsMatch(t, ids[2:4], w.take(t, 2))
		require.Equal(t, ids[4:], w.take(t, 2))
	})

	t.Run("are marked by their own lease only", func(t *testing.T) {
		w.quiet(t)
		_, _, id := w.fired(t)
		slow := w.in(dispatchLease)
		require.Equal(t, []string{id}, w.take(t, 10))
		w.clock.Advance(dispatchLease)
		require.Equal(t, []string{id}, w.take(t, 10))
		require.NoError(t, w.MarkDispatched(t.Context(), slow, []string{id}))
		require.Equal(t, new(w.in(dispatchLease)), w.invocation(t, id).DispatchAfter, "it changed hands")
		require.NoError(t, w.MarkDispatched(t.Context(), w.in(dispatchLease), nil))
	})

	t.Run("end with the claim of the attempt", func(t *testing.T) {
		w.quiet(t)
		_, _, id := w.fired(t)
		w.claim(t, w.worker(t), id)
		w.clock.Advance(time.Hour)
		require.Empty(t, w.take(t, 10))
	})

	t.Run("never go to two takers", func(t *testing.T) {
		w.quiet(t)
		app := w.application(t)
		ids := w.fireMany(t, 200, app, w.subscription(t, app))
		const takers, limit = 4, 15
		var mu sync.Mutex
		taken := map[string]int{}
		errs := make([]error, takers)
		atOnce(takers, func(i int) {
			for range len(ids) {
				rows, err := w.TakeDispatches(t.Context(), limit)
				errs[i] = err
				if len(rows) == 0 || len(rows) > limit {
					return
				}
				mu.Lock()
				for _, row := range rows {
					taken[row.InvocationID]++
				}
				mu.Unlock()
			}
		})
		for _, err := range errs {
			require.NoError(t, err)
		}
		for len(taken) < len(ids) { // a taker ends when all that is left is locked by others
			rest := w.take(t, limit)
			require.NotEmpty(t, rest, "taken %d of %d", len(taken), len(ids))
			for _, id := range rest {
				taken[id]++
			}
		}
		for _, id := range ids {
			require.Equal(t, 1, taken[id])
		}
	})
}
