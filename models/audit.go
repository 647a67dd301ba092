package models

import (
	"context"
	"encoding/json"
	"time"
)

// ActorOperator is the actor of what was done with the operator key of the configuration, which has no id, or on the
// command line.
const ActorOperator = "operator"

// Actions that no route has.
const (
	// ActionRotateMasterKey is a run of `posthorn secrets rotate`.
	ActionRotateMasterKey = "rotate-master-key"
	// ActionCompleteErasure is the end of an erasure.
	ActionCompleteErasure = "complete-erasure"
)

// AuditEntry says who changed what, when and from where, or was denied to. It is stored in the transaction of the change,
// a denial in one of its own, and never changed itself.
type AuditEntry struct {
	ID string
	// Actor is a key's id, or ActorOperator.
	Actor string
	// Role is that of the key.
	Role Role
	// ApplicationID is the application that the change is in; nil = the deployment.
	ApplicationID *string
	// Action is the operation id of the route, such as revoke-key, or one of the Action… constants.
	Action string
	// Denied: it was not done, since the key has no right to it.
	Denied bool
	// SubjectType and SubjectID name what was changed: "key" and its id, "event_type" and its name. "deployment" has no id.
	SubjectType string
	SubjectID   string
	// RemoteAddress is the peer's IP address; "" = the command line.
	RemoteAddress string
	// RequestID is the X-Request-Id of the answer; "" = the command line.
	RequestID string
	// Detail is a JSON object that says more, without secrets; nil = there is no more.
	Detail    json.RawMessage
	CreatedAt time.Time `gorm:"serializer:micros;autoCreateTime:false"`
}

// AuditFilter narrows a list of audit entries; zero values do not.
type AuditFilter struct {
	ApplicationID string
	Action        string
	// Denied lists what was denied, in place of what was done.
	Denied bool
	// After and Before bound the time: After ≤ CreatedAt < Before.
	After, Before time.Time
}

type auditKey struct{}

// WithAudit makes the store's next durable transaction under ctx write the entry as well: both are stored, or neither.
// One entry is for one transaction; a second one fails on the entry's id.
func WithAudit(ctx context.Context, entry *AuditEntry) context.Context {
	return context.WithValue(ctx, auditKey{}, entry)
}

// AuditOf is the entry that WithAudit put there; nil = what is done under ctx is not audited.
func AuditOf(ctx context.Context) *AuditEntry {
	entry, _ := ctx.Value(auditKey{}).(*AuditEntry)
	return entry
}
