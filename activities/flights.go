package activities

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/posthorn/posthorn/internal/failpoint"
	"github.com/posthorn/posthorn/models"
)

// flights are the attempts that this process has in the air, by invocation: an activity that comes later joins the
// one in flight instead of asking the gate again. The zero value is ready.
type flights struct {
	mu   sync.Mutex
	open map[string]*flight
	all  sync.WaitGroup
}

// flight is one attempt from its claim to its settlement.
type flight struct {
	claim *models.Claim
	// answered is set once the receiver has answered, or will not.
	answered atomic.Bool
	// done is closed once the attempt is settled; settlement and kept are set by then.
	done       chan struct{}
	settlement models.Settlement
	kept       bool
	// next is the new head of its FIFO queue, for its workflow to carry on with, and gate what the gate says of it;
	// "" and nil = there is none, and nobody asked. then is the flight that was launched for it; nil = none.
	next string
	gate *models.Gate
	then *flight
}

// course is what an attempt's end means for the FIFO queue that it is of.
type course struct {
	// workflow carries on with the queue.
	workflow string
	// until is up to when the next head is claimed and sent at once; the zero time = not at all.
	until time.Time
}

// apply completes a settlement by it. An invocation that used up its policy ends its activity with an error, which
// has no room for the next head: the dispatcher starts that one's own workflow, unless its call goes on by itself.
func (c course) apply(s *models.Settlement, owner string, now time.Time) {
	follows := now.Before(c.until)
	if s.Claim.OrderingKey == "" || !follows && s.Status == models.StatusFailed {
		return
	}
	s.Workflow = c.workflow
	if follows {
		s.Owner = owner
	}
}

func (f *flights) get(invocationID string) *flight {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.open[invocationID]
}

func (f *flights) add(claim *models.Claim) *flight {
	fl := &flight{claim: claim, done: make(chan struct{})}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.open == nil {
		f.open = map[string]*flight{}
	}
	f.open[claim.InvocationID] = fl
	f.all.Add(1)
	return fl
}

func (f *flights) land(fl *flight) {
	f.mu.Lock()
	if f.open[fl.claim.InvocationID] == fl { // not another, that followed when this one's claim was lost
		delete(f.open, fl.claim.InvocationID)
	}
	f.mu.Unlock()
	close(fl.done)
	f.all.Done()
}

// launch sends a granted claim. The request goes on under its own timeout whatever becomes of the activity that
// asked for it, and its settlement is tried until the database takes it: a live process never leaves a claim behind.
func (a *Activities) launch(ctx context.Context, claim *models.Claim, c course) *flight {
	fl := a.flights.add(claim)
	ctx = context.WithoutCancel(ctx)
	go func() {
		defer a.flights.land(fl)
		failpoint.Hit("claim-committed")
		result := a.send(ctx, claim)
		fl.answered.Store(true)
		fl.settlement = claim.Settle(result)
		failpoint.Hit("attempt-sent")
		c.apply(&fl.settlement, a.Owner, a.Now())
		a.note(fl, a.settle(ctx, fl.settlement))
		if fl.gate != nil && fl.gate.Verdict == models.VerdictGranted {
			fl.then = a.launch(ctx, fl.gate.Claim, c)
		}
		a.Observer.Attempted(ctx, fl.settlement, fl.kept)
	}()
	return fl
}

// note takes over what became of a settlement.
func (a *Activities) note(fl *flight, settled models.Settled) {
	fl.kept, fl.next, fl.gate = settled.Kept, settled.Next, settled.Gate
	if settled.Kept && settled.Status != fl.settlement.Status {
		fl.settlement.Status, fl.settlement.NextAttemptAt = settled.Status, nil
	}
	if settled.Released {
		a.Wake()
	}
}

// send is Sender.Send that survives a panic: no event may take the process, and every delivery in it, down again and
// again. The attempt counts against the policy, so that it ends.
func (a *Activities) send(ctx context.Context, claim *models.Claim) (result models.Result) {
	started := a.Now()
	defer func() {
		if fault := recover(); fault != nil {
			a.Logger.ErrorContext(ctx, "panic while sending", "invocation_id", claim.InvocationID, "panic", fault)
			result = models.Result{
				StartedAt: started, FinishedAt: a.Now(), Outcome: models.AttemptFailed,
				RequestHeaders: []models.Header{}, ResponseHeaders: []models.Header{},
				Error: &models.AttemptError{Code: models.AttemptInterrupted, Message: "the attempt failed inside Posthorn"},
			}
		}
	}()
	return a.Sender.Send(ctx, claim)
}

// Bounds of the wait between two tries to settle.
const (
	firstSettleWait = 50 * time.Millisecond
	maxSettleWait   = 2 * time.Second
)

func (a *Activities) settle(ctx context.Context, s models.Settlement) models.Settled {
	for wait := firstSettleWait; ; wait = min(2*wait, maxSettleWait) {
		settled, err := a.Gatekeeper.Settle(ctx, s)
		if err == nil {
			return settled
		}
		a.Logger.ErrorContext(ctx, "settle attempt", "invocation_id", s.Claim.InvocationID, "error", err)
		<-time.After(wait)
	}
}

// Drain waits until every attempt in flight is settled, or ctx ends; then the rest are taken over by another worker.
func (a *Activities) Drain(ctx context.Context) error {
	landed := make(chan struct{})
	go func() {
		a.flights.all.Wait()
		close(landed)
	}()
	select {
	case <-landed:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
