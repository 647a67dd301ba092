package storetest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/models"
)

func settings(t *testing.T, w *world) {
	t.Helper()

	t.Run("are empty until they are set", func(t *testing.T) {
		for _, want := range []string{"", "one", "δύο", ""} {
			if want != "" {
				require.NoError(t, w.SetSetting(t.Context(), "name", want))
			}
			if want == "" {
				continue
			}
			got, err := w.Setting(t.Context(), "name")
			require.NoError(t, err)
			require.Equal(t, want, got)
		}
		got, err := w.Setting(t.Context(), "another")
		require.NoError(t, err)
		require.Empty(t, got)
	})

	t.Run("event types are kept whole, oldest first", func(t *testing.T) {
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
	})

	t.Run("workers are forgotten an hour after their last sign", func(t *testing.T) {
		old := w.worker(t)
		w.clock.Advance(time.Hour)
		kept := w.worker(t)
		require.Equal(t, 1, w.count(t, "SELECT count(*) FROM workers WHERE id = ?", old))
		w.clock.Advance(time.Microsecond)
		w.worker(t)
		require.Zero(t, w.count(t, "SELECT count(*) FROM workers WHERE id = ?", old))
		require.Equal(t, 1, w.count(t, "SELECT count(*) FROM workers WHERE id = ?", kept))
		require.NoError(t, w.RetireWorker(t.Context(), kept))
		require.NoError(t, w.RetireWorker(t.Context(), kept), "again")
	})
}
