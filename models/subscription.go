package models

import (
	"encoding/json"
	"time"
)

// SubscriptionStatus is a subscription's state as clients see it.
type SubscriptionStatus string

// The states of a subscription.
const (
	SubscriptionActive     SubscriptionStatus = "active"
	SubscriptionDisabled   SubscriptionStatus = "disabled"   // switched off by its owner
	SubscriptionUnverified SubscriptionStatus = "unverified" // its URL has not passed the handshake
	SubscriptionFailing    SubscriptionStatus = "failing"    // only failures lately; see FailingAfter…
	SubscriptionGone       SubscriptionStatus = "gone"       // it answered 410
)

// When a subscription counts as failing: when its last 20 attempts have failed, or all for 5 minutes.
const (
	FailingAfterAttempts = 20
	FailingAfter         = 5 * time.Minute
)

// Subscription is an endpoint of an application's customer and the event types it wants.
type Subscription struct {
	ID            string
	ApplicationID string
	Name          *string
	URL           string
	// EventTypes are names or wildcards (`loan.*`, `*`) in the order given.
	EventTypes []string `gorm:"serializer:json"`
	Version    *string
	Filter     *string
	// Delivery are the knobs of the profile changed for this subscription, as given; nil = none.
	Delivery json.RawMessage
	Enabled  bool
	Verified bool
	Gone     bool
	// ConsecutiveFailures counts failed attempts since the last success.
	ConsecutiveFailures int
	// FailingSince is the start of the oldest of them; nil after a success.
	FailingSince *time.Time `gorm:"serializer:micros"`
	Failing      bool
	// PublicKey verifies the asymmetric signatures: `whpk_…`; "" where the profile has none.
	PublicKey string
	// Sealed holds Secrets, encrypted.
	Sealed    []byte
	Secrets   Secrets    `gorm:"-"`
	CreatedAt time.Time  `gorm:"serializer:micros;autoCreateTime:false"`
	UpdatedAt time.Time  `gorm:"serializer:micros;autoUpdateTime:false"`
	DeletedAt *time.Time `gorm:"serializer:micros"`
}

// Status derives the state that clients see; the first reason not to deliver wins.
func (s *Subscription) Status() SubscriptionStatus {
	switch {
	case s.Gone:
		return SubscriptionGone
	case !s.Enabled:
		return SubscriptionDisabled
	case !s.Verified:
		return SubscriptionUnverified
	case s.Failing:
		return SubscriptionFailing
	default:
		return SubscriptionActive
	}
}

// Receives reports whether new events lead to invocations.
func (s *Subscription) Receives() bool {
	return s.DeletedAt == nil && s.Enabled && s.Verified && !s.Gone
}

// Secrets is what a subscription keeps encrypted at rest.
type Secrets struct {
	// Signing are the live secrets, newest first.
	Signing []SigningSecret `json:"signing,omitempty"`
	// Headers are the subscriber's own, in the order and spelling given.
	Headers []Header `json:"headers,omitempty"`
	// SecurityKey is the key that the subscriber gave (ALV-17).
	SecurityKey string `json:"security_key,omitempty"`
}

// SigningSecret is one generation of a subscription's signing keys.
type SigningSecret struct {
	// Symmetric is the shared secret as shown to its owner (`whsec_…`, or the text itself).
	Symmetric string `json:"symmetric,omitempty"`
	// Private is the ed25519 key, `whsk_…`; "" where the profile has none.
	Private string `json:"private,omitempty"`
	// ExpiresAt is when it stops signing; nil = it is the newest.
	ExpiresAt *time.Time `json:"expires_at,omitempty"`
}

// LiveSigning returns the secrets that sign at the given time, newest first.
func (s Secrets) LiveSigning(at time.Time) []SigningSecret {
	live := make([]SigningSecret, 0, len(s.Signing))
	for _, secret := range s.Signing {
		if secret.ExpiresAt == nil || at.Before(*secret.ExpiresAt) {
			live = append(live, secret)
		}
	}
	return live
}

// Rotate puts next in front; what was newest goes on signing until now + overlap, and at most keep secrets stay.
func (s *Secrets) Rotate(next SigningSecret, now time.Time, overlap time.Duration, keep int) {
	end := now.Add(overlap)
	kept := s.LiveSigning(now)
	for i := range kept {
		if kept[i].ExpiresAt == nil || kept[i].ExpiresAt.After(end) {
			kept[i].ExpiresAt = &end
		}
	}
	if overlap == 0 {
		kept = nil
	}
	s.Signing = append([]SigningSecret{next}, kept...)
	s.Signing = s.Signing[:min(len(s.Signing), keep)]
}

// Header is one HTTP header in the spelling to send.
type Header struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// SubscriptionFilter narrows a list of subscriptions; zero values do not.
type SubscriptionFilter struct {
	ApplicationID string
	Status        SubscriptionStatus
	// EventType is a name or a wildcard as subscriptions list it.
	EventType string
}

// SubscriptionStats is how a subscription is doing.
type SubscriptionStats struct {
	// Counts are its invocations by stored status.
	Counts map[InvocationStatus]int
	// OldestOpen is when the oldest open one was created; nil when there is none.
	OldestOpen *time.Time
	// LatenciesMS are how long its latest attempts took, in milliseconds, ascending.
	LatenciesMS []int64
}
