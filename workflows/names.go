// Package workflows holds Posthorn's workflows: deterministic code that knows ids and decides what happens next.
// Payloads, URLs, secrets and policies never enter it; activities look them up.
package workflows

import (
	"fmt"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"
)

// TaskQueue is where workers listen.
const TaskQueue = "posthorn"

// The types under which the workflows are registered, and shown in the Temporal UI.
const (
	DeliverName      = "Deliver"
	RedeliverJobName = "RedeliverJob"
	RetentionName    = "Retention"
	EraseName        = "Erase"
)

// The names of the activities; see package activities.
const (
	ActivityFirstAttempts = "FirstAttempts"
	ActivityAttempt       = "Attempt"
	ActivityRedeliver     = "Redeliver"
	ActivityRedeliverStep = "RedeliverStep"
	ActivityPurge         = "Purge"
	ActivityErase         = "Erase"
)

// The signals that Deliver takes.
const (
	// SignalDeliver (DeliverSignal) adds invocations.
	SignalDeliver = "deliver"
	// SignalRedeliver (RedeliverSignal) makes one more attempt at an invocation now.
	SignalRedeliver = "redeliver"
	// SignalCancel (CancelSignal) ends the wait for an invocation that was cancelled.
	SignalCancel = "cancel"
)

// SignalChanged tells RedeliverJob that its job's row was changed; it carries nothing.
const SignalChanged = "changed"

// DeliverSignal is what SignalDeliver carries.
type DeliverSignal struct {
	Invocations []string `json:"invocations"`
}

// RedeliverSignal is what SignalRedeliver carries.
type RedeliverSignal struct {
	Invocation string `json:"invocation"`
	Command    string `json:"command"`
}

// CancelSignal is what SignalCancel carries.
type CancelSignal struct {
	Invocation string `json:"invocation"`
}

// WorkflowTaskTimeout is how soon Temporal gives a workflow task, local activity included, to another worker when
// the one that has it was killed.
const WorkflowTaskTimeout = 3 * time.Second

// InvocationsPerWorkflow bounds the ids of one workflow. Measured: the cost of an id rises with the square of their
// number, and a keyword list over 2,048 bytes (55 ids) refuses the start.
const InvocationsPerWorkflow = 50

// EventWorkflowID is the workflow of an event's invocations; part counts from 0 in steps of InvocationsPerWorkflow.
func EventWorkflowID(eventID string, part int) string {
	if part == 0 {
		return "event/" + eventID
	}
	return fmt.Sprintf("event/%s/%d", eventID, part+1)
}

// SharedWorkflowID is the workflow of several events, of which the given one is the first.
func SharedWorkflowID(eventID string) string { return "events/" + eventID }

// InvocationWorkflowID is the workflow of an invocation that travels alone: a test, or the head of a FIFO queue.
func InvocationWorkflowID(invocationID string) string { return "invocation/" + invocationID }

// JobWorkflowID is the workflow of a bulk redelivery.
func JobWorkflowID(jobID string) string { return "job/" + jobID }

// ErasureWorkflowID is the workflow of an erasure.
func ErasureWorkflowID(erasureID string) string { return "erasure/" + erasureID }

// RetentionID is the Temporal Schedule that starts Retention, and what the ids of its workflows begin with.
const RetentionID = "posthorn-retention"

// RetentionEvery is how often the schedule starts a round; one that is due while the last still runs is left out.
const RetentionEvery = time.Hour

// The search attributes by which operators find a delivery in the Temporal UI. Customers' text stays out of them.
//
//nolint:gochecknoglobals // constants in all but name: the SDK makes keys by function only
var (
	// SearchApplication is the application's id.
	SearchApplication = temporal.NewSearchAttributeKeyKeyword("PosthornApplication")
	// SearchSubscription lists the subscriptions' ids.
	SearchSubscription = temporal.NewSearchAttributeKeyKeywordList("PosthornSubscription")
	// SearchEvents lists the ids of the events that share a workflow; one that has its own is found by the workflow's id.
	SearchEvents = temporal.NewSearchAttributeKeyKeywordList("PosthornEvents")
	// SearchEventType is the event type's name; where several events of different types share a workflow, it is not set.
	SearchEventType = temporal.NewSearchAttributeKeyKeyword("PosthornEventType")
	// SearchStatus is how far the workflow has come: one of the Status… values.
	SearchStatus = temporal.NewSearchAttributeKeyKeyword("PosthornStatus")
)

// The values of SearchStatus.
const (
	StatusDelivering = "delivering"
	StatusRetrying   = "retrying"
	StatusSucceeded  = "succeeded"
	StatusFailed     = "failed"
	StatusCancelled  = "cancelled"
	StatusParked     = "parked"
)

// SearchAttributes lists what a namespace must have registered.
func SearchAttributes() map[string]enumspb.IndexedValueType {
	return map[string]enumspb.IndexedValueType{
		SearchApplication.GetName():  SearchApplication.GetValueType(),
		SearchSubscription.GetName(): SearchSubscription.GetValueType(),
		SearchEvents.GetName():       SearchEvents.GetValueType(),
		SearchEventType.GetName():    SearchEventType.GetValueType(),
		SearchStatus.GetName():       SearchStatus.GetValueType(),
	}
}
