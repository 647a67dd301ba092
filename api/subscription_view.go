package api

import (
	"context"

	"github.com/posthorn/posthorn/internal/delivery"
	"github.com/posthorn/posthorn/models"
	"github.com/posthorn/posthorn/profiles"
)

// Subscription is an endpoint and the event types it wants, as answers show it.
type Subscription struct {
	ID               string                    `json:"id" format:"uuid"`
	ApplicationID    string                    `json:"application_id" format:"uuid"`
	URL              string                    `json:"url"`
	Name             *string                   `json:"name"`
	EventTypes       []string                  `json:"event_types" doc:"Names and wildcards."`
	Version          *string                   `json:"version"`
	SubscriptionType string                    `json:"subscription_type" enum:"webhook"`
	Status           models.SubscriptionStatus `json:"status" enum:"active,disabled,unverified,failing,gone"`
	Enabled          bool                      `json:"enabled"`
	Verified         bool                      `json:"verified"`
	Headers          map[string]string         `json:"headers" doc:"The subscriber's own headers; their values are masked."`
	Filter           *string                   `json:"filter"`
	Delivery         profiles.Delivery         `json:"delivery" doc:"The effective knobs: the profile's, with the changes."`
	PublicKey        *string                   `json:"public_key" doc:"Verifies v1a signatures: whpk_…"`
	CreatedAt        string                    `json:"created_at" format:"date-time"`
	UpdatedAt        string                    `json:"updated_at" format:"date-time"`
}

// NewSubscription is a subscription right after its creation, with the secret that is shown this once.
type NewSubscription struct {
	Subscription
	Secret   *string  `json:"secret" doc:"Signs the deliveries. It is shown this once; null where the profile signs nothing."`
	Warnings []string `json:"warnings" doc:"What works but is not meant to last: deprecated event types."`
}

// SubscriptionEvents are the event types of a subscription.
type SubscriptionEvents struct {
	EventTypes []string `json:"event_types"`
}

// subscriptionView shows a subscription under its application's profile.
func subscriptionView(p *profiles.Profile, sub *models.Subscription) (Subscription, error) {
	spec, err := p.WithDelivery(sub.Delivery)
	if err != nil {
		return Subscription{}, ours(err)
	}
	headers := make(map[string]string, len(sub.Secrets.Headers))
	for _, h := range sub.Secrets.Headers {
		headers[h.Name] = delivery.Mask
	}
	return Subscription{
		ID: sub.ID, ApplicationID: sub.ApplicationID, URL: sub.URL, Name: sub.Name, EventTypes: orEmpty(sub.EventTypes),
		Version: sub.Version, SubscriptionType: "webhook", Status: sub.Status(), Enabled: sub.Enabled,
		Verified: sub.Verified, Headers: headers, Filter: sub.Filter, Delivery: profiles.DeliveryOf(spec),
		PublicKey: textOrNull(sub.PublicKey), CreatedAt: timeText(sub.CreatedAt), UpdatedAt: timeText(sub.UpdatedAt),
	}, nil
}

// viewSubscription shows what was read or changed under the call's application.
func (s *server) viewSubscription(ctx context.Context, c *call, sub *models.Subscription) (Subscription, error) {
	p, err := s.profileOf(ctx, c.application)
	if err != nil {
		return Subscription{}, err
	}
	return subscriptionView(p, sub)
}
