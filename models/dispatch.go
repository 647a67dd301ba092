package models

import "time"

// Dispatch is an invocation that the dispatcher has to hand to a workflow.
type Dispatch struct {
	InvocationID   string
	ApplicationID  string
	SubscriptionID string
	EventID        *string
	EventType      string
	WorkflowID     string
	// Lease is until when it is the taker's; it also tells this taking from a later one.
	Lease time.Time `gorm:"serializer:micros"`
	// Due is when its attempt was due.
	Due time.Time `gorm:"serializer:micros"`
	// Overdue counts how often the reconciler has brought it up since its last attempt.
	Overdue int
	// Traceparent is the event's, where whoever took the row wanted to know; "" = none.
	Traceparent string `gorm:"-"`
	// Lined is set when it has waited in its subscription's line.
	Lined bool
}
