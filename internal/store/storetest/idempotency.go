package storetest

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/models"
)

func keyed(key, payload string) func(*models.Acceptance) {
	return func(a *models.Acceptance) {
		a.Event.IdempotencyKey, a.Event.Payload = &key, []byte(payload)
	}
}

func idempotency(t *testing.T, w *world) {
	t.Helper()

	t.Run("answers a repeat with the first event", func(t *testing.T) {
		app := w.application(t)
		subs := []*models.Subscription{w.subscription(t, app), w.subscription(t, app)}
		first := w.draft(t, app, subs, keyed("k", "1"))
		w.accept(t, app, first)
		repeat := w.draft(t, app, subs, keyed("k", "1"))
		w.accept(t, app, repeat)

		require.True(t, repeat.Duplicate)
		require.Equal(t, first.Event.ID, repeat.Event.ID)
		require.Equal(t, first.Event.Sequence(), repeat.Event.Sequence())
		require.Equal(t, first.Event.CreatedAt, repeat.Event.CreatedAt)
		require.Len(t, repeat.Invocations, 2)
		for i := range repeat.Invocations {
			require.Equal(t, first.Invocations[i].ID, repeat.Invocations[i].ID)
			require.Equal(t, first.Invocations[i].SubscriptionID, repeat.Invocations[i].SubscriptionID)
		}
		require.Equal(t, 1, w.count(t, "SELECT count(*) FROM events WHERE application_id = ?", app.ID))
		require.Equal(t, 2, w.count(t, "SELECT count(*) FROM invocations WHERE application_id = ?", app.ID))
	})

	t.Run("refuses a key used for other content", func(t *testing.T) {
		app := w.application(t)
		w.accept(t, app, w.draft(t, app, nil, keyed("k", "1")))
		other := w.draft(t, app, nil, keyed("k", "2"))
		require.NoError(t, w.Accept(t.Context(), app.ID, []*models.Acceptance{other}))

		require.Equal(t, models.CodeIdempotencyMismatch, models.ErrorCode(other.Err))
		require.False(t, other.Duplicate)
		require.Equal(t, 1, w.count(t, "SELECT count(*) FROM events WHERE application_id = ?", app.ID))
	})

	t.Run("keeps applications apart", func(t *testing.T) {
		for range 2 {
			app := w.application(t)
			a := w.draft(t, app, nil, keyed("shared", "1"))
			w.accept(t, app, a)
			require.False(t, a.Duplicate)
		}
	})

	t.Run("finds repeats and mismatches inside one batch", func(t *testing.T) {
		app := w.application(t)
		sub := []*models.Subscription{w.subscription(t, app)}
		refused := models.Invalid("type", "is unknown")
		batch := []*models.Acceptance{
			w.draft(t, app, sub, keyed("a", "1")),
			{Err: refused},
			w.draft(t, app, sub, keyed("a", "1")),
			w.draft(t, app, sub, keyed("a", "2")),
			w.draft(t, app, sub, keyed("b", "1")),
		}
		require.NoError(t, w.Accept(t.Context(), app.ID, batch))

		require.NoError(t, batch[0].Err)
		require.Equal(t, error(refused), batch[1].Err)
		require.True(t, batch[2].Duplicate)
		require.Equal(t, batch[0].Event.ID, batch[2].Event.ID)
		require.Equal(t, batch[0].Invocations[0].ID, batch[2].Invocations[0].ID)
		require.Equal(t, models.CodeIdempotencyMismatch, models.ErrorCode(batch[3].Err))
		require.NoError(t, batch[4].Err)
		require.Equal(t, 2, w.count(t, "SELECT count(*) FROM events WHERE application_id = ?", app.ID))
		require.Equal(t, 2, w.count(t, "SELECT count(*) FROM invocations WHERE application_id = ?", app.ID))
	})

	t.Run("gives twenty publishers of one key the same event", func(t *testing.T) {
		app := w.application(t)
		sub := []*models.Subscription{w.subscription(t, app)}
		published := make([]*models.Acceptance, 20)
		errs := make([]error, len(published))
		for i := range published {
			published[i] = w.draft(t, app, sub, keyed("k", "1"))
		}
		atOnce(len(published), func(i int) { errs[i] = w.Accept(t.Context(), app.ID, published[i:i+1]) })

		firsts := 0
		for i, a := range published {
			require.NoError(t, errs[i])
			require.NoError(t, a.Err)
			require.Equal(t, published[0].Event.ID, a.Event.ID)
			require.Len(t, a.Invocations, 1)
			require.Equal(t, published[0].Invocations[0].ID, a.Invocations[0].ID)
			if !a.Duplicate {
				firsts++
			}
		}
		require.Equal(t, 1, firsts)
		require.Equal(t, 1, w.count(t, "SELECT count(*) FROM invocations WHERE application_id = ?", app.ID))
	})

	t.Run("survives batches that name the same keys in another order", func(t *testing.T) {
		app := w.application(t)
		sub := []*models.Subscription{w.subscription(t, app)}
		batches := make([][]*models.Acceptance, 2)
		for i := range batches {
			batches[i] = []*models.Acceptance{w.draft(t, app, sub, keyed("a", "1")), w.draft(t, app, sub, keyed("b", "1"))}
		}
		slices.Reverse(batches[1])
		errs := make([]error, len(batches))
		atOnce(len(batches), func(i int) { errs[i] = w.Accept(t.Context(), app.ID, batches[i]) })

		for i, batch := range batches {
			require.NoError(t, errs[i])
			for _, a := range batch {
				require.NoError(t, a.Err)
				require.Len(t, a.Invocations, 1)
			}
		}
		require.Equal(t, batches[0][0].Event.ID, batches[1][1].Event.ID)
		require.Equal(t, 2, w.count(t, "SELECT count(*) FROM events WHERE application_id = ?", app.ID))
	})
}
