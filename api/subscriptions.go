package api

import (
	"context"
	"slices"

	"github.com/posthorn/posthorn/models"
	"github.com/posthorn/posthorn/profiles"
)

func (s *server) createSubscription(ctx context.Context, c *call, in *subscriptionCreation) (NewSubscription, error) {
	d, err := s.draftSubscription(ctx, c, in)
	if err != nil {
		return NewSubscription{}, err
	}
	p, sub := d.profile, d.sub
	made, err := newSigningSecret(p.Signing)
	if err != nil {
		return NewSubscription{}, err
	}
	if made != nil {
		sub.Secrets.Signing, sub.PublicKey = []models.SigningSecret{made.secret}, made.public
	}
	c.concerns(subjectSubscription, sub.ID)
	if err := s.Store.CreateSubscription(ctx, sub, p.SubscriptionLimit); err != nil {
		return NewSubscription{}, err
	}
	view, err := subscriptionView(p, sub)
	return NewSubscription{Subscription: view, Secret: made.shown(), Warnings: d.warnings}, err
}

// draftSubscription is the subscription that a creation asks for, or what is wrong with it.
func (s *server) draftSubscription(ctx context.Context, c *call, in *subscriptionCreation) (*draft, error) {
	p, err := s.profileOf(ctx, c.application)
	if err != nil {
		return nil, err
	}
	now := s.Now().UTC()
	sub := &models.Subscription{
		ID: models.NewID(), ApplicationID: c.application.ID, Enabled: true, CreatedAt: now, UpdatedAt: now,
	}
	d := &draft{profile: p, checkURL: s.CheckURL, sub: sub, isNew: true, badFilter: checkFilter(&in.Filter)}
	return d, d.apply((*subscriptionChange)(in))
}

// SubscriptionCheck is the answer to a creation that would be taken.
type SubscriptionCheck struct {
	Warnings []string `json:"warnings" doc:"What the creation would warn of."`
}

// validateSubscription answers what a creation would, and creates nothing. It does not count subscriptions.
func (s *server) validateSubscription(
	ctx context.Context, c *call, in *subscriptionCreation,
) (SubscriptionCheck, error) {
	d, err := s.draftSubscription(ctx, c, in)
	if err != nil {
		return SubscriptionCheck{}, err
	}
	return SubscriptionCheck{Warnings: orEmpty(d.warnings)}, nil
}

type subscriptionsQuery struct {
	Paging
	Status    string `query:"status" enum:"active,disabled,unverified,failing,gone"`
	EventType string `query:"event_type" maxLength:"128" doc:"A name, wire value or wildcard as subscriptions list it."`
}

func (s *server) listSubscriptions(ctx context.Context, c *call, in *subscriptionsQuery) (Page[Subscription], error) {
	p, err := s.profileOf(ctx, c.application)
	if err != nil {
		return Page[Subscription]{}, err
	}
	f := models.SubscriptionFilter{ApplicationID: c.application.ID, Status: models.SubscriptionStatus(in.Status)}
	if in.EventType != "" {
		if f.EventType, err = p.ResolvePattern(in.EventType); err != nil {
			return Page[Subscription]{}, models.Invalid("event_type", "%s", err)
		}
	}
	part, err := s.page(c, in.Paging)
	if err != nil {
		return Page[Subscription]{}, err
	}
	subscriptions, next, err := s.Store.Subscriptions(ctx, f, part)
	if err != nil {
		return Page[Subscription]{}, err
	}
	views := make([]Subscription, len(subscriptions))
	for i := range subscriptions {
		if views[i], err = subscriptionView(p, &subscriptions[i]); err != nil {
			return Page[Subscription]{}, err
		}
	}
	return newPage(s, c, views, next), nil
}

func (s *server) getSubscription(ctx context.Context, c *call, _ *nothing) (Subscription, error) {
	return s.viewSubscription(ctx, c, c.subscription)
}

