package models

import "encoding/json"

// Spec is everything that an attempt needs to know of its provider's way of sending. An invocation keeps the Spec
// it was accepted under, so a changed profile never alters what is already on its way.
type Spec struct {
	// Envelope is the body's members in order; empty = the body is the payload itself.
	Envelope []EnvelopeMember `json:"envelope" yaml:"envelope"`
	// Time is how the envelope writes a time.
	Time TimeForm `json:"time" yaml:"time"`
	// Auth are the headers by which a receiver knows the sender.
	Auth Auth `json:"auth" yaml:"auth"`
	// Signing is the signature, if any, and the headers around it.
	Signing Signing `json:"signing" yaml:"signing"`
	// Success tells a delivery from a failure.
	Success Success `json:"success" yaml:"success"`
	// Timeout bounds one attempt, from the dial to the last byte read (100 ms – 60 s).
	Timeout Duration `json:"timeout" yaml:"timeout"`
	// Retry says when a failed attempt is followed by another.
	Retry RetryPolicy `json:"retry" yaml:"retry"`
	// RetryAfter is up to how long a receiver's Retry-After is honoured; 0 = ignored.
	RetryAfter Duration `json:"retry_after" yaml:"retry_after"`
	// On410 is what a 410 means.
	On410 On410 `json:"on_410" yaml:"on_410"`
	// Ordering says which invocations wait for, or give way to, others.
	Ordering Ordering `json:"ordering" yaml:"ordering"`
	// TestEvent is what "send a test" sends.
	TestEvent TestEvent `json:"test_event" yaml:"test_event"`
	// Traceparent passes the publisher's trace context on to the receiver.
	Traceparent bool `json:"traceparent" yaml:"traceparent"`
	// RateLimit is the largest number of attempts started per second for one subscription; 0 = no limit.
	RateLimit float64 `json:"rate_limit,omitempty" yaml:"rate_limit,omitempty"`
	// MaxInFlight is the largest number of attempts in flight for one subscription; 0 = no limit.
	MaxInFlight int `json:"max_in_flight,omitempty" yaml:"max_in_flight,omitempty"`
}

// EnvelopeMember is one member of the envelope: a key and where its value comes from.
type EnvelopeMember struct {
	Key   string        `json:"key" yaml:"key"`
	Value EnvelopeValue `json:"value" yaml:"value"`
}

// EnvelopeValue names the source of an envelope member.
type EnvelopeValue string

// What an envelope can show of an event.
const (
	ValuePayload    EnvelopeValue = "payload"     // the bytes as published
	ValueType       EnvelopeValue = "type"        // the wire type: a string or an integer
	ValueTime       EnvelopeValue = "time"        // occurred_at, else the time of acceptance, in the profile's form
	ValueEventID    EnvelopeValue = "event_id"    // string
	ValueTenant     EnvelopeValue = "tenant"      // the application's external_id, string
	ValueRetryCount EnvelopeValue = "retry_count" // integer: attempts made before this one
	ValueVersion    EnvelopeValue = "version"     // string: the version that the subscription pinned
)

// TimeForm is how a time is written.
type TimeForm string

// The time forms.
const (
	TimeRFC3339Millis TimeForm = "rfc3339_ms"   // UTC, three fraction digits, Z
	TimeUnixSeconds   TimeForm = "unix_seconds" // integer
	TimeUnixMillis    TimeForm = "unix_ms"      // integer
	TimeAsGiven       TimeForm = "as_given"     // the publisher's text, offset and digits kept
)

// Auth are the headers that identify the sender to a receiver.
type Auth struct {
	// SecurityKeyHeader carries the key that the subscriber gave, in this spelling; "" = the profile has none.
	SecurityKeyHeader string `json:"security_key_header,omitempty" yaml:"security_key_header,omitempty"`
	// CustomHeaders is how many headers a subscription may set itself; 0 = none.
	CustomHeaders int `json:"custom_headers,omitempty" yaml:"custom_headers,omitempty"`
}

// SigningScheme names a way to sign.
type SigningScheme string

// The signing schemes.
const (
	SigningNone     SigningScheme = "none"
	SigningStandard SigningScheme = "standard-webhooks" // webhook-signature: v1,… v1a,…
	SigningHMACHex  SigningScheme = "hmac-sha256-hex"   // <header>: v1=<HEX>[,v1=<HEX>], over the raw body
)

