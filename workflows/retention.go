package workflows

import (
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/posthorn/posthorn/activities"
	"github.com/posthorn/posthorn/models"
)

// RetentionInput is what Retention starts with; the schedule starts it with the zero value.
type RetentionInput struct {
	// From and Removed are how far the round has come, when it continues as new.
	From    models.PurgeCursor `json:"from"`
	Removed int                `json:"removed,omitempty"`
}

// RetentionResult is what a round came to, for those who look at it in the Temporal UI.
type RetentionResult struct {
	// Removed counts events, tests, jobs, subscriptions and applications.
	Removed int `json:"removed"`
}

const (
	// purgePause comes after a batch that removed something, so that others get at the database.
	purgePause = 100 * time.Millisecond
	// purgesPerRun is how many batches one run makes before it continues as new, at some eight events each.
	purgesPerRun = 500
	purgeTimeout = time.Minute
)

// Retention is one round: batch after batch, until all that was too old when its turn came is gone.
func Retention(ctx workflow.Context, in RetentionInput) (*RetentionResult, error) {
	for range purgesPerRun {
		batch, err := purge(ctx, in.From)
		if err != nil {
			return nil, err
		}
		in.Removed += batch.Removed
		if batch.Next == nil {
			return &RetentionResult{Removed: in.Removed}, nil
		}
		in.From = *batch.Next
		if batch.Removed == 0 {
			continue
		}
		if err := workflow.Sleep(ctx, purgePause); err != nil {
			return nil, err
		}
	}
	return nil, workflow.NewContinueAsNewError(ctx, RetentionName, in)
}

func purge(ctx workflow.Context, from models.PurgeCursor) (batch activities.PurgeResult, err error) {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: purgeTimeout,
		RetryPolicy: &temporal.RetryPolicy{
			InitialInterval: time.Second, BackoffCoefficient: 2, MaximumInterval: purgeTimeout,
		},
	})
	err = workflow.ExecuteActivity(ctx, ActivityPurge, activities.PurgeInput{From: from}).Get(ctx, &batch)
	return batch, err
}
