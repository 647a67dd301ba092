package storetest

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/internal/store"
	"github.com/posthorn/posthorn/models"
)

// pages walks a list to its end and returns the ids in the order they came; between runs after every page.
func pages[T any](
	t *testing.T, limit int, list func(store.Page) ([]T, string, error), id func(*T) string, between func(),
) []string {
	t.Helper()
	var ids []string
	cursor := ""
	for range 100 {
		rows, next, err := list(store.Page{Limit: limit, After: cursor})
		require.NoError(t, err)
		require.LessOrEqual(t, len(rows), limit)
		for i := range rows {
			ids = append(ids, id(&rows[i]))
		}
		if next == "" {
			return ids
		}
		require.Len(t, rows, limit, "only the last page may be short")
		between()
		cursor = next
	}
	require.Fail(t, "the list does not end")
	return nil
}

func reversed(ids []string) []string {
	backward := slices.Clone(ids)
	slices.Reverse(backward)
	return backward
}

// eventIDs lists with one filter, on one page.
func (w *world) eventIDs(t *testing.T, f models.EventFilter) []string {
	t.Helper()
	rows, _, err := w.Events(t.Context(), f, store.Page{Limit: 500})
	require.NoError(t, err)
	ids := make([]string, 0, len(rows))
	for i := range rows {
		ids = append(ids, rows[i].ID)
	}
	return ids
}

func events(t *testing.T, w *world) {
	t.Helper()

	t.Run("come newest first, none twice, none missing", func(t *testing.T) {
		app, stranger := w.application(t), w.application(t)
		want := make([]string, 0, 25)
		for range 25 {
			a := w.draft(t, app, nil)
			w.accept(t, app, a)
			w.accept(t, stranger, w.draft(t, stranger, nil))
			want = append(want, a.Event.ID)
		}
		list := func(p store.Page) ([]models.Event, string, error) {
			return w.Events(t.Context(), models.EventFilter{ApplicationID: app.ID}, p)
		}
		id := func(e *models.Event) string { return e.ID }
		newer := func() { w.accept(t, app, w.draft(t, app, nil)) }
		require.Equal(t, reversed(want), pages(t, 5, list, id, newer), "while more are accepted")
		require.Len(t, pages(t, 7, list, id, func() {}), 25+4)
	})

	t.Run("come newest first where a time bounds them, also those of one moment", func(t *testing.T) {
		app := w.application(t)
		f := models.EventFilter{ApplicationID: app.ID}
		var ids []string
		for i := range 20 {
			switch i {
			case 4:
				f.After = w.now()
			case 16:
				f.Before = w.now()
			}
			a := w.draft(t, app, nil)
			w.accept(t, app, a)
			ids = append(ids, a.Event.ID)
			if i%4 == 3 {
				w.clock.Advance(time.Minute)
			}
		}
		list := func(p store.Page) ([]models.Event, string, error) { return w.Events(t.Context(), f, p) }
		id := func(e *models.Event) string { return e.ID }
		newer := func() { w.accept(t, app, w.draft(t, app, nil)) }
		require.Equal(t, reversed(ids[4:16]), pages(t, 3, list, id, newer))
	})

	t.Run("refuse a cursor of another kind", func(t *testing.T) {
		_, _, err := w.Events(t.Context(), models.EventFilter{ApplicationID: models.NewID()},
			store.Page{Limit: 5, After: models.NewID()})
		require.Equal(t, models.CodeMalformed, models.ErrorCode(err))
	})

	t.Run("carry payloads when asked", func(t *testing.T) {
		app := w.application(t)
		w.accept(t, app, w.draft(t, app, nil))
		for _, with := range []bool{false, true} {
			f := models.EventFilter{ApplicationID: app.ID, WithPayload: with}
			rows, _, err := w.Events(t.Context(), f, store.Page{Limit: 1})
			require.NoError(t, err)
			require.Len(t, rows, 1)
			require.Equal(t, with, len(rows[0].Payload) > 0)
		}
	})

	t.Run("are filtered", func(t *testing.T) {
		app := w.application(t)
		start := w.now()
		ids := make([]string, 4)
		for i, f := range []struct{ eventType, entity string }{{"a", "x"}, {"a", "y"}, {"b", "x"}, {"b", "y"}} {
			a := w.draft(t, app, nil, about(f.entity, 0), func(a *models.Acceptance) { a.Event.Type = f.eventType })
			w.accept(t, app, a)
			ids[i] = a.Event.ID
			w.clock.Advance(time.Minute)
		}
		all := models.EventFilter{ApplicationID: app.ID}
		for name, c := range map[string]struct {
			change func(*models.EventFilter)
			want   []string
		}{
			"type":    {func(f *models.EventFilter) { f.Type = "a" }, []string{ids[1], ids[0]}},
			"entity":  {func(f *models.EventFilter) { f.EntityID = "x" }, []string{ids[2], ids[0]}},
			"both":    {func(f *models.EventFilter) { f.Type, f.EntityID = "b", "y" }, []string{ids[3]}},
			"nothing": {func(f *models.EventFilter) { f.Type = "c" }, []string{}},
			"from":    {func(f *models.EventFilter) { f.After = start.Add(2 * time.Minute) }, []string{ids[3], ids[2]}},
			"until":   {func(f *models.EventFilter) { f.Before = start.Add(2 * time.Minute) }, []string{ids[1], ids[0]}},
			"a window": {func(f *models.EventFilter) {
				f.After, f.Before = start.Add(time.Microsecond), start.Add(time.Minute+time.Microsecond)
			}, ids[1:2]},
		} {
			f := all
			c.change(&f)
			require.Equal(t, c.want, w.eventIDs(t, f), name)
		}
	})

	t.Run("are undelivered until every subscription has them", func(t *testing.T) {
		app := w.application(t)
		subs := []*models.Subscription{w.subscription(t, app), w.subscription(t, app)}
		unwanted := w.draft(t, app, nil)
		half, whole := w.draft(t, app, subs), w.draft(t, app, subs)
		w.accept(t, app, unwanted, half, whole)
		owner := w.worker(t)
		w.attempt(t, owner, half.Invocations[0].ID, w.delivered)
		w.attempt(t, owner, whole.Invocations[0].ID, w.delivered)
		w.attempt(t, owner, whole.Invocations[1].ID, w.delivered)

		require.Equal(t, []string{half.Event.ID, unwanted.Event.ID},
			w.eventIDs(t, models.EventFilter{ApplicationID: app.ID, Undelivered: true}))
	})
}
