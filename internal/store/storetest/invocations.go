package storetest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/internal/store"
	"github.com/posthorn/posthorn/models"
)

func (w *world) invocationIDs(t *testing.T, f models.InvocationFilter) []string {
	t.Helper()
	rows, _, err := w.Invocations(t.Context(), f, store.Page{Limit: 500})
	require.NoError(t, err)
	ids := make([]string, 0, len(rows))
	for i := range rows {
		ids = append(ids, rows[i].ID)
	}
	return ids
}

func invocations(t *testing.T, w *world) {
	t.Helper()

	t.Run("come newest first, none twice, none missing", func(t *testing.T) {
		app, stranger := w.application(t), w.application(t)
		sub, theirs := w.subscription(t, app), w.subscription(t, stranger)
		ids := w.fireMany(t, 23, app, sub)
		w.fireMany(t, 3, stranger, theirs)
		list := func(p store.Page) ([]models.InvocationView, string, error) {
			return w.Invocations(t.Context(), models.InvocationFilter{ApplicationID: app.ID}, p)
		}
		id := func(v *models.InvocationView) string { return v.ID }
		require.Equal(t, reversed(ids), pages(t, 5, list, id, func() { w.fire(t, app, sub) }))
	})

	t.Run("come newest first where a time bounds them, also those of one moment", func(t *testing.T) {
		app := w.application(t)
		sub := w.subscription(t, app)
		w.fireMany(t, 3, app, sub)
		w.clock.Advance(time.Minute)
		from := w.now()
		var ids []string
		for range 4 {
			ids = append(ids, w.fireMany(t, 4, app, sub)...)
			w.clock.Advance(time.Minute)
		}
		f := models.InvocationFilter{ApplicationID: app.ID, After: from, Before: w.now()}
		list := func(p store.Page) ([]models.InvocationView, string, error) { return w.Invocations(t.Context(), f, p) }
		id := func(v *models.InvocationView) string { return v.ID }
		require.Equal(t, reversed(ids), pages(t, 3, list, id, func() { w.fire(t, app, sub) }))
		for _, cursor := range []string{"1", "x/" + ids[0], "1/"} {
			_, _, err := list(store.Page{Limit: 5, After: cursor})
			require.Equal(t, models.CodeMalformed, models.ErrorCode(err), cursor)
		}
	})

	t.Run("are filtered", func(t *testing.T) {
		app := w.application(t)
		subs := []*models.Subscription{w.subscription(t, app), w.subscription(t, app)}
		start := w.now()
		drafts := make([]*models.Acceptance, 3)
		for i, entity := range []string{"x", "y", "x"} {
			drafts[i] = w.draft(t, app, subs, about(entity, 0), func(a *models.Acceptance) { a.Event.Type = "type-" + number(i) })
			w.accept(t, app, drafts[i])
			w.clock.Advance(time.Minute)
		}
		of := func(event, sub int) string { return drafts[event].Invocations[sub].ID }
		for name, c := range map[string]struct {
			filter models.InvocationFilter
			want   []string
		}{
			"subscription":       {models.InvocationFilter{SubscriptionID: subs[1].ID}, []string{of(2, 1), of(1, 1), of(0, 1)}},
			"event":              {models.InvocationFilter{EventID: drafts[1].Event.ID}, []string{of(1, 1), of(1, 0)}},
			"type":               {models.InvocationFilter{EventType: "type-0002"}, []string{of(2, 1), of(2, 0)}},
			"entity":             {models.InvocationFilter{EntityID: "y"}, []string{of(1, 1), of(1, 0)}},
			"from":               {models.InvocationFilter{After: start.Add(2 * time.Minute)}, []string{of(2, 1), of(2, 0)}},
			"until":              {models.InvocationFilter{Before: start.Add(time.Minute)}, []string{of(0, 1), of(0, 0)}},
			"subscription, from": {models.InvocationFilter{SubscriptionID: subs[1].ID, After: start.Add(time.Minute)}, []string{of(2, 1), of(1, 1)}},
			"type, until":        {models.InvocationFilter{EventType: "type-0000", Before: start.Add(time.Hour)}, []string{of(0, 1), of(0, 0)}},
			"status, between": {models.InvocationFilter{
				Status: models.StatusPending, After: start.Add(time.Minute), Before: start.Add(2 * time.Minute),
			}, []string{of(1, 1), of(1, 0)}},
			"taken, from": {models.InvocationFilter{Receipt: models.ReceiptTaken, After: start}, []string{}},
			"all of it": {models.InvocationFilter{
				SubscriptionID: subs[0].ID, EventID: drafts[2].Event.ID, EventType: "type-0002", EntityID: "x",
				Status: models.StatusPending, After: start, Before: start.Add(time.Hour),
			}, []string{of(2, 0)}},
			"nothing": {models.InvocationFilter{SubscriptionID: subs[0].ID, EntityID: "z"}, []string{}},
		} {
			c.filter.ApplicationID = app.ID
			require.Equal(t, c.want, w.invocationIDs(t, c.filter), name)
		}
	})

	t.Run("are found by the status that clients see", func(t *testing.T) {
		app := w.application(t)
		active, off := w.subscription(t, app), w.subscription(t, app)
		stored := []models.InvocationStatus{
			models.StatusPending, models.StatusQueued, models.StatusRetrying,
			models.StatusSucceeded, models.StatusFailed, models.StatusCancelled, models.StatusAbandoned,
		}
		want := map[models.InvocationStatus][]string{}
		for _, status := range stored {
			id := w.settled(t, app, active, status)
			want[status] = append([]string{id}, want[status]...)
		}
		for _, status := range stored {
			id := w.settled(t, app, off, status)
			shown := status
			if status.Open() {
				shown = models.StatusPaused
			}
			want[shown] = append([]string{id}, want[shown]...)
		}
		w.update(t, off, func(s *models.Subscription) { s.Enabled = false })
		for _, status := range models.InvocationStatuses() {
			filter := models.InvocationFilter{ApplicationID: app.ID, Status: status}
			require.Equal(t, want[status], w.invocationIDs(t, filter), "status %s", status)
			for _, id := range want[status] {
				require.Equal(t, status, w.invocation(t, id).Shown())
			}
		}
	})

	t.Run("are found by what has come of their attempts", func(t *testing.T) {
		app := w.application(t)
		sub := w.subscription(t, app)
		all := models.InvocationFilter{ApplicationID: app.ID}
		for _, status := range []models.InvocationStatus{
			models.StatusPending, models.StatusQueued, models.StatusRetrying,
			models.StatusSucceeded, models.StatusFailed, models.StatusCancelled, models.StatusAbandoned,
		} {
			w.settled(t, app, sub, status)
		}
		cancelled := w.settled(t, app, sub, models.StatusRetrying)
		require.NoError(t, w.Cancel(t.Context(), cancelled))
		want := map[models.Receipt][]string{}
		for _, id := range w.invocationIDs(t, all) {
			receipt := w.invocation(t, id).Receipt()
			want[receipt] = append(want[receipt], id)
		}
		require.Len(t, want[models.ReceiptTaken], 1)
		require.Len(t, want[models.ReceiptRefused], 3, "retrying, failed, cancelled after an attempt")
		require.Len(t, want[models.ReceiptNone], 4)
		for receipt, ids := range want {
			narrowed := all
			narrowed.Receipt = receipt
			require.Equal(t, ids, w.invocationIDs(t, narrowed), receipt)
		}
	})

	t.Run("are paused by each reason for a subscription to get nothing", func(t *testing.T) {
		for name, change := range map[string]func(*models.Subscription){
			"disabled":   func(s *models.Subscription) { s.Enabled = false },
			"unverified": func(s *models.Subscription) { s.Verified = false },
			"gone":       func(s *models.Subscription) { s.Gone = true },
		} {
			_, sub, id := w.fired(t)
			require.Equal(t, models.StatusPending, w.invocation(t, id).Shown())
			w.update(t, sub, change)
			require.Equal(t, models.StatusPaused, w.invocation(t, id).Shown(), name)
		}
	})

	t.Run("of a test have no event", func(t *testing.T) {
		app := w.application(t)
		sub := w.subscription(t, app)
		under := spec(t, func(s *models.Spec) { s.Timeout = models.Duration(4321 * time.Millisecond) })
		i := invocationOf(&models.Event{ApplicationID: app.ID, Type: "webhook.test"}, sub, under, w.now())
		i.EventID, i.WorkflowID = nil, "invocation/"+i.ID
		require.NoError(t, w.CreateTest(t.Context(), i, under))
		view := w.invocation(t, i.ID)
		require.Equal(t, *i, view.Invocation)
		require.True(t, view.IsTest())
		require.Equal(t, []string{i.ID}, w.invocationIDs(t, models.InvocationFilter{ApplicationID: app.ID}))
		require.Empty(t, w.invocationIDs(t, models.InvocationFilter{ApplicationID: app.ID, WithoutTests: true}))
		fired := w.fire(t, app, sub)
		require.Equal(t, []string{fired}, w.invocationIDs(t, models.InvocationFilter{ApplicationID: app.ID, WithoutTests: true}))
	})
}
