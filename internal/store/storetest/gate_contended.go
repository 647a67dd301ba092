package storetest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/internal/store"
	"github.com/posthorn/posthorn/models"
)

func contended(t *testing.T, w *world) {
	t.Helper()

	t.Run("grants an attempt to one of two askers", func(t *testing.T) {
		app := w.application(t)
		sub := w.subscription(t, app)
		owners := []string{w.worker(t), w.worker(t)}
		for _, id := range w.fireMany(t, 50, app, sub) {
			gates := make([][]models.Gate, len(owners))
			errs := make([]error, len(owners))
			atOnce(len(owners), func(i int) { gates[i], errs[i] = w.Claim(t.Context(), owners[i], []string{id}) })
			verdicts := map[models.Verdict]int{}
			for i := range owners {
				require.NoError(t, errs[i])
				verdicts[gates[i][0].Verdict]++
			}
			require.Equal(t, map[models.Verdict]int{granted: 1, models.VerdictHeld: 1}, verdicts)
		}
	})

	t.Run("takes over from a dead owner once", func(t *testing.T) {
		app := w.application(t)
		ids := w.fireMany(t, 10, app, w.subscription(t, app))
		dead := w.worker(t)
		for _, id := range ids {
			w.claim(t, dead, id)
		}
		w.clock.Advance(store.Lease)
		owners := []string{w.worker(t), w.worker(t), w.worker(t)}
		for _, id := range ids {
			gates := make([][]models.Gate, len(owners))
			errs := make([]error, len(owners))
			atOnce(len(owners), func(i int) { gates[i], errs[i] = w.Claim(t.Context(), owners[i], []string{id}) })
			won := 0
			for i := range owners {
				require.NoError(t, errs[i])
				if gates[i][0].Verdict == granted {
					won++
				}
			}
			require.Equal(t, 1, won)
			require.Len(t, w.attempts(t, id), 1)
		}
	})

	t.Run("keeps max_in_flight among eight askers", func(t *testing.T) {
		app := w.application(t)
		for range 5 {
			ids := w.fireMany(t, 8, app, w.subscription(t, app), inFlight(3))
			owner := w.worker(t)
			gates := make([][]models.Gate, len(ids))
			errs := make([]error, len(ids))
			atOnce(len(ids), func(i int) { gates[i], errs[i] = w.Claim(t.Context(), owner, ids[i:i+1]) })
			verdicts := map[models.Verdict]int{}
			for i := range ids {
				require.NoError(t, errs[i])
				verdicts[gates[i][0].Verdict]++
			}
			require.Equal(t, map[models.Verdict]int{granted: 3, parked: 5}, verdicts)
		}
	})

	t.Run("lets rounds that overlap pass each other", func(t *testing.T) {
		app := w.application(t)
		ids := w.fireMany(t, 30, app, w.subscription(t, app))
		owner := w.worker(t)
		won := make([]int, 4)
		errs := make([]error, len(won))
		atOnce(len(won), func(i int) {
			mine := ids
			if i%2 == 1 {
				mine = reversed(ids)
			}
			gates, err := w.Claim(t.Context(), owner, mine)
			errs[i] = err
			for _, g := range gates {
				if g.Verdict == granted {
					won[i]++
				}
			}
		})
		total := 0
		for i, err := range errs {
			require.NoError(t, err)
			total += won[i]
		}
		require.Equal(t, len(ids), total)
	})
}