func (s *server) changeSubscription(ctx context.Context, c *call, in *subscriptionChange) (Subscription, error) {
	badFilter := checkFilter(&in.Filter)
	return s.updateSubscription(ctx, c, func(p *profiles.Profile, sub *models.Subscription) error {
		d := draft{profile: p, checkURL: s.CheckURL, sub: sub, badFilter: badFilter}
		return d.apply(in)
	})
}

// updateSubscription changes the call's subscription. change runs inside the transaction and must be quick.
func (s *server) updateSubscription(
	ctx context.Context, c *call, change func(*profiles.Profile, *models.Subscription) error,
) (Subscription, error) {
	p, err := s.profileOf(ctx, c.application)
	if err != nil {
		return Subscription{}, err
	}
	changed, err := s.Store.UpdateSubscription(ctx, c.subscription.ID, func(sub *models.Subscription) error {
		return change(p, sub)
	})
	if err != nil {
		return Subscription{}, err
	}
	s.Wake() // what waited for it may go on
	return subscriptionView(p, changed)
}

func (s *server) deleteSubscription(ctx context.Context, c *call) error {
	return s.Store.DeleteSubscription(ctx, c.subscription.ID)
}

func (s *server) enableSubscription(ctx context.Context, c *call, _ *nothing) (Subscription, error) {
	return s.switchSubscription(ctx, c, true)
}

func (s *server) disableSubscription(ctx context.Context, c *call, _ *nothing) (Subscription, error) {
	return s.switchSubscription(ctx, c, false)
}

func (s *server) switchSubscription(ctx context.Context, c *call, enabled bool) (Subscription, error) {
	return s.updateSubscription(ctx, c, func(_ *profiles.Profile, sub *models.Subscription) error {
		setEnabled(sub, enabled)
		return nil
	})
}

type eventTypesAdded struct {
	EventTypes []typeName `json:"event_types" minItems:"1" maxItems:"500"`
}

func (s *server) getSubscriptionEvents(_ context.Context, c *call, _ *nothing) (SubscriptionEvents, error) {
	return SubscriptionEvents{EventTypes: orEmpty(c.subscription.EventTypes)}, nil
}

func (s *server) addSubscriptionEvents(ctx context.Context, c *call, in *eventTypesAdded) (SubscriptionEvents, error) {
	view, err := s.updateSubscription(ctx, c, func(p *profiles.Profile, sub *models.Subscription) error {
		return addEventTypes(p, sub, in.EventTypes)
	})
	return SubscriptionEvents{EventTypes: view.EventTypes}, err
}

func addEventTypes(p *profiles.Profile, sub *models.Subscription, given []typeName) error {
	var f models.Faults
	old := slices.Clone(sub.EventTypes)
	for i, text := range given {
		name, err := p.ResolvePattern(string(text))
		switch {
		case err != nil:
			f.Add(element("event_types", i), "%s", err)
		case slices.Contains(sub.EventTypes, name):
			return models.Errorf(models.CodeConflict, "the subscription has the event type %s already", name)
		default:
			sub.EventTypes = append(sub.EventTypes, name)
		}
	}
	if err := f.Err(); err != nil {
		return err
	}
	if err := p.CheckPatternCount(len(sub.EventTypes)); err != nil {
		return err
	}
	d := draft{profile: p, sub: sub}
	d.setVersion(&optional[string]{}, old)
	return d.err()
}

func (s *server) removeSubscriptionEvent(ctx context.Context, c *call) error {
	c.note("event_type", c.path("type"))
	_, err := s.updateSubscription(ctx, c, func(p *profiles.Profile, sub *models.Subscription) error {
		name, err := p.ResolvePattern(c.path("type"))
		place := slices.Index(sub.EventTypes, name)
		if err != nil || place < 0 {
			return models.NotFound("event type of this subscription")
		}
		sub.EventTypes = slices.Delete(sub.EventTypes, place, place+1)
		return p.CheckPatternCount(len(sub.EventTypes))
	})
	return err
}