// Signing is how deliveries are signed.
type Signing struct {
	Scheme SigningScheme `json:"scheme" yaml:"scheme"`
	// Versions are the Standard Webhooks signature versions sent, of v1 (HMAC-SHA256) and v1a (ed25519).
	Versions []string `json:"versions,omitempty" yaml:"versions,omitempty"`
	// Header carries the signature of schemes that name none themselves, in this spelling.
	Header string `json:"header,omitempty" yaml:"header,omitempty"`
	// OmitWebhookHeaders leaves out webhook-id and webhook-timestamp.
	OmitWebhookHeaders bool `json:"omit_webhook_headers,omitempty" yaml:"omit_webhook_headers,omitempty"`
}

// On410 is what a receiver's 410 Gone means.
type On410 string

// The meanings of a 410.
const (
	On410Failure On410 = "failure" // a failed attempt like any other
	On410Gone    On410 = "gone"    // the subscription is gone: its open invocations end cancelled
)

// OrderingKind names an order of delivery.
type OrderingKind string

// The orders of delivery.
const (
	OrderingNone       OrderingKind = "none"
	OrderingFIFO       OrderingKind = "fifo"
	OrderingLatestWins OrderingKind = "latest_wins"
)

// What an order goes by.
const (
	OrderBySubscription = "subscription" // fifo's key: one queue for the subscription
	OrderByType         = "type"         // latest_wins' scope: events of one type and entity
	OrderByEntity       = "entity"       // fifo's key: a queue for each entity; latest_wins' scope: of any type
)

// Ordering is the order of delivery. In JSON and YAML it may be the kind alone.
type Ordering struct {
	Kind OrderingKind `json:"kind" yaml:"kind"`
	// Key is fifo's queue: "subscription" (default) or "entity".
	Key string `json:"key,omitempty" yaml:"key,omitempty"`
	// Scope is what latest_wins compares: "type" (default) or "entity".
	Scope string `json:"scope,omitempty" yaml:"scope,omitempty"`
}

// KeyOf is the ordering key of an event sent to a subscription: the events of one key are kept in order with each
// other and with nobody else. "" = it is not ordered: the kind is none, or it goes by entity and the event has none.
// A type has no "/" in it (profiles and catalogues allow letters, digits, ".", "_" and "-"), so no two are one key.
func (o Ordering) KeyOf(subscriptionID, eventType string, entityID *string) string {
	switch {
	case o.Kind == OrderingFIFO && o.Key != OrderByEntity:
		return subscriptionID
	case o.Kind != OrderingFIFO && o.Kind != OrderingLatestWins || entityID == nil:
		return ""
	case o.Kind == OrderingFIFO:
		return subscriptionID + "/fifo/" + *entityID
	case o.Scope == OrderByEntity:
		return subscriptionID + "/latest//" + *entityID
	default:
		return subscriptionID + "/latest/" + eventType + "/" + *entityID
	}
}

// UnmarshalJSON reads `"fifo"` as well as `{"kind":"fifo",…}`.
func (o *Ordering) UnmarshalJSON(data []byte) error {
	if len(data) > 0 && data[0] == '"' {
		*o = Ordering{}
		return json.Unmarshal(data, &o.Kind)
	}
	type plain Ordering
	return json.Unmarshal(data, (*plain)(o))
}

// UnmarshalYAML reads the same forms as UnmarshalJSON.
func (o *Ordering) UnmarshalYAML(unmarshal func(any) error) error {
	var kind OrderingKind
	if unmarshal(&kind) == nil {
		*o = Ordering{Kind: kind}
		return nil
	}
	type plain Ordering
	return unmarshal((*plain)(o))
}

// TestEvent is the constant event that "send a test" sends.
type TestEvent struct {
	// Type is the event type's wire value as JSON text, e.g. `"TEST_EVENT"` or `1796`.
	Type string `json:"type,omitempty" yaml:"type,omitempty"`
	// Payload is JSON text, sent byte for byte.
	Payload string `json:"payload" yaml:"payload"`
	// Raw sends Payload as the whole body, without the envelope.
	Raw bool `json:"raw,omitempty" yaml:"raw,omitempty"`
}
