// Package activities holds the side effects of a delivery: claim, send, settle. They see the database and the
// network only through the small interfaces declared here.
package activities

import (
	"context"
	"log/slog"
	"time"

	"github.com/posthorn/posthorn/models"
)

// Gatekeeper decides what may be sent and records what came of it.
type Gatekeeper interface {
	// Claim asks for the scheduled attempts of the invocations; unknown ids get no answer.
	Claim(ctx context.Context, owner string, ids []string) ([]models.Gate, error)
	// ClaimRedelivery asks for the attempt that a redeliver command wants.
	ClaimRedelivery(ctx context.Context, owner, commandID string) (models.Gate, error)
	// Settle ends a claim and tells what became of it.
	Settle(ctx context.Context, s models.Settlement) (models.Settled, error)
}

// Jobs tells what a bulk redelivery may send.
type Jobs interface {
	// ClaimJob asks for the redeliveries that a job may start now.
	ClaimJob(ctx context.Context, owner, id string) (*models.JobStep, error)
}

// Purger removes what is older than the retention.
type Purger interface {
	// Purge removes one batch, of at most limit rows and what goes with them.
	Purge(ctx context.Context, before time.Time, from models.PurgeCursor, limit int) (models.PurgeStep, error)
}

// Sender sends one attempt and judges the answer. It ends within the Spec's timeout and never fails: what goes
// wrong is in the result.
type Sender interface {
	Send(ctx context.Context, claim *models.Claim) models.Result
}

// Observer hears of every attempt; see internal/observe.
type Observer interface {
	Attempted(ctx context.Context, s models.Settlement, kept bool)
}

// Activities is what a worker registers. Its fields are set once, before the worker starts.
type Activities struct {
	Gatekeeper Gatekeeper
	Jobs       Jobs
	Purger     Purger
	Eraser     Eraser
	// Retention is how long things are kept after the last that happened to them; 0 = for ever.
	Retention time.Duration
	Sender    Sender
	Observer  Observer
	// Owner is the worker's boot id, under which it claims.
	Owner string
	// Wake tells the dispatcher that a settlement left something for it; it must not block.
	Wake func()
	// Returned tells the dispatcher that FirstAttempts is through with invocations; nil = nobody asks.
	Returned func(invocations []string)
	// Now is the clock.
	Now    func() time.Time
	Logger *slog.Logger

	flights flights
}

// AttemptResult is what Attempt tells its workflow of an invocation.
type AttemptResult struct {
	Status models.InvocationStatus `json:"status"`
	// Parked means that no attempt is to be made now and the dispatcher will bring it back.
	Parked bool `json:"parked,omitempty"`
	// Next is the new head of the invocation's FIFO queue, for the same workflow to carry on with; "" = none.
	Next string `json:"next,omitempty"`
}
