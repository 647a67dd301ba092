package activities

import (
	"context"
	"slices"
	"time"

	"github.com/posthorn/posthorn/models"
)

// FirstAttemptsInput names the invocations of one workflow.
type FirstAttemptsInput struct {
	Invocations []string `json:"invocations"`
}

// FirstAttemptsResult tells what is left to do.
type FirstAttemptsResult struct {
	// Open are those that are not settled: each needs its own activity.
	Open []string `json:"open,omitempty"`
	// Parked are those that the dispatcher will bring back.
	Parked []string `json:"parked,omitempty"`
	// Failed have used up their policy.
	Failed []string `json:"failed,omitempty"`
	// Cancelled ended otherwise undelivered: cancelled, abandoned, erased. Those not listed at all were delivered.
	Cancelled []string `json:"cancelled,omitempty"`
}

// firstAttemptsBudget is how long FirstAttempts waits for slow receivers. It runs as a local activity inside a
// workflow task, so the workflow hears of nothing else meanwhile.
const firstAttemptsBudget = 500 * time.Millisecond

// FirstAttempts makes the first attempts of all invocations at once and returns when all have answered, when the
// first retry is due, or after 500 ms, whichever is first. What is still in flight then goes on by itself; the
// regular activity that follows joins it.
func (a *Activities) FirstAttempts(ctx context.Context, in FirstAttemptsInput) (*FirstAttemptsResult, error) {
	gates, err := a.Gatekeeper.Claim(ctx, a.Owner, in.Invocations)
	if err != nil {
		return nil, err
	}
	result := &FirstAttemptsResult{Cancelled: erased(in.Invocations, gates)}
	launched := make([]*flight, 0, len(gates))
	for _, gate := range gates {
		switch gate.Verdict {
		case models.VerdictGranted:
			launched = append(launched, a.launch(ctx, gate.Claim))
		case models.VerdictNotDue, models.VerdictHeld:
			result.Open = append(result.Open, gate.InvocationID)
		case models.VerdictParked:
			result.Parked = append(result.Parked, gate.InvocationID)
		case models.VerdictClosed:
			result.end(gate.InvocationID, gate.Status)
		}
	}
	a.awaitFirst(ctx, launched)
	for _, fl := range launched {
		result.note(fl)
	}
	return result, nil
}

// erased lists those that got no answer: their rows are gone.
func erased(asked []string, gates []models.Gate) []string {
	var gone []string
	for _, id := range asked {
		if !slices.ContainsFunc(gates, func(g models.Gate) bool { return g.InvocationID == id }) {
			gone = append(gone, id)
		}
	}
	return gone
}

// awaitFirst returns when every flight has landed, the budget is used up, or the earliest retry is due.
func (a *Activities) awaitFirst(ctx context.Context, launched []*flight) {
	landed := make(chan *flight, len(launched)) // room for those that nobody waits for any more
	for _, fl := range launched {
		go func() {
			<-fl.done
			landed <- fl
		}()
	}
	deadline := time.NewTimer(firstAttemptsBudget)
	defer deadline.Stop()
	end := a.Now().Add(firstAttemptsBudget)
	for range launched {
		select {
		case fl := <-landed:
			if next := fl.settlement.NextAttemptAt; next != nil && next.Before(end) {
				end = *next
				deadline.Reset(max(0, end.Sub(a.Now())))
			}
		case <-deadline.C:
			return
		case <-ctx.Done():
			return
		}
	}
}

func (r *FirstAttemptsResult) note(fl *flight) {
	select {
	case <-fl.done:
		if status := fl.settlement.Status; fl.kept && !status.Open() {
			r.end(fl.claim.InvocationID, status)
			return
		}
	default: // still in flight
	}
	r.Open = append(r.Open, fl.claim.InvocationID)
}

func (r *FirstAttemptsResult) end(id string, status models.InvocationStatus) {
	switch status {
	case models.StatusSucceeded: // the usual end, and not worth its place in a history
	case models.StatusFailed:
		r.Failed = append(r.Failed, id)
	default:
		r.Cancelled = append(r.Cancelled, id)
	}
}
