package activities_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/activities"
	"github.com/posthorn/posthorn/models"
)

// eraser answers Erase and notes what it was asked.
type eraser struct {
	step  models.ErasureStep
	err   error
	id    string
	from  models.ErasureCursor
	limit int
}

func (e *eraser) Erase(
	_ context.Context, id string, from models.ErasureCursor, limit int,
) (models.ErasureStep, error) {
	e.id, e.from, e.limit = id, from, limit
	return e.step, e.err
}

func TestEraseTellsWhereToGoOn(t *testing.T) {
	t.Parallel()
	from, next := models.ErasureCursor{Phase: models.EraseEvents, Seq: 1}, models.ErasureCursor{Phase: models.EraseTests}
	e := &eraser{step: models.ErasureStep{Next: next, Waiting: true}}
	a := &activities.Activities{Eraser: e}

	result, err := a.Erase(t.Context(), activities.EraseInput{Erasure: "e", From: from})
	require.NoError(t, err)
	require.Equal(t, &activities.EraseResult{Next: &next, Waiting: true}, result)
	require.Equal(t, []any{"e", from}, []any{e.id, e.from})
	require.Positive(t, e.limit)

	e.step.Done = true
	result, err = a.Erase(t.Context(), activities.EraseInput{Erasure: "e"})
	require.NoError(t, err)
	require.Nil(t, result.Next)

	e.err = errors.New("no database")
	_, err = a.Erase(t.Context(), activities.EraseInput{Erasure: "e"})
	require.ErrorIs(t, err, e.err)
}
