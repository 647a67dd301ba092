package activities

import (
	"context"

	"github.com/posthorn/posthorn/models"
)

// RedeliverInput names a redeliver command and its invocation.
type RedeliverInput struct {
	Invocation string `json:"invocation"`
	Command    string `json:"command"`
}

// RedeliverResult is what a redelivery came to.
type RedeliverResult struct {
	// Succeeded ends the invocation's own retries.
	Succeeded bool `json:"succeeded"`
	// Message is why it failed; "" when it did not.
	Message string `json:"message,omitempty"`
	// Next is as in AttemptResult.
	Next string `json:"next,omitempty"`
}

// Redeliver makes the one attempt that a redeliver command wants, now. Its failure is a result, not an error: nothing
// follows from it.
func (a *Activities) Redeliver(ctx context.Context, in RedeliverInput) (*RedeliverResult, error) {
	for {
		fl := a.flights.get(in.Invocation)
		if fl == nil {
			gate, err := a.Gatekeeper.ClaimRedelivery(ctx, a.Owner, in.Command)
			if models.ErrorCode(err) == models.CodeNotFound { // erased since
				return &RedeliverResult{}, nil
			}
			if err != nil {
				return nil, err
			}
			if gate.Verdict == models.VerdictHeld {
				return nil, comeBack("another attempt is in flight", gate.Wait)
			}
			if gate.Verdict != models.VerdictGranted {
				return &RedeliverResult{Succeeded: gate.Status == models.StatusSucceeded}, nil
			}
			fl = a.launch(ctx, gate.Claim, course{workflow: workflowID(ctx)})
		}
		if err := wait(ctx, fl); err != nil {
			return nil, err
		}
		if fl.kept && fl.claim.RedeliveryID == in.Command {
			return redelivered(fl), nil
		}
	}
}

func redelivered(fl *flight) *RedeliverResult {
	if fl.settlement.Status == models.StatusSucceeded {
		return &RedeliverResult{Succeeded: true, Next: fl.next}
	}
	return &RedeliverResult{Message: failure(fl.settlement)}
}
