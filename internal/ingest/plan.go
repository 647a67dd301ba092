package ingest

import (
	"context"
	"time"

	"github.com/posthorn/posthorn/models"
	"github.com/posthorn/posthorn/profiles"
	"github.com/posthorn/posthorn/workflows"
)

// plan turns the publications of one request into what is to be stored. Subscriptions are read once for each event
// type that the request has.
type plan struct {
	ingest  *Ingest
	app     *models.Application
	profile *profiles.Profile
	now     time.Time
	targets map[string][]target
	// failing are those of the subscriptions read that fail.
	failing map[string]bool
	// offer is the lease under which this process' own dispatcher takes the rows over; nil = it finds them itself.
	offer *time.Time
	// filtering is how long the filters of this request have taken.
	filtering time.Duration
}

// target is a subscription that an event goes to, with the Spec it is sent under.
type target struct {
	subscription *models.Subscription
	spec         models.StoredSpec
	ordering     models.Ordering
}

func newPlan(in *Ingest, app *models.Application, profile *profiles.Profile) *plan {
	return &plan{
		ingest: in, app: app, profile: profile, now: in.Now().UTC(), targets: map[string][]target{}, failing: map[string]bool{},
	}
}

// lease asks for the hand-over in memory of what is due at once. Only single events take that way: the rows of a
// large batch are better taken from the table in one go. So are those of a failing subscription, most of which only go
// to the end of its line.
func (p *plan) lease(batch []*models.Acceptance) {
	if p.ingest.Local == nil || len(batch) != 1 || len(batch[0].Invocations) == 0 || batch[0].Event.NotBefore != nil {
		return
	}
	lease, room := p.ingest.Local.Lease(len(batch[0].Invocations))
	if !room {
		return
	}
	p.offer = &lease
	for _, invocation := range batch[0].Invocations {
		if invocation.Status == models.StatusPending && !p.heldBack(invocation) {
			invocation.DispatchAfter = &lease
		}
	}
}

// heldBack reports whether it is one of many that a failing subscription gets a few of; a FIFO queue has one.
func (p *plan) heldBack(i *models.Invocation) bool {
	return p.failing[i.SubscriptionID] && (i.Ordering != models.OrderingFIFO || i.OrderingKey == nil)
}

// offered are the rows to hand over; none of a repeated event, whose rows are old.
func (p *plan) offered(batch []*models.Acceptance) []models.Dispatch {
	var rows []models.Dispatch
	for _, a := range batch {
		if a.Err != nil || a.Duplicate {
			continue
		}
		for _, i := range a.Invocations {
			// else it waits in a queue, has ended already, or is left to the table
			if i.Status != models.StatusPending || p.heldBack(i) {
				continue
			}
			row := models.Dispatch{
				InvocationID: i.ID, ApplicationID: i.ApplicationID, SubscriptionID: i.SubscriptionID, EventID: i.EventID,
				EventType: i.EventType, WorkflowID: i.WorkflowID, Lease: *p.offer, Due: *i.NextAttemptAt,
			}
			if a.Event.Traceparent != nil {
				row.Traceparent = *a.Event.Traceparent
			}
			rows = append(rows, row)
		}
	}
	return rows
}

// acceptance plans one publication; what is wrong with it is in the Acceptance's Err, a failed look-up in the error.
func (p *plan) acceptance(ctx context.Context, pub *Publication) (*models.Acceptance, error) {
	event, err := p.event(pub)
	if err != nil {
		return &models.Acceptance{Err: err}, nil //nolint:nilerr // a refusal of this publication alone
	}
	a := &models.Acceptance{Event: event}
	if p.profile.Suppressed(event.Type, event.Payload) {
		return a, nil
	}
	targets, err := p.targetsOf(ctx, event.Type)
	if err != nil {
		return nil, err
	}
	p.invocations(a, p.passing(ctx, event, targets))
	return a, nil
}

func (p *plan) targetsOf(ctx context.Context, eventType string) ([]target, error) {
	if known, ok := p.targets[eventType]; ok {
		return known, nil
	}
	subscriptions, err := p.ingest.Store.MatchingSubscriptions(ctx, p.app.ID, profiles.MatchPatterns(eventType))
	if err != nil {
		return nil, err
	}
	shared, err := p.profile.Spec.Store()
	if err != nil {
		return nil, err
	}
	targets := make([]target, 0, len(subscriptions))
	for i := range subscriptions {
		t := target{subscription: &subscriptions[i], spec: shared, ordering: p.profile.Ordering}
		if subscriptions[i].Failing {
			p.failing[subscriptions[i].ID] = true
		}
		if len(subscriptions[i].Delivery) > 0 {
			spec, err := p.profile.WithDelivery(subscriptions[i].Delivery)
			if err != nil {
				return nil, err
			}
			if t.spec, err = spec.Store(); err != nil {
				return nil, err
			}
			t.ordering = spec.Ordering
		}
		targets = append(targets, t)
	}
	p.targets[eventType] = targets
	return targets, nil
}

// invocations fires the event at its targets. Those in order take their place as they are stored.
func (p *plan) invocations(a *models.Acceptance, targets []target) {
	due := p.now
	if a.Event.NotBefore != nil && a.Event.NotBefore.After(due) {
		due = *a.Event.NotBefore
	}
	a.Invocations = make([]*models.Invocation, 0, len(targets))
	together := 0
	for _, t := range targets {
		invocation := &models.Invocation{
			ID: models.NewID(), ApplicationID: p.app.ID, SubscriptionID: t.subscription.ID, EventID: &a.Event.ID,
			EventType: a.Event.Type, EntityID: a.Event.EntityID, Version: t.subscription.Version, Status: models.StatusPending,
			SpecDigest: t.spec.Digest, URL: t.subscription.URL, NextAttemptAt: &due, DispatchAfter: &due,
			Ordering: t.ordering.Kind, CreatedAt: p.now, UpdatedAt: p.now,
		}
		if key := t.ordering.KeyOf(t.subscription.ID, a.Event.Type, a.Event.EntityID); key != "" {
			invocation.OrderingKey = &key
		}
		if t.ordering.Kind == models.OrderingFIFO && invocation.OrderingKey != nil { // heads travel alone
			invocation.WorkflowID = workflows.InvocationWorkflowID(invocation.ID)
		} else {
			invocation.WorkflowID = workflows.EventWorkflowID(a.Event.ID, together/workflows.InvocationsPerWorkflow)
			together++
		}
		cancelWithoutVersion(a.Event, invocation)
		a.Invocations = append(a.Invocations, invocation)
		a.Specs = appendNew(a.Specs, t.spec)
	}
}

func appendNew(specs []models.StoredSpec, spec models.StoredSpec) []models.StoredSpec {
	for _, known := range specs {
		if string(known.Digest) == string(spec.Digest) {
			return specs
		}
	}
	return append(specs, spec)
}
