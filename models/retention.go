package models

// PurgePhase is what a round of the retention is at.
type PurgePhase string

// The phases of a round, in their order: what refers to other rows goes before them.
const (
	PurgeEvents        PurgePhase = "events" // with their invocations, log entries and commands
	PurgeTests         PurgePhase = "tests"  // of subscriptions
	PurgeJobs          PurgePhase = "jobs"
	PurgeSubscriptions PurgePhase = "subscriptions" // deleted ones
	PurgeApplications  PurgePhase = "applications"  // deleted ones
)

// PurgeCursor is how far a round of the retention has come; the zero value is its beginning.
type PurgeCursor struct {
	Phase PurgePhase `json:"phase,omitempty"`
	// CreatedAt (Unix microseconds) and ID are the last row looked at, in a phase that passes over rows which stay.
	CreatedAt int64  `json:"created_at,omitempty"`
	ID        string `json:"id,omitempty"`
}

// PurgeStep is what one batch of the retention did.
type PurgeStep struct {
	// Removed counts events, tests, jobs, subscriptions and applications; what goes with them is not counted.
	Removed int
	// Next is where the next batch begins; meaningless when Done.
	Next PurgeCursor
	Done bool
}
