package profiles

import (
	"encoding/json"

	"github.com/posthorn/posthorn/models"
)

// Profile is one provider's way of sending webhooks. Its slices belong to it and must not be changed.
type Profile struct {
	Name string
	// Spec is the part that every attempt needs; invocations keep a copy of it.
	models.Spec
	// Wire is how event types are written.
	Wire Wire
	// TypesPerSubscription bounds how many event types one subscription names.
	TypesPerSubscription TypesPerSubscription
	Versions             Versions
	Entity               Entity
	Verification         Verification
	URL                  URL
	// SubscriptionLimit is how many subscriptions an application may have, disabled ones included.
	SubscriptionLimit int
	// ManagedBy is the weakest role that may manage subscriptions: operator or admin.
	ManagedBy models.Role
	// Suppress are the events that lead to no invocation.
	Suppress []SuppressRule
	// Catalogue lists the event types in the file's order.
	Catalogue []models.EventType

	index *index
}

// WireType is the JSON type of an event type on the wire.
type WireType string

// The wire types.
const (
	WireString  WireType = "string"
	WireInteger WireType = "integer"
)

// Wire is how event types are written on the wire.
type Wire struct {
	Type WireType `json:"type"`
	// Open accepts event types that the catalogue does not list; they are written as their name. Strings only.
	Open bool `json:"open"`
}

// TypesPerSubscription bounds the event types of one subscription.
type TypesPerSubscription struct {
	Min int `json:"min"`
	// Max 0 = no limit but MaxPatterns.
	Max int `json:"max"`
	// Wildcards allows `loan.*` and `*`.
	Wildcards bool `json:"wildcards"`
}

// Versions says whether a subscription pins a version of its event types. Which there are, the catalogue says.
type Versions struct {
	// Required: every subscription names one. Otherwise the profile has no versions.
	Required bool `json:"required"`
}

// Entity says what an event is about, in order of preference: `entity_id` (the publisher's member) or
// `payload.<member>` (a string or number in the payload). Empty: only what the publisher says.
type Entity struct {
	Sources []string `json:"sources"`
}

// VerificationKind is how a URL is proved to belong to its subscriber.
type VerificationKind string

// The kinds of verification.
const (
	VerificationNone VerificationKind = "none"
	// VerificationHandshake: GET the URL; the JSON object that it answers must hold the application's key (VIV-28).
	VerificationHandshake VerificationKind = "handshake"
)

// Verification is what a URL must pass before events are sent to it, and again after it changed.
type Verification struct {
	Kind VerificationKind `json:"kind"`
	// Member is the member of the handshake's answer that holds the key, in this spelling.
	Member string `json:"member,omitempty"`
}

// URL bounds what a subscription may name as its address. Whether http:// is taken is the operator's to say, not a
// profile's: POSTHORN_ALLOW_HTTP.
type URL struct {
	// MaxLength in bytes; 0 = 2048.
	MaxLength int `json:"max_length"`
}

// SuppressRule drops the events of one type whose payload meets every condition (VIV-11).
type SuppressRule struct {
	// Type is an event type's name or wire value.
	Type string      `json:"type"`
	When []Condition `json:"when"`
}

// Condition is met by a payload whose member is there and equals the value, or lies within the bounds. Numbers are
// compared exactly, 5 and 5.0 are equal.
type Condition struct {
	// Member is a path of object keys, joined by dots.
	Member string `json:"member"`
	// Equals is a string, number, boolean or null.
	Equals json.RawMessage `json:"equals,omitempty"`
	Min    json.Number     `json:"min,omitempty"`
	Max    json.Number     `json:"max,omitempty"`
}

// MaxURLLength returns the longest URL that a subscription may have, in bytes.
func (u URL) MaxURLLength() int {
	if u.MaxLength == 0 {
		return defaultURLLength
	}
	return u.MaxLength
}

const defaultURLLength = 2048

// MarshalJSON writes the profile with every knob, in the order of form.
func (p *Profile) MarshalJSON() ([]byte, error) {
	return marshal(formOf(p))
}
