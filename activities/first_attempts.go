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

// FirstAttemptsResult tells what is left to do. It may name invocations that were not asked for: those that followed
// in a FIFO queue.
type FirstAttemptsResult struct {
	// Open are those that are not settled: each needs its own activity.
	Open []string `json:"open,omitempty"`
	// Subscriptions are those of the open ones, by invocation.
	Subscriptions map[string]string `json:"subscriptions,omitempty"`
	// Parked are those that the dispatcher will bring back.
	Parked []string `json:"parked,omitempty"`
	// Failed have used up their policy.
	Failed []string `json:"failed,omitempty"`
	// Cancelled ended otherwise undelivered: cancelled, abandoned, erased. Those not listed at all were delivered.
	Cancelled []string `json:"cancelled,omitempty"`
	// Next are the heads of FIFO queues to go on with in another call.
	Next []string `json:"next,omitempty"`
}

const (
	// firstAttemptsBudget is how long FirstAttempts waits for a slow receiver. It runs as a local activity inside a
	// workflow task, so the workflow hears of nothing else meanwhile.
	firstAttemptsBudget = 500 * time.Millisecond
	// settleBudget is how long it then waits for the database to record those who answered; both, and the claim, are
	// within the three seconds that its workflow gives it.
	settleBudget = 1500 * time.Millisecond
	// queueBudget is how long one call goes on with the next of a FIFO queue.
	queueBudget = time.Second
)

// FirstAttempts makes the first attempts of all invocations at once and returns when all are recorded, when the first
// retry is due, or when those are that were answered within 500 ms. What is still in flight then goes on by itself; the
// regular activity that follows joins it. The head of a FIFO queue draws those behind it after it, one after the
// other, as long as each is delivered, for a second.
func (a *Activities) FirstAttempts(ctx context.Context, in FirstAttemptsInput) (*FirstAttemptsResult, error) {
	if a.Returned != nil {
		defer a.Returned(in.Invocations)
	}
	gates, err := a.Gatekeeper.Claim(ctx, a.Owner, in.Invocations)
	if err != nil {
		return nil, err
	}
	a.noteReleased(gates)
	result := &FirstAttemptsResult{Cancelled: erased(in.Invocations, gates)}
	launched := make([]*flight, 0, len(gates))
	way := course{workflow: workflowID(ctx), until: a.Now().Add(queueBudget)}
	for _, gate := range gates {
		if gate.Verdict == models.VerdictGranted {
			launched = append(launched, a.launch(ctx, gate.Claim, way))
			continue
		}
		result.noteRefusal(gate)
	}
	last, passed := a.await(ctx, launched)
	for _, fl := range passed {
		result.end(fl.claim.InvocationID, fl.settlement.Status)
	}
	for _, fl := range last {
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

// note enters the last flight of a line.
func (r *FirstAttemptsResult) note(fl *flight) {
	select {
	case <-fl.done:
	default: // still in flight
		r.open(fl.claim.InvocationID, fl.claim.SubscriptionID)
		return
	}
	if !fl.kept || fl.settlement.Status.Open() {
		r.open(fl.claim.InvocationID, fl.claim.SubscriptionID)
		return
	}
	r.end(fl.claim.InvocationID, fl.settlement.Status)
	switch {
	case fl.then != nil: // it was launched as we looked
		r.open(fl.then.claim.InvocationID, fl.then.claim.SubscriptionID)
	case fl.gate != nil:
		r.noteRefusal(*fl.gate)
	case fl.next != "":
		r.Next = append(r.Next, fl.next)
	}
}

// noteRefusal enters what the gate did not grant.
func (r *FirstAttemptsResult) noteRefusal(gate models.Gate) {
	switch gate.Verdict {
	case models.VerdictParked:
		r.Parked = append(r.Parked, gate.InvocationID)
	case models.VerdictClosed:
		r.end(gate.InvocationID, gate.Status)
		if gate.Next != "" {
			r.Next = append(r.Next, gate.Next)
		}
	default:
		r.open(gate.InvocationID, gate.SubscriptionID)
	}
}

func (r *FirstAttemptsResult) open(id, subscription string) {
	r.Open = append(r.Open, id)
	if subscription == "" {
		return
	}
	if r.Subscriptions == nil {
		r.Subscriptions = map[string]string{}
	}
	r.Subscriptions[id] = subscription
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
