//go:build record

package workflows_test

import (
	"context"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/models"
	"github.com/posthorn/posthorn/workflows"
)

func retentionPlays() map[string]func(*recorder) string {
	return map[string]func(*recorder) string{"retention": playRetention}
}

// pile is so many batches of what is too old, of which every second one stays.
type pile struct{ batches int64 }

func (p pile) Purge(
	_ context.Context, _ time.Time, from models.PurgeCursor, limit int,
) (models.PurgeStep, error) {
	next := models.PurgeCursor{Phase: models.PurgeEvents, CreatedAt: from.CreatedAt + 1}
	return models.PurgeStep{
		Removed: limit * int(from.CreatedAt%2), Next: next, Done: next.CreatedAt == p.batches,
	}, nil
}

func playRetention(r *recorder) string {
	r.acts.Purger, r.acts.Retention = pile{batches: 5}, time.Hour
	run, err := r.client.ExecuteWorkflow(r.t.Context(), r.options(), workflows.RetentionName, workflows.RetentionInput{})
	require.NoError(r.t, err)
	var result workflows.RetentionResult
	require.NoError(r.t, run.Get(r.t.Context(), &result))
	require.Equal(r.t, 400, result.Removed)
	return run.GetRunID()
}
