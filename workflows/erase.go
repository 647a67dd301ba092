package workflows

import (
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/posthorn/posthorn/activities"
	"github.com/posthorn/posthorn/models"
)

// EraseInput is what Erase starts with.
type EraseInput struct {
	Erasure string `json:"erasure"`
	// From is how far it has come, when it continues as new.
	From models.ErasureCursor `json:"from"`
}

const (
	// eraseWait is how soon an erasure looks again for what had attempts in flight.
	eraseWait = time.Second
	// erasesPerRun is how many batches one run makes before it continues as new.
	erasesPerRun = 500
)

// Erase carries one erasure out, batch after batch, until nothing is left. What it removes is known to the erasure's
// row alone; neither the entity nor anything of it is here.
func Erase(ctx workflow.Context, in EraseInput) error {
	for range erasesPerRun {
		batch, err := erase(ctx, in)
		if err != nil || batch.Next == nil {
			return err
		}
		in.From = *batch.Next
		pause := purgePause
		if batch.Waiting {
			pause = eraseWait
		}
		if err := workflow.Sleep(ctx, pause); err != nil {
			return err
		}
	}
	return workflow.NewContinueAsNewError(ctx, EraseName, in)
}

func erase(ctx workflow.Context, in EraseInput) (batch activities.EraseResult, err error) {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: purgeTimeout,
		RetryPolicy: &temporal.RetryPolicy{
			InitialInterval: time.Second, BackoffCoefficient: 2, MaximumInterval: purgeTimeout / 2,
		},
	})
	err = workflow.ExecuteActivity(ctx, ActivityErase, activities.EraseInput(in)).Get(ctx, &batch)
	return batch, err
}
