package storetest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/models"
)

// eventTypes: they are kept whole, oldest first.
func eventTypes(t *testing.T, w *world) {
	first := models.EventType{
		Name: "z.first", Wire: `1796`, Group: "g", Description: "<&> Ω", Deprecated: true, Versions: []string{"1", "2"},
		Schema: `{"type" : "object"}`,
	}
	second := models.EventType{Name: "a.second", Wire: `"a"`}
	require.NoError(t, w.PutEventType(t.Context(), "viva", first))
	w.clock.Advance(time.Second)
	require.NoError(t, w.PutEventType(t.Context(), "viva", second))
	require.NoError(t, w.PutEventType(t.Context(), "aria", second))
	got, err := w.EventTypes(t.Context(), "viva")
	require.NoError(t, err)
	require.Equal(t, []models.EventType{first, second}, got)

	w.clock.Advance(time.Second)
	first.Description, first.Schema = "changed", ""
	require.NoError(t, w.PutEventType(t.Context(), "viva", first))
	got, err = w.EventTypes(t.Context(), "viva")
	require.NoError(t, err)
	require.Equal(t, []models.EventType{first, second}, got, "a change keeps its place")
	got, err = w.EventTypes(t.Context(), "thredd")
	require.NoError(t, err)
	require.Empty(t, got)
}
