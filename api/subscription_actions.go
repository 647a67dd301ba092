package api

import (
	"context"
	"encoding/json"
	"time"

	"github.com/posthorn/posthorn/models"
	"github.com/posthorn/posthorn/profiles"
	"github.com/posthorn/posthorn/workflows"
)

// Verified is the answer of a handshake that succeeded.
type Verified struct {
	Verified bool `json:"verified"`
}

// InvocationRef names the invocation that an action is about.
type InvocationRef struct {
	InvocationID string `json:"invocation_id" format:"uuid"`
}

// Secret is a subscription's new secret; it is shown this once.
type Secret struct {
	Secret    *string `json:"secret" doc:"It is shown this once; null where the profile signs with key pairs only."`
	PublicKey *string `json:"public_key" doc:"Verifies v1a signatures: whpk_…"`
}

// verifySubscription does the handshake. It holds for the URL that it was done with, should that change meanwhile.
func (s *server) verifySubscription(ctx context.Context, c *call, _ *nothing) (Verified, error) {
	p, err := s.profileOf(ctx, c.application)
	if err != nil {
		return Verified{}, err
	}
	if p.Verification.Kind == profiles.VerificationNone {
		return Verified{}, models.Errorf(models.CodeConflict, "profile %s has no handshake", p.Name)
	}
	url := c.subscription.URL
	if err := s.shakeHands(ctx, c, url, p.Verification.Member); err != nil {
		return Verified{}, err
	}
	_, err = s.updateSubscription(ctx, c, func(_ *profiles.Profile, sub *models.Subscription) error {
		if sub.URL != url {
			return models.Errorf(models.CodeConflict, "the URL was changed meanwhile")
		}
		sub.Verified = true
		return nil
	})
	return Verified{Verified: err == nil}, err
}

// testSubscription stores a test, due at once. A subscription that gets nothing gets no test either.
func (s *server) testSubscription(ctx context.Context, c *call, _ *nothing) (InvocationRef, error) {
	if !c.subscription.Receives() {
		return InvocationRef{}, models.Errorf(models.CodeConflict, "the subscription is %s", c.subscription.Status())
	}
	p, err := s.profileOf(ctx, c.application)
	if err != nil {
		return InvocationRef{}, err
	}
	spec, err := p.WithDelivery(c.subscription.Delivery)
	if err != nil {
		return InvocationRef{}, ours(err)
	}
	stored, err := spec.Store()
	if err != nil {
		return InvocationRef{}, err
	}
	now, id := s.Now().UTC(), models.NewID()
	test := &models.Invocation{
		ID: id, ApplicationID: c.application.ID, SubscriptionID: c.subscription.ID, EventType: testType(p),
		Version: c.subscription.Version, Status: models.StatusPending, SpecDigest: stored.Digest, URL: c.subscription.URL, NextAttemptAt: &now,
		WorkflowID: workflows.InvocationWorkflowID(id), DispatchAfter: &now, CreatedAt: now, UpdatedAt: now,
	}
	if err := s.Store.CreateTest(ctx, test, stored); err != nil {
		return InvocationRef{}, err
	}
	s.Wake()
	return InvocationRef{InvocationID: id}, nil
}

// untypedTest is shown as the event type of a test whose profile gives it none.
const untypedTest = "webhook.test"

// testType is the name of the profile's test event, which need not be in the catalogue.
func testType(p *profiles.Profile) string {
	text := p.TestEvent.Type
	if text == "" {
		return untypedTest
	}
	var word string
	if json.Unmarshal([]byte(text), &word) == nil {
		text = word
	}
	if t, ok := p.ResolveType(text); ok {
		return t.Name
	}
	return text
}

const (
	defaultOverlap = 24 * time.Hour
	maxOverlap     = 7 * 24 * time.Hour
)

type rotation struct {
	Overlap *models.Duration `json:"overlap,omitempty" doc:"How long the old secret goes on signing as well: 0s to 168h, default 24h." example:"24h"`
}

// rotateSecret gives a subscription a new secret and lets the old one sign beside it for a while.
func (s *server) rotateSecret(ctx context.Context, c *call, in *rotation) (Secret, error) {
	overlap := defaultOverlap
	if in.Overlap != nil {
		overlap = in.Overlap.Std()
	}
	if overlap > maxOverlap {
		return Secret{}, models.Invalid("overlap", "must be 0s to 168h")
	}
	p, err := s.profileOf(ctx, c.application)
	if err != nil {
		return Secret{}, err
	}
	made, err := newSigningSecret(p.Signing)
	if err != nil {
		return Secret{}, err
	}
	if made == nil {
		return Secret{}, models.Errorf(models.CodeConflict, "profile %s signs nothing", p.Name)
	}
	_, err = s.updateSubscription(ctx, c, func(_ *profiles.Profile, sub *models.Subscription) error {
		sub.Secrets.Rotate(made.secret, s.Now().UTC(), overlap, liveSecrets)
		sub.PublicKey = made.public
		return nil
	})
	if err != nil {
		return Secret{}, err
	}
	return Secret{Secret: made.shown(), PublicKey: textOrNull(made.public)}, nil
}
