package storetest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/models"
)

// traceContexts stay with their event: its claims have them, and the dispatcher may ask for them.
func traceContexts(t *testing.T, w *world) {
	t.Helper()
	w.quiet(t)
	const given = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	app := w.application(t)
	sub := w.subscription(t, app)
	traced := w.draftUnder(app, spec(t), []*models.Subscription{sub})
	traced.Event.Traceparent = new(given)
	plain := w.draftUnder(app, spec(t), []*models.Subscription{sub})
	w.accept(t, app, traced, plain)

	rows, err := w.TakeDispatches(t.Context(), 10)
	require.NoError(t, err)
	require.NoError(t, w.FillTraceparents(t.Context(), rows))
	got := map[string]string{}
	for _, row := range rows {
		got[row.InvocationID] = row.Traceparent
	}
	first, second := traced.Invocations[0].ID, plain.Invocations[0].ID
	require.Equal(t, map[string]string{first: given, second: ""}, got)
	require.NoError(t, w.FillTraceparents(t.Context(), []models.Dispatch{{InvocationID: "a test"}}))

	owner := w.worker(t)
	require.Equal(t, given, w.claim(t, owner, first).Traceparent)
	require.Empty(t, w.claim(t, owner, second).Traceparent)
}
