package models

import (
	"encoding/json"
	"time"
)

// Environment keeps production and demo apart (VIV-34).
type Environment string

// The environments.
const (
	EnvironmentProduction Environment = "production"
	EnvironmentDemo       Environment = "demo"
)

// Application is a tenant: its subscriptions, events and keys are seen by nobody else's.
type Application struct {
	ID          string
	Name        string
	Profile     string
	Environment Environment
	// ExternalID is what envelopes show as the tenant (ALV-9); the application's id unless given.
	ExternalID string
	// Overrides are knobs of the profile changed for this application, as the operator wrote them; nil = none.
	Overrides json.RawMessage
	// HandshakeKey is what a receiver must echo to be verified (VIV-30): 40 upper-case hex characters. It proves
	// nothing but that the receiver's owner can call our API, and is shown to them, so it is kept in clear.
	HandshakeKey string
	CreatedAt    time.Time  `gorm:"serializer:micros;autoCreateTime:false"`
	UpdatedAt    time.Time  `gorm:"serializer:micros;autoUpdateTime:false"`
	DeletedAt    *time.Time `gorm:"serializer:micros"`
}
