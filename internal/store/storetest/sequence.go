package storetest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/models"
)

// about numbers an event of an entity; 0 leaves the number to acceptance.
func about(entity string, publisher int64) func(*models.Acceptance) {
	return func(a *models.Acceptance) {
		a.Event.EntityID = &entity
		if publisher != 0 {
			a.Event.PublisherSequence = &publisher
		}
	}
}

func sequence(t *testing.T, w *world) {
	t.Helper()

	t.Run("rises in the order of a batch and over batches", func(t *testing.T) {
		app := w.application(t)
		last := int64(0)
		for range 3 {
			batch := make([]*models.Acceptance, 50)
			for i := range batch {
				batch[i] = w.draft(t, app, nil)
			}
			w.accept(t, app, batch...)
			for _, a := range batch {
				require.Greater(t, a.Event.Sequence(), last)
				last = a.Event.Sequence()
			}
		}
	})

	t.Run("never mixes numbers in one entity", func(t *testing.T) {
		app, other := w.application(t), w.application(t)
		w.accept(t, app, w.draft(t, app, nil, about("given", 7)), w.draft(t, app, nil, about("counted", 0)))
		batch := []*models.Acceptance{
			w.draft(t, app, nil, about("given", 0)),
			w.draft(t, app, nil, about("counted", 8)),
			w.draft(t, app, nil, about("given", 3)), // late, but numbered
			w.draft(t, app, nil, about("counted", 0)),
			w.draft(t, app, nil), // of no entity
		}
		require.NoError(t, w.Accept(t.Context(), app.ID, batch))

		for i, code := range []models.Code{models.CodeValidation, models.CodeValidation, "", "", ""} {
			require.Equal(t, code, models.ErrorCode(batch[i].Err), "event %d: %v", i, batch[i].Err)
		}
		require.Equal(t, 5, w.count(t, "SELECT count(*) FROM events WHERE application_id = ?", app.ID))
		w.accept(t, other, w.draft(t, other, nil, about("given", 0)), w.draft(t, other, nil, about("counted", 8)))
	})

	t.Run("never mixes numbers inside one batch", func(t *testing.T) {
		app := w.application(t)
		batch := []*models.Acceptance{w.draft(t, app, nil, about("e", 1)), w.draft(t, app, nil, about("e", 0))}
		require.NoError(t, w.Accept(t.Context(), app.ID, batch))
		require.NoError(t, batch[0].Err)
		require.Equal(t, models.CodeValidation, models.ErrorCode(batch[1].Err))
	})

	t.Run("never mixes numbers of an entity that is new to all", func(t *testing.T) {
		app := w.application(t)
		for round := range 10 {
			entity := number(round)
			drafts := make([]*models.Acceptance, 8)
			errs := make([]error, len(drafts))
			for i := range drafts {
				drafts[i] = w.draft(t, app, nil, about(entity, int64(i%2)))
			}
			atOnce(len(drafts), func(i int) { errs[i] = w.Accept(t.Context(), app.ID, drafts[i:i+1]) })
			accepted := map[bool]int{}
			for i, a := range drafts {
				require.NoError(t, errs[i])
				if a.Err == nil {
					accepted[a.Event.PublisherSequence != nil]++
				}
			}
			require.Len(t, accepted, 1, "entity %s has both kinds of numbers", entity)
		}
	})
}
