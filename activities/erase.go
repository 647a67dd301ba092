package activities

import (
	"context"

	"github.com/posthorn/posthorn/models"
)

// Eraser removes what an erasure is about.
type Eraser interface {
	// Erase carries an erasure on by one batch of at most limit events and what goes with them.
	Erase(ctx context.Context, id string, from models.ErasureCursor, limit int) (models.ErasureStep, error)
}

// EraseInput names an erasure and where a batch of it begins.
type EraseInput struct {
	Erasure string               `json:"erasure"`
	From    models.ErasureCursor `json:"from"`
}

// EraseResult tells how far an erasure has come.
type EraseResult struct {
	// Next is where the next batch begins; nil = it has ended.
	Next *models.ErasureCursor `json:"next,omitempty"`
	// Waiting is set when all that is left has attempts in flight.
	Waiting bool `json:"waiting,omitempty"`
}

// eraseBatch is how many events one batch looks at, as with purgeBatch.
const eraseBatch = 200

// Erase carries an erasure on by one batch. What was removed is in the erasure's record, not here.
func (a *Activities) Erase(ctx context.Context, in EraseInput) (*EraseResult, error) {
	step, err := a.Eraser.Erase(ctx, in.Erasure, in.From, eraseBatch)
	if err != nil {
		return nil, err
	}
	if step.Done {
		return &EraseResult{}, nil
	}
	return &EraseResult{Next: &step.Next, Waiting: step.Waiting}, nil
}
