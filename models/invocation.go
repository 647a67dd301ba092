package models

import "time"

// InvocationStatus is an invocation's state as it is stored. Clients also see StatusPaused, which is derived.
type InvocationStatus string

// The states of an invocation; docs/concepts.md says what leads to each and away from it.
const (
	StatusPending   InvocationStatus = "pending"   // no attempt yet
	StatusQueued    InvocationStatus = "queued"    // behind others in a FIFO queue
	StatusRetrying  InvocationStatus = "retrying"  // a failed attempt, another is due
	StatusPaused    InvocationStatus = "paused"    // open, but its subscription gets nothing now; never stored
	StatusSucceeded InvocationStatus = "succeeded" // delivered
	StatusFailed    InvocationStatus = "failed"    // attempts or age used up
	StatusCancelled InvocationStatus = "cancelled" // ended by a named action, see Reason
	StatusAbandoned InvocationStatus = "abandoned" // a newer event was delivered first
)

// InvocationStatuses lists every status that clients see: the open ones, then those that have ended.
func InvocationStatuses() []InvocationStatus {
	return []InvocationStatus{
		StatusPending, StatusQueued, StatusRetrying, StatusPaused,
		StatusSucceeded, StatusFailed, StatusCancelled, StatusAbandoned,
	}
}

// Open reports whether attempts may still follow by themselves.
func (s InvocationStatus) Open() bool {
	return s == StatusPending || s == StatusQueued || s == StatusRetrying || s == StatusPaused
}

// Reasons why an invocation ended without being delivered or used up.
const (
	ReasonCancelled           = "cancelled"
	ReasonEventCancelled      = "event_cancelled"
	ReasonSubscriptionDeleted = "subscription_deleted"
	ReasonSubscriptionGone    = "subscription_gone"
	ReasonApplicationDeleted  = "application_deleted"
	// ReasonSuperseded: a newer event of the same entity was delivered first; AbandonedBy names its invocation.
	ReasonSuperseded = "superseded"
	// ReasonVersionMissing: the event has no payload for the version that the subscription pinned.
	ReasonVersionMissing = "version_missing"
	// ReasonErased: its entity, or its application, is being erased; its rows go as soon as no attempt is in flight.
	ReasonErased = "erased"
)

// Invocation is one event fired at one subscription, or one test of a subscription.
type Invocation struct {
	ID             string
	ApplicationID  string
	SubscriptionID string
	// EventID is nil for a test.
	EventID   *string
	EventType string
	EntityID  *string
	// Version is what the subscription had pinned when the invocation was made; nil where the profile has no versions.
	Version *string
	Status  InvocationStatus
	// SpecDigest names the Spec it was accepted under.
	SpecDigest []byte
	// Attempts counts every log entry; the next one is Attempts+1.
	Attempts int
	// PolicyAttempts counts the ones that use up the retry policy: scheduled, and not cut off by our own fault.
	PolicyAttempts int
	// URL is where the last attempt went; before the first, where it will go.
	URL            string
	FirstAttemptAt *time.Time `gorm:"serializer:micros"`
	LastAttemptAt  *time.Time `gorm:"serializer:micros"`
	// NextAttemptAt is when the next scheduled attempt is due; nil once closed.
	NextAttemptAt    *time.Time `gorm:"serializer:micros"`
	DeliveredAt      *time.Time `gorm:"serializer:micros"`
	LastStatusCode   *int
	LastErrorCode    *AttemptErrorCode
	LastErrorMessage *string
	AbandonedBy      *string
	Reason           *string
	// OrderingKey names those that it is kept in order with; nil = it is not ordered. See Ordering.KeyOf.
	OrderingKey *string
	// Sequence is its event's, and what latest-wins compares; nil = it is not ordered.
	Sequence *int64
	// Position is its place in a FIFO queue, from 1, with gaps; nil without one.
	Position   *int64
	WorkflowID string
	// DispatchAfter is when the dispatcher takes it up; nil = nothing to dispatch.
	DispatchAfter *time.Time `gorm:"serializer:micros"`
	// Parked marks an open invocation that no workflow waits for, until something brings it back.
	Parked bool
	// Overdue counts how often the reconciler has taken it up since its last attempt.
	Overdue int
	// ClaimToken, ClaimOwner and ClaimedAt hold the attempt in flight: who sends it, since when.
	// ClaimRedelivery names the command behind the attempt in flight; nil = the policy.
	ClaimToken      *string
	ClaimOwner      *string
	ClaimRedelivery *string
	ClaimedAt       *time.Time `gorm:"serializer:micros"`
	// Ordering is the kind of order behind OrderingKey, while it is being accepted; its Spec has it afterwards.
	Ordering  OrderingKind `gorm:"-"`
	CreatedAt time.Time    `gorm:"serializer:micros;autoCreateTime:false"`
	UpdatedAt time.Time    `gorm:"serializer:micros;autoUpdateTime:false"`
}

// IsTest reports whether it is a test of its subscription.
func (i *Invocation) IsTest() bool { return i.EventID == nil }

// Receipt is what has come of an invocation's attempts, whatever its status.
type Receipt string

// The receipts.
const (
	ReceiptNone    Receipt = "none"    // no attempt yet
	ReceiptTaken   Receipt = "taken"   // delivered
	ReceiptRefused Receipt = "refused" // attempts, but not delivered so far
)

// Receipt says what has come of its attempts. A redelivery that fails does not undo a delivery.
func (i *Invocation) Receipt() Receipt {
	switch {
	case i.Status == StatusSucceeded:
		return ReceiptTaken
	case i.Attempts > 0:
		return ReceiptRefused
	default:
		return ReceiptNone
	}
}

// InvocationView is an invocation as lists show it: with what its subscription and event add to it.
type InvocationView struct {
	Invocation
	// Paused is set when its subscription gets nothing now.
	Paused bool
}

// Shown is the status that clients see: an open invocation of a subscription that gets nothing is paused.
func (v *InvocationView) Shown() InvocationStatus {
	if v.Paused && v.Status.Open() {
		return StatusPaused
	}
	return v.Status
}

// InvocationFilter narrows a list of invocations; zero values do not.
type InvocationFilter struct {
	ApplicationID  string
	SubscriptionID string
	EventID        string
	EventType      string
	EntityID       string
	Status         InvocationStatus
	// Receipt narrows by what has come of the attempts; "" = any.
	Receipt Receipt
	// WithoutTests leaves out tests of subscriptions.
	WithoutTests bool
	// After and Before bound the time of creation: After ≤ created < Before.
	After, Before time.Time
}
