package api

import "github.com/posthorn/posthorn/models"

// profileForm documents Profile: the members that profiles.Profile writes.
type profileForm struct {
	Name                 string                  `json:"name" example:"standard"`
	Envelope             []models.EnvelopeMember `json:"envelope" doc:"The body's members in order; empty = the body is the payload itself."`
	Time                 models.TimeForm         `json:"time" enum:"rfc3339_ms,unix_seconds,unix_ms,as_given"`
	Wire                 wireForm                `json:"wire"`
	TypesPerSubscription typesForm               `json:"types_per_subscription"`
	Versions             versionsForm            `json:"versions"`
	Auth                 models.Auth             `json:"auth"`
	Signing              models.Signing          `json:"signing"`
	Success              models.Success          `json:"success"`
	Timeout              models.Duration         `json:"timeout" example:"15s"`
	Retry                models.RetryPolicy      `json:"retry"`
	RetryAfter           models.Duration         `json:"retry_after" doc:"Up to how long Retry-After is honoured; 0s = ignored."`
	On410                models.On410            `json:"on_410" enum:"failure,gone"`
	Ordering             models.Ordering         `json:"ordering"`
	Entity               entityForm              `json:"entity"`
	Verification         verificationForm        `json:"verification"`
	URL                  urlForm                 `json:"url"`
	SubscriptionLimit    int                     `json:"subscription_limit"`
	ManagedBy            models.Role             `json:"managed_by" enum:"operator,admin"`
	TestEvent            testEventForm           `json:"test_event"`
	Suppress             []suppressForm          `json:"suppress"`
	Traceparent          bool                    `json:"traceparent"`
	Catalogue            []EventType             `json:"catalogue"`
	RateLimit            float64                 `json:"rate_limit,omitempty"`
	MaxInFlight          int                     `json:"max_in_flight,omitempty"`
}

type wireForm struct {
	Type string `json:"type" enum:"string,integer"`
	Open bool   `json:"open" doc:"Event types that the catalogue does not list are accepted."`
}

type typesForm struct {
	Min       int  `json:"min"`
	Max       int  `json:"max" doc:"0 = no limit of the profile."`
	Wildcards bool `json:"wildcards"`
}

type versionsForm struct {
	Required bool `json:"required"`
}

type entityForm struct {
	Sources []string `json:"sources" doc:"entity_id or payload.<member>, in order of preference."`
}

type verificationForm struct {
	Kind   string `json:"kind" enum:"none,handshake"`
	Member string `json:"member,omitempty"`
}

type urlForm struct {
	MaxLength int `json:"max_length" doc:"In bytes; 0 = 2048."`
}

type testEventForm struct {
	Type    typeName `json:"type,omitempty"`
	Payload string   `json:"payload" doc:"JSON text, sent byte for byte."`
	Raw     bool     `json:"raw,omitempty"`
}

type suppressForm struct {
	Type string          `json:"type"`
	When []conditionForm `json:"when"`
}

type conditionForm struct {
	Member string   `json:"member"`
	Equals Verbatim `json:"equals,omitempty"`
	Min    float64  `json:"min,omitempty"`
	Max    float64  `json:"max,omitempty"`
}
