//go:build record

package workflows_test

import (
	"context"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/models"
	"github.com/posthorn/posthorn/workflows"
)

// erasePlays are the ways through Erase, by the names of their histories.
func erasePlays() map[string]func(*recorder) string {
	return map[string]func(*recorder) string{"erase": playErase}
}

// remains are so many batches of an erasure, of which the second waits.
type remains struct{ batches int64 }

func (r remains) Erase(
	_ context.Context, _ string, from models.ErasureCursor, _ int,
) (models.ErasureStep, error) {
	next := models.ErasureCursor{Phase: models.EraseEvents, Seq: from.Seq + 1}
	return models.ErasureStep{Next: next, Waiting: next.Seq == 2, Done: next.Seq == r.batches}, nil
}

func playErase(r *recorder) string {
	r.acts.Eraser = remains{batches: 4}
	run, err := r.client.ExecuteWorkflow(r.t.Context(), r.options(), workflows.EraseName, workflows.EraseInput{Erasure: "e"})
	require.NoError(r.t, err)
	require.NoError(r.t, run.Get(r.t.Context(), nil))
	return run.GetRunID()
}
