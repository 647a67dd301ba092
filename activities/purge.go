package activities

import (
	"context"

	"github.com/posthorn/posthorn/models"
)

// PurgeInput says where a batch of the retention begins.
type PurgeInput struct {
	From models.PurgeCursor `json:"from"`
}

// PurgeResult tells what a batch removed.
type PurgeResult struct {
	// Removed counts as models.PurgeStep does.
	Removed int `json:"removed"`
	// Next is where the next batch begins; nil = the round is over.
	Next *models.PurgeCursor `json:"next,omitempty"`
}

// purgeBatch is how many events one batch looks at: SQLite's writer is kept for some 20 ms by it.
const purgeBatch = 200

// Purge removes one batch of what is older than the retention; with none, the round is over at once.
func (a *Activities) Purge(ctx context.Context, in PurgeInput) (*PurgeResult, error) {
	if a.Retention == 0 {
		return &PurgeResult{}, nil
	}
	step, err := a.Purger.Purge(ctx, a.Now().Add(-a.Retention), in.From, purgeBatch)
	if err != nil {
		return nil, err
	}
	result := &PurgeResult{Removed: step.Removed}
	if !step.Done {
		result.Next = &step.Next
	}
	return result, nil
}
