package activities

import (
	"context"
	"fmt"
	"slices"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"

	"github.com/posthorn/posthorn/models"
)

// AttemptInput names the invocation whose policy an Attempt activity carries out.
type AttemptInput struct {
	Invocation string `json:"invocation"`
}

// Types of the errors by which Attempt tells Temporal to come back, or not to.
const (
	// ErrorTypeFailed is a failed or not yet due attempt: another follows when the policy says.
	ErrorTypeFailed = "DeliveryFailed"
	// ErrorTypeExhausted is the last attempt that the policy allows.
	ErrorTypeExhausted = "DeliveryExhausted"
)

// How Attempt shows Temporal that it is alive: an HTTP request that hangs looks like a dead worker otherwise.
const (
	// HeartbeatTimeout is after how long without a heartbeat Temporal gives the activity to another worker.
	HeartbeatTimeout  = 3 * time.Second
	heartbeatInterval = time.Second
)

// Attempt makes the attempts of one invocation, one each time Temporal runs it: a failed one comes back as an error
// that carries the policy's delay, so Temporal's timers, attempt count and web UI are the retry policy's. It returns
// without an error once no attempt is to follow, and an ErrorTypeExhausted error when the policy is used up, unless the
// workflow has to hear of the next of a FIFO queue.
func (a *Activities) Attempt(ctx context.Context, in AttemptInput) (*AttemptResult, error) {
	for {
		fl := a.flights.get(in.Invocation)
		if fl == nil {
			gate, err := a.ask(ctx, in.Invocation)
			if err != nil {
				return nil, err
			}
			if gate.Verdict != models.VerdictGranted {
				return a.refused(gate)
			}
			fl = a.launch(ctx, gate.Claim, course{workflow: workflowID(ctx)})
		}
		if err := wait(ctx, fl); err != nil {
			return nil, err
		}
		if fl.kept && fl.claim.Trigger != models.TriggerRedeliver {
			return a.report(fl)
		}
		// a redelivery was in the way, or the claim was lost: ask the gate
	}
}

func (a *Activities) ask(ctx context.Context, id string) (models.Gate, error) {
	gates, err := a.Gatekeeper.Claim(ctx, a.Owner, []string{id})
	if err != nil {
		return models.Gate{}, err
	}
	if len(gates) == 0 { // erased since
		return models.Gate{InvocationID: id, Verdict: models.VerdictClosed, Status: models.StatusCancelled}, nil
	}
	a.noteReleased(gates)
	return gates[0], nil
}

// noteReleased wakes the dispatcher where the gate left something for it.
func (a *Activities) noteReleased(gates []models.Gate) {
	if slices.ContainsFunc(gates, func(g models.Gate) bool { return g.Released }) {
		a.Wake()
	}
}

// refused turns the gate's "no" into the activity's answer.
func (a *Activities) refused(gate models.Gate) (*AttemptResult, error) {
	switch gate.Verdict {
	case models.VerdictParked:
		return &AttemptResult{Status: gate.Status, Parked: true}, nil
	case models.VerdictNotDue, models.VerdictHeld:
		message := gate.LastError
		if message == "" {
			message = "not due yet"
		}
		return nil, comeBack(message, gate.Wait)
	default:
		return &AttemptResult{Status: gate.Status, Next: gate.Next}, nil
	}
}

// workflowID is the workflow that an activity works for; "" outside one.
func workflowID(ctx context.Context) string {
	if !activity.IsActivity(ctx) {
		return ""
	}
	return activity.GetInfo(ctx).WorkflowExecution.ID
}

// report turns a settled attempt into the activity's answer.
func (a *Activities) report(fl *flight) (*AttemptResult, error) {
	s := fl.settlement
	switch {
	case s.Status == models.StatusRetrying:
		return nil, comeBack(failure(s), s.NextAttemptAt.Sub(a.Now()))
	case s.Status == models.StatusFailed && fl.next == "":
		return nil, temporal.NewApplicationErrorWithOptions(failure(s), ErrorTypeExhausted,
			temporal.ApplicationErrorOptions{NonRetryable: true, Category: temporal.ApplicationErrorCategoryBenign})
	default:
		return &AttemptResult{Status: s.Status, Next: fl.next}, nil
	}
}

// failure says in one line what the Temporal UI shows as the last failure.
func failure(s models.Settlement) string {
	return fmt.Sprintf("attempt %d: %s", s.Claim.Number, s.Result.Error.Message)
}

// comeBack asks Temporal to run the activity again after the delay. It is benign: a receiver's failure is an
// outcome, not a fault of ours. A delay of zero would mean "by the activity's own policy", hence the millisecond.
func comeBack(message string, delay time.Duration) error {
	return temporal.NewApplicationErrorWithOptions(message, ErrorTypeFailed, temporal.ApplicationErrorOptions{
		NextRetryDelay: max(delay, time.Millisecond),
		Category:       temporal.ApplicationErrorCategoryBenign,
	})
}

// wait returns when the flight has landed, or the activity is cancelled; the flight goes on either way.
func wait(ctx context.Context, fl *flight) error {
	ticker := time.NewTicker(heartbeatInterval)
	defer ticker.Stop()
	for {
		select {
		case <-fl.done:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
			activity.RecordHeartbeat(ctx)
		}
	}
}
