package workflows

import (
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/posthorn/posthorn/activities"
	"github.com/posthorn/posthorn/models"
)

// RedeliverJobInput is what RedeliverJob starts with.
type RedeliverJobInput struct {
	Job string `json:"job"`
}

// RedeliverJob carries out a bulk redelivery, one step after the other, until the job has ended. Each step reads the
// job's state from its row; the signal only ends the wait of a paused one.
func RedeliverJob(ctx workflow.Context, in RedeliverJobInput) error {
	changed := workflow.GetSignalChannel(ctx, SignalChanged)
	for {
		drain(changed) // the step sees whatever these told of
		state, err := redeliverStep(ctx, in.Job)
		switch {
		case err != nil:
			return err
		case state.Ended():
			return nil
		case state == models.JobPaused:
			awaitChange(ctx, changed)
		}
		if ctx.Err() != nil { // an operator cancelled the workflow; the next change of the job starts another
			return ctx.Err()
		}
		if workflow.GetInfo(ctx).GetContinueAsNewSuggested() {
			drain(changed)
			return workflow.NewContinueAsNewError(ctx, RedeliverJobName, in)
		}
	}
}

// awaitChange returns when a signal is there, or the workflow is cancelled.
func awaitChange(ctx workflow.Context, changed workflow.ReceiveChannel) {
	selector := workflow.NewSelector(ctx)
	selector.AddReceive(changed, func(ch workflow.ReceiveChannel, _ bool) { ch.ReceiveAsync(nil) })
	selector.AddReceive(ctx.Done(), func(workflow.ReceiveChannel, bool) {})
	selector.Select(ctx)
}

// drain takes the signals that are there. What they carry does not matter.
func drain(signals workflow.ReceiveChannel) {
	for signals.ReceiveAsync(nil) {
		continue
	}
}

func redeliverStep(ctx workflow.Context, job string) (models.JobState, error) {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: redeliverStepTimeout,
		HeartbeatTimeout:    activities.HeartbeatTimeout,
		RetryPolicy:         &temporal.RetryPolicy{InitialInterval: time.Second, BackoffCoefficient: 1},
	})
	var result activities.RedeliverStepResult
	err := workflow.ExecuteActivity(ctx, ActivityRedeliverStep, activities.RedeliverStepInput{Job: job}).Get(ctx, &result)
	return result.State, err
}

// redeliverStepTimeout leaves a step room for a slow database.
const redeliverStepTimeout = activities.RedeliverStepDuration + 20*time.Second
