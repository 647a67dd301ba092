package models

import (
	"crypto/sha256"
	"encoding/hex"
	"time"
)

// Erasure is the removal, on request, of all that is stored about one application, or about one entity of it.
type Erasure struct {
	ID            string
	ApplicationID string
	// EntityID is what the publishers call the entity; nil = the whole application, and once the erasure has ended.
	EntityID *string
	// EntityDigest tells the entity beyond that, see EntityDigest; nil = the whole application.
	EntityDigest *string
	// Reason is the operator's, kept with the record.
	Reason string
	ErasureCounts
	// DispatchAfter is when the dispatcher starts the workflow, which puts that off as long as it works; nil = ended.
	DispatchAfter *time.Time `gorm:"serializer:micros"`
	StartedAt     *time.Time `gorm:"serializer:micros"`
	FinishedAt    *time.Time `gorm:"serializer:micros"`
	CreatedAt     time.Time  `gorm:"serializer:micros;autoCreateTime:false"`
}

// ErasureCounts are how many of each an erasure has removed.
type ErasureCounts struct {
	Events, Invocations, Attempts, Jobs, Subscriptions int
	// Keys are API keys.
	Keys int `gorm:"column:api_keys"`
}

// ErasureState is how far an erasure has come.
type ErasureState string

// The states of an erasure.
const (
	ErasurePending   ErasureState = "pending"   // accepted
	ErasureRunning   ErasureState = "running"   // being carried out
	ErasureCompleted ErasureState = "completed" // nothing is left
)

// State tells how far it has come.
func (e *Erasure) State() ErasureState {
	switch {
	case e.FinishedAt != nil:
		return ErasureCompleted
	case e.StartedAt != nil:
		return ErasureRunning
	default:
		return ErasurePending
	}
}

// EntityDigest is what a record of an erasure keeps of an entity: the SHA-256 of `<application>/<entity>` in hex. Who
// knows the entity's id finds the record by it; the record does not tell the id.
func EntityDigest(applicationID, entityID string) string {
	sum := sha256.Sum256([]byte(applicationID + "/" + entityID))
	return hex.EncodeToString(sum[:])
}

// ErasureFilter narrows a list of erasures; zero values do not.
type ErasureFilter struct {
	ApplicationID string
	// EntityDigest is that of the entity.
	EntityDigest string
}

// ErasurePhase is what an erasure is at.
type ErasurePhase string

// The phases, in their order: what refers to other rows goes before them. An entity has events only.
const (
	EraseEvents ErasurePhase = "events" // with their invocations, log entries and commands
	EraseTests  ErasurePhase = "tests"  // of subscriptions
	EraseRest   ErasurePhase = "rest"   // jobs, subscriptions, keys, the application; the record ends with it
)

// ErasureCursor is how far an erasure has come; the zero value is its beginning.
type ErasureCursor struct {
	Phase ErasurePhase `json:"phase,omitempty"`
	// Seq and ID are the last event, or test, that was looked at.
	Seq int64  `json:"seq,omitempty"`
	ID  string `json:"id,omitempty"`
	// Left counts those passed over: attempts of theirs are in flight.
	Left int `json:"left,omitempty"`
}

// ErasureStep is what one batch of an erasure did.
type ErasureStep struct {
	// Next is where the next batch begins; meaningless when Done.
	Next ErasureCursor
	// Waiting is set when all that is left has attempts in flight.
	Waiting, Done bool
}
