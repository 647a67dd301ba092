package activities

import (
	"context"
	"time"

	"go.temporal.io/sdk/activity"

	"github.com/posthorn/posthorn/models"
)

// RedeliverStepInput names a bulk redelivery.
type RedeliverStepInput struct {
	Job string `json:"job"`
}

// RedeliverStepResult tells how far the job has come.
type RedeliverStepResult struct {
	// State is the job's; JobRunning asks for another step.
	State models.JobState `json:"state"`
}

// How long one RedeliverStep goes on.
const (
	// RedeliverStepDuration is after how long it hands back to its workflow: long enough that Temporal costs next to
	// nothing beside the sending.
	RedeliverStepDuration = 10 * time.Second
	// maxJobWait is how often a step asks the gate that has nothing to send.
	maxJobWait = time.Second
	// blockedWait is how soon a step asks again for what had to wait for what it sends: the next of a FIFO queue.
	blockedWait = models.JobTick / 5
)

// RedeliverStep carries a bulk redelivery on for some seconds: ten times a second it asks the gate what the job may
// send, and sends that, without waiting for the answers. It returns early when the job is paused, cancelled or
// completed, or the worker stops. What is in flight then goes on by itself.
func (a *Activities) RedeliverStep(ctx context.Context, in RedeliverStepInput) (*RedeliverStepResult, error) {
	end := a.Now().Add(RedeliverStepDuration)
	for wait := models.JobTick; ; {
		step, err := a.Jobs.ClaimJob(ctx, a.Owner, in.Job)
		if models.ErrorCode(err) == models.CodeNotFound { // erased since
			return &RedeliverStepResult{State: models.JobCancelled}, nil
		}
		if err != nil {
			return nil, err
		}
		for _, claim := range step.Claims {
			a.launch(ctx, claim, course{})
		}
		if step.State != models.JobRunning || !a.Now().Before(end) {
			return &RedeliverStepResult{State: step.State}, nil
		}
		wait = nextWait(wait, step)
		activity.RecordHeartbeat(ctx)
		select {
		case <-time.After(wait):
		case <-activity.GetWorkerStopChannel(ctx):
			return &RedeliverStepResult{State: step.State}, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// nextWait slows a step down that can only wait for answers.
func nextWait(last time.Duration, step *models.JobStep) time.Duration {
	switch {
	case step.Idle:
		return min(last*3/2, maxJobWait)
	case step.Blocked:
		return blockedWait
	default:
		return models.JobTick
	}
}
