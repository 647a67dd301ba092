package models

import "time"

// Event is a fact that a publisher handed over; it never changes.
type Event struct {
	// Seq rises with acceptance over the whole deployment; the database gives it.
	Seq           int64 `gorm:"primaryKey;autoIncrement"`
	ID            string
	ApplicationID string
	// Type is the catalogue name.
	Type string
	// Wire is the type as the envelope shows it: JSON text, `1796` or `"loan.updated"`.
	Wire string
	// Payload is the bytes as published.
	Payload []byte
	// OccurredAt is the publisher's text, offset and digits kept; "" = not given.
	OccurredAt string
	EntityID   *string
	// PublisherSequence is the publisher's own number; nil = not given.
	PublisherSequence *int64
	IdempotencyKey    *string
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
