package storetest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/internal/store"
	"github.com/posthorn/posthorn/models"
)

func inFlight(n int) func(*models.Spec) { return func(s *models.Spec) { s.MaxInFlight = n } }

func perSecond(n float64) func(*models.Spec) { return func(s *models.Spec) { s.RateLimit = n } }

const granted, parked = models.VerdictGranted, models.VerdictParked

func limited(t *testing.T, w *world) {
	t.Helper()

	t.Run("parks what is over max_in_flight, briefly", func(t *testing.T) {
		app := w.application(t)
		sub := w.subscription(t, app)
		ids := w.fireMany(t, 4, app, sub, inFlight(2))
		owner := w.worker(t)
		w.dispatched(t)
		require.Equal(t, []models.Verdict{granted, granted, parked}, w.verdicts(t, owner, ids[:3]...), "in one round")
		require.Equal(t, parked, w.ask(t, owner, ids[3]).Verdict, "in the next")
		for i, id := range ids[2:] {
			row := w.invocation(t, id)
			require.False(t, row.Parked, "it comes back by itself")
			require.Equal(t, new(w.in(time.Duration(i+1)*250*time.Millisecond)), row.DispatchAfter, "each at its own time")
			require.Equal(t, models.StatusPending, row.Status)
		}
	})

	t.Run("grants one more for each that ends", func(t *testing.T) {
		app := w.application(t)
		ids := w.fireMany(t, 3, app, w.subscription(t, app), inFlight(1))
		owner := w.worker(t)
		for i, id := range ids {
			c := w.claim(t, owner, id)
			for _, other := range ids[i+1:] {
				require.Equal(t, parked, w.ask(t, owner, other).Verdict)
			}
			w.end(t, c, w.delivered())
		}
	})

	t.Run("counts each subscription for itself", func(t *testing.T) {
		app := w.application(t)
		owner := w.worker(t)
		for range 3 {
			w.claim(t, owner, w.fire(t, app, w.subscription(t, app), inFlight(1)))
		}
	})

	t.Run("counts what is in flight as an outage of the database ends", func(t *testing.T) {
		app := w.application(t)
		ids := w.fireMany(t, 2, app, w.subscription(t, app), inFlight(1))
		owner := w.worker(t)
		w.claim(t, owner, ids[0])
		w.clock.Advance(2 * store.Lease)
		require.Equal(t, parked, w.ask(t, owner, ids[1]).Verdict, "before the first renewal")
	})

	t.Run("does not count attempts whose owner is dead", func(t *testing.T) {
		app := w.application(t)
		sub := w.subscription(t, app)
		ids := w.fireMany(t, 2, app, sub, inFlight(1))
		w.claim(t, w.worker(t), ids[0])
		require.NoError(t, w.Cancel(t.Context(), ids[0]), "so that nobody will ask for it again")
		w.clock.Advance(store.Lease)
		w.claim(t, w.worker(t), ids[1])
	})

	t.Run("does not count an attempt that has long ended without a word", func(t *testing.T) {
		app := w.application(t)
		ids := w.fireMany(t, 2, app, w.subscription(t, app), inFlight(1))
		owner := w.worker(t)
		w.claim(t, owner, ids[0])
		require.NoError(t, w.Cancel(t.Context(), ids[0]))
		w.pass(t, 2*time.Minute, owner)
		w.claim(t, owner, ids[1])
	})

	t.Run("allows a burst of a second and then one after the other", func(t *testing.T) {
		app := w.application(t)
		sub := w.subscription(t, app)
		ids := w.fireMany(t, 6, app, sub, perSecond(4))
		owner := w.worker(t)
		want := []models.Verdict{granted, granted, granted, granted, parked, parked}
		require.Equal(t, want, w.verdicts(t, owner, ids...))
		require.Equal(t, new(w.in(250*time.Millisecond)), w.invocation(t, ids[4]).DispatchAfter)

		w.clock.Advance(250*time.Millisecond - time.Microsecond)
		require.Equal(t, []models.Verdict{parked, parked}, w.verdicts(t, owner, ids[4:]...))
		w.clock.Advance(time.Microsecond)
		require.Equal(t, []models.Verdict{granted, parked}, w.verdicts(t, owner, ids[4:]...))
		require.Equal(t, new(w.in(250*time.Millisecond)), w.invocation(t, ids[5]).DispatchAfter)
	})

	t.Run("gathers no more than one burst while idle", func(t *testing.T) {
		app := w.application(t)
		sub := w.subscription(t, app)
		owner := w.worker(t)
		w.claim(t, owner, w.fire(t, app, sub, perSecond(2)))
		w.clock.Advance(time.Hour)
		owner = w.worker(t)
		ids := w.fireMany(t, 3, app, sub, perSecond(2))
		require.Equal(t, []models.Verdict{granted, granted, parked}, w.verdicts(t, owner, ids...))
	})

	t.Run("takes rates under one a second", func(t *testing.T) {
		app := w.application(t)
		sub := w.subscription(t, app)
		ids := w.fireMany(t, 2, app, sub, perSecond(0.5))
		owner := w.worker(t)
		require.Equal(t, []models.Verdict{granted, parked}, w.verdicts(t, owner, ids...))
		require.Equal(t, new(w.in(2*time.Second)), w.invocation(t, ids[1]).DispatchAfter)
		w.clock.Advance(2 * time.Second)
		require.Equal(t, granted, w.ask(t, owner, ids[1]).Verdict)
	})

	t.Run("lets a redelivery through", func(t *testing.T) {
		app := w.application(t)
		ids := w.fireMany(t, 2, app, w.subscription(t, app), inFlight(1))
		owner := w.worker(t)
		w.claim(t, owner, ids[0])
		w.redeliver(t, owner, ids[1])
	})
}
