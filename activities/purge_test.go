package activities_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/activities"
	"github.com/posthorn/posthorn/models"
)

// purger answers Purge and notes what it was asked.
type purger struct {
	step   models.PurgeStep
	err    error
	asked  int
	before time.Time
	from   models.PurgeCursor
	limit  int
}

func (p *purger) Purge(
	_ context.Context, before time.Time, from models.PurgeCursor, limit int,
) (models.PurgeStep, error) {
	p.asked++
	p.before, p.from, p.limit = before, from, limit
	return p.step, p.err
}

func TestPurgeRemovesWhatIsOlderThanTheRetention(t *testing.T) {
	t.Parallel()
	now := time.Date(2031, 1, 31, 0, 0, 0, 0, time.UTC)
	from := models.PurgeCursor{Phase: models.PurgeEvents, CreatedAt: 1, ID: "a"}
	next := models.PurgeCursor{Phase: models.PurgeEvents, CreatedAt: 2, ID: "b"}
	p := &purger{step: models.PurgeStep{Removed: 7, Next: next}}
	a := &activities.Activities{Purger: p, Retention: 720 * time.Hour, Now: func() time.Time { return now }}

	result, err := a.Purge(t.Context(), activities.PurgeInput{From: from})

	require.NoError(t, err)
	require.Equal(t, &activities.PurgeResult{Removed: 7, Next: &next}, result)
	require.Equal(t, now.AddDate(0, 0, -30), p.before)
	require.Equal(t, from, p.from)
	require.Positive(t, p.limit)

	p.step.Done = true
	result, err = a.Purge(t.Context(), activities.PurgeInput{From: from})
	require.NoError(t, err)
	require.Nil(t, result.Next)

	p.err = errors.New("no database")
	_, err = a.Purge(t.Context(), activities.PurgeInput{})
	require.ErrorIs(t, err, p.err)
}

func TestWithoutARetentionNothingIsRemoved(t *testing.T) {
	t.Parallel()
	p := &purger{}
	a := &activities.Activities{Purger: p, Now: time.Now}

	result, err := a.Purge(t.Context(), activities.PurgeInput{})

	require.NoError(t, err)
	require.Equal(t, &activities.PurgeResult{}, result)
	require.Zero(t, p.asked)
}
