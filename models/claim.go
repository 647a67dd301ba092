package models

import "time"

// Verdict is the gate's answer to one request for an attempt.
type Verdict string

// The gate's answers.
const (
	VerdictGranted Verdict = "granted" // the attempt may be sent; Claim is set
	VerdictNotDue  Verdict = "not_due" // ask again after Wait
	VerdictHeld    Verdict = "held"    // another attempt is in flight; ask again after Wait
	VerdictParked  Verdict = "parked"  // the dispatcher brings it back
	VerdictClosed  Verdict = "closed"  // nothing is to be sent any more; Status says how it ended
)

// Gate is the answer for one invocation.
type Gate struct {
	InvocationID   string
	SubscriptionID string
	Verdict        Verdict
	// Wait is how long to wait before asking again, with VerdictNotDue and VerdictHeld.
	Wait time.Duration
	// Status is the invocation's, with VerdictClosed.
	Status InvocationStatus
	// LastError is why the last attempt failed; "" when there was none.
	LastError string
	// Claim is set with VerdictGranted.
	Claim *Claim
	// Next is set with VerdictClosed when the invocation was in a FIFO queue whose head is now another one that the
	// same workflow carries on with.
	Next string
	// Released is set when the answer left something for the dispatcher.
	Released bool
}

// Claim is the right to send one attempt, and all that sending it takes. It lives while the worker named as its
// owner renews itself; settling it names the token.
type Claim struct {
	Token        string
	InvocationID string
	// Number is the attempt's, from 1.
	Number  int
	Trigger Trigger
	// RedeliveryID is set with TriggerRedeliver.
	RedeliveryID string
	// JobID is the bulk redelivery that the redelivery is of; "" = it is of none.
	JobID string
	// Awaited is set with a job's redelivery of an invocation whose own workflow waits for its next attempt: success is
	// to end that wait.
	Awaited        bool
	ApplicationID  string
	SubscriptionID string
	// Tenant is the application's external id.
	Tenant string
	// EventID is "" for a test.
	EventID   string
	EventType string
	Wire      string
	// OccurredAt is the publisher's text; "" = not given.
	OccurredAt string
	AcceptedAt time.Time
	// Traceparent is the trace context that the event was stored with; "" = none.
	Traceparent string
	// Span is the trace context of the attempt itself where its span is recorded, for the receiver; "" = it is not.
	Span    string
	Payload []byte
	Version string
	URL     string
	Secrets Secrets
	Spec    *Spec
	// PolicyAttempts were made before this one; FirstAttemptAt is nil when this is the first.
	PolicyAttempts int
	FirstAttemptAt *time.Time
	// OrderingKey and Sequence are the invocation's; "" = it is not ordered.
	OrderingKey string
	Sequence    int64
}

// RetryCount is what an envelope shows as retry_count: the attempts made before this one.
func (c *Claim) RetryCount() int { return c.Number - 1 }

// Result is what one attempt came to.
type Result struct {
	StartedAt  time.Time
	FinishedAt time.Time
	Outcome    AttemptOutcome
	// StatusCode is 0 when no answer came.
	StatusCode      int
	Error           *AttemptError
	RequestHeaders  []Header
	ResponseHeaders []Header
	ResponseBody    []byte
	Truncated       bool
	// RetryAfter is what the receiver asked for, already clamped to the Spec; 0 = nothing.
	RetryAfter time.Duration
	// Gone is set when the receiver's 410 ends the subscription.
	Gone bool
}

// Settlement is how a claim ends: what to record, and what becomes of the invocation.
type Settlement struct {
	Claim  *Claim
	Result Result
	// Status is the invocation's new one. A redelivery that failed leaves it as it was: then it is "".
	Status InvocationStatus
	// NextAttemptAt is set with StatusRetrying.
	NextAttemptAt *time.Time
	// Workflow is the one to carry on with the next of a FIFO queue; "" = the next one's own.
	Workflow string
	// Owner claims the next of a FIFO queue at once, for this worker; "" = it is left to be claimed.
	Owner string
}

// Settled is what became of a settlement.
type Settled struct {
	// Kept is false when the claim was lost: its owner had not renewed itself, somebody recorded the attempt as
	// interrupted, and nothing was stored now.
	Kept bool
	// Status is the invocation's: the Settlement's, unless a newer event was delivered meanwhile (StatusAbandoned).
	Status InvocationStatus
	// Next is the new head of the FIFO queue, when this settlement released one that Settlement.Workflow is to carry
	// on with; "" = none.
	Next string
	// Gate is the gate's answer for Next, where Settlement.Owner asked for it.
	Gate *Gate
	// Released is set when something waits for the dispatcher: a new head, the next of a line, or a command.
	Released bool
}

// Settle decides what a result means for the invocation, by its policy alone.
func (c *Claim) Settle(r Result) Settlement {
	s := Settlement{Claim: c, Result: r}
	switch {
	case r.Outcome == AttemptSucceeded:
		s.Status = StatusSucceeded
	case c.Trigger == TriggerRedeliver:
		// leaves status and schedule as they were
	case c.Trigger == TriggerTest:
		s.Status = StatusFailed
	default:
		s.retryOrFail()
	}
	return s
}

func (s *Settlement) retryOrFail() {
	c, r := s.Claim, s.Result
	first := r.StartedAt
	if c.FirstAttemptAt != nil {
		first = *c.FirstAttemptAt
	}
	next, ok := c.Spec.Retry.Next(c.PolicyAttempts+1, first, r.FinishedAt, c.InvocationID)
	if !ok {
		s.Status = StatusFailed
		return
	}
	asked := r.FinishedAt.Add(r.RetryAfter)
	if limit := c.Spec.Retry.MaxAge.Std(); limit > 0 && asked.Sub(first) > limit {
		asked = first.Add(limit) // a receiver may postpone an attempt, not stretch the policy
	}
	if asked.After(next) {
		next = asked
	}
	s.Status, s.NextAttemptAt = StatusRetrying, &next
}
