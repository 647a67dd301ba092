package models

import "time"

// CommandKind is what a command asks of an invocation's workflow.
type CommandKind string

// The kinds of command.
const (
	CommandRedeliver CommandKind = "redeliver"
	CommandCancel    CommandKind = "cancel"
)

// Command is a wish committed with its 202; the dispatcher delivers it to the workflow as a signal.
type Command struct {
	ID           string
	InvocationID string
	Kind         CommandKind
	// WorkflowID is the workflow to signal.
	WorkflowID string
	// Forced redelivers what a newer event has overtaken.
	Forced        bool
	DispatchAfter *time.Time `gorm:"serializer:micros"`
	// SettledAt is when it was carried out, or its job cancelled; nil before.
	SettledAt *time.Time `gorm:"serializer:micros"`
	// JobID names the job that it is part of, which carries it out; nil = its invocation's workflow does.
	JobID *string
	// Outcome is what became of a redelivery; nil before, and when it was never carried out.
	Outcome   *RedeliveryOutcome
	CreatedAt time.Time `gorm:"serializer:micros;autoCreateTime:false"`
}
