package storetest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// workers: they are forgotten an hour after their last sign.
func workers(t *testing.T, w *world) {
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
}
