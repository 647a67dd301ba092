package models

import "github.com/google/uuid"

// NewID returns a new identifier: a UUIDv7 (RFC 9562) in lower case. Within one process ids rise with time, so
// ordering by id is ordering by creation.
func NewID() string {
	return uuid.Must(uuid.NewV7()).String()
}

// IsID reports whether s has the form of an identifier: 36 characters, lower case, hyphens in the UUID places.
// The version is not looked at, so that ids of imported data stay valid.
func IsID(s string) bool {
	if len(s) != 36 {
		return false
	}
	id, err := uuid.Parse(s)
	return err == nil && id.String() == s
}
