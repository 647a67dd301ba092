// Package ingest accepts events: it checks what a publisher sent, finds the subscriptions it is for, and commits
// both in one transaction. What it has accepted is durable; delivering it is the dispatcher's.
package ingest

import (
	"context"
	"time"

	"github.com/posthorn/posthorn/internal/failpoint"
	"github.com/posthorn/posthorn/internal/filter"
	"github.com/posthorn/posthorn/models"
	"github.com/posthorn/posthorn/profiles"
)

// Publication is an event as a publisher sends it.
type Publication struct {
	// Type is a catalogue name or a wire value as text.
	Type string
	// Payload is the JSON text to deliver, byte for byte; nil when Versions are given.
	Payload []byte
	// Versions are the JSON texts by version instead; their EventID is left out.
	Versions []models.EventVersion
	// OccurredAt is RFC 3339 text, kept as it is; "" = now.
	OccurredAt string
	EntityID   *string
	// Sequence orders the events of one entity; nil = by acceptance.
	Sequence *int64
	// IdempotencyKey makes a repeat harmless; "" = none.
	IdempotencyKey string
	// NotBefore is RFC 3339 text before which nothing is sent; "" = at once.
	NotBefore string
	// Traceparent is the trace context that its deliveries are to belong to, as models.ParseTraceparent gives it; "" = none.
	Traceparent string
}

// Store is what ingest needs of the database.
type Store interface {
	MatchingSubscriptions(ctx context.Context, applicationID string, patterns []string) ([]models.Subscription, error)
	Accept(ctx context.Context, applicationID string, batch []*models.Acceptance) error
}

// Profiles finds the profile that an application sends by.
type Profiles interface {
	Of(ctx context.Context, app *models.Application) (*profiles.Profile, error)
}

// Observer counts what was accepted; see internal/observe.
type Observer interface {
	Accepted(duplicate bool)
	// FilterFailed notes a filter that could not tell, so that the event passed; reason is a word.
	FilterFailed(ctx context.Context, subscriptionID, reason string)
}

// Ingest accepts events. Its fields are set once; it must not be copied.
type Ingest struct {
	Store    Store
	Profiles Profiles
	Observer Observer
	// Wake tells the dispatcher that rows were committed; it must not block.
	Wake func()
	// Local is the dispatcher of this process; nil = there is none.
	Local Local
	Now   func() time.Time

	filters filter.Cache
}

// Local is a dispatcher in the same process, which takes rows over in memory: *dispatch.Dispatcher is one.
type Local interface {
	// Lease returns the dispatch_after that rows are committed with, and false when there is no room for them.
	Lease(rows int) (time.Time, bool)
	// Offer hands over rows once they are committed.
	Offer(rows []models.Dispatch)
}

// Accept checks and stores publications for one application, in their order and in one durable transaction. The
// answer has one Acceptance for each, in the same order; a refusal of one is in its Err and does not touch the
// others. The error means that nothing was stored.
func (in *Ingest) Accept(
	ctx context.Context, app *models.Application, publications []Publication,
) ([]*models.Acceptance, error) {
	profile, err := in.Profiles.Of(ctx, app)
	if err != nil {
		return nil, err
	}
	plan := newPlan(in, app, profile)
	batch := make([]*models.Acceptance, len(publications))
	accepted := 0
	for i := range publications {
		if batch[i], err = plan.acceptance(ctx, &publications[i]); err != nil {
			return nil, err
		}
		if batch[i].Err == nil {
			accepted++
		}
	}
	if accepted == 0 {
		return batch, nil
	}
	plan.lease(batch)
	if err := in.Store.Accept(ctx, app.ID, batch); err != nil {
		return nil, err
	}
	failpoint.Hit("accept-committed")
	for _, a := range batch {
		if a.Err == nil {
			in.Observer.Accepted(a.Duplicate)
		}
	}
	if plan.offer != nil {
		in.Local.Offer(plan.offered(batch))
	} else {
		in.Wake()
	}
	failpoint.Hit("accept-answering")
	return batch, nil
}
