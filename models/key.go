package models

import "time"

// Role is what a key may do; docs/concepts.md has the table.
type Role string

// The roles. The operator may everything. A publisher is neither above nor below an admin: the one publishes, the other
// manages and reads. A member reads.
const (
	RoleOperator  Role = "operator"
	RolePublisher Role = "publisher"
	RoleAdmin     Role = "admin"
	RoleMember    Role = "member"
)

// MaxKeys is how many keys that are not revoked an application may have.
const MaxKeys = 1000

// Key is an API key as it is stored: a digest, never the key itself.
type Key struct {
	ID string
	// ApplicationID is nil for a key of the deployment.
	ApplicationID *string
	Role          Role
	Name          string
	// Prefix is what lists show of it.
	Prefix string
	// Digest is the SHA-256 of its secret part.
	Digest     []byte
	CreatedAt  time.Time  `gorm:"serializer:micros;autoCreateTime:false"`
	ExpiresAt  *time.Time `gorm:"serializer:micros"`
	LastUsedAt *time.Time `gorm:"serializer:micros"`
	RevokedAt  *time.Time `gorm:"serializer:micros"`
}

// Valid reports whether the key opens anything at the given time.
func (k *Key) Valid(now time.Time) bool {
	return k.RevokedAt == nil && (k.ExpiresAt == nil || now.Before(*k.ExpiresAt))
}

// Principal is who makes a request.
type Principal struct {
	// KeyID is "" for the operator key of the configuration.
	KeyID string
	Role  Role
	// ApplicationID is "" for a principal of the deployment.
	ApplicationID string
}

// Sees reports whether things of the application exist for the principal; to others they are absent.
func (p Principal) Sees(applicationID string) bool {
	return p.ApplicationID == "" || p.ApplicationID == applicationID
}
