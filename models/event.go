package models

import "time"

// Event is a fact that a publisher handed over; it never changes.
type Event struct {
	// Seq rises with acceptance over the whole deployment; the database gives it.
	Seq           int64 `gorm:"primaryKey;autoIncrement"`
	ID            string
	ApplicationID string
	// Tenant is what envelopes show as the tenant: the application's external id when it was accepted.
	Tenant string
	// Type is the catalogue name.
	Type string
	// Wire is the type as the envelope shows it: JSON text, `1796` or `"loan.updated"`.
	Wire string
	// Payload is the bytes as published; empty when each version has its own.
	Payload []byte
	// Versions are the payloads by version; nil = Payload serves every version.
	Versions []EventVersion `gorm:"-"`
	// OccurredAt is the publisher's text, offset and digits kept; "" = not given.
	OccurredAt string
	EntityID   *string
	// PublisherSequence is the publisher's own number; nil = not given.
	PublisherSequence *int64
	IdempotencyKey    *string
	// Traceparent is the trace context that its deliveries belong to, as ParseTraceparent gives it; nil = none.
	Traceparent *string
	// Digest is the SHA-256 of what was published, to tell a repeat from a mismatch.
	Digest      []byte
	NotBefore   *time.Time `gorm:"serializer:micros"`
	CancelledAt *time.Time `gorm:"serializer:micros"`
	CreatedAt   time.Time  `gorm:"serializer:micros;autoCreateTime:false"`
}

// Sequence is the number that clients see: the publisher's where given, else the order of acceptance.
func (e *Event) Sequence() int64 {
	if e.PublisherSequence != nil {
		return *e.PublisherSequence
	}
	return e.Seq
}

// MaxEventVersions is how many payloads one event may carry.
const MaxEventVersions = 20

// EventVersion is the payload of an event for the subscriptions that pinned one version.
type EventVersion struct {
	EventID string
	Version string
	Payload []byte
}

// PayloadFor returns what a subscription that pinned the version gets; false when the event has nothing for it.
func (e *Event) PayloadFor(version *string) ([]byte, bool) {
	if len(e.Versions) == 0 {
		return e.Payload, true
	}
	for i := range e.Versions {
		if version != nil && e.Versions[i].Version == *version {
			return e.Versions[i].Payload, true
		}
	}
	return nil, false
}

// EventFilter narrows a list of events; zero values do not.
type EventFilter struct {
	ApplicationID string
	Type          string
	EntityID      string
	// After and Before bound the time of acceptance: After ≤ created < Before.
	After, Before time.Time
	// Undelivered keeps events that some subscription has not got, and those that none was there for.
	Undelivered bool
	WithPayload bool
}
