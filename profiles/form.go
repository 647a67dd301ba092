package profiles

import (
	"bytes"
	"encoding/json"

	"github.com/posthorn/posthorn/models"
)

// form is the shape of a profile file, of an application's overrides and of GET /v1/profiles/{name}: its members are
// the knobs, in the order in which answers show them. The last two are a subscription's to set; a profile may give
// defaults.
type form struct {
	Name                 string                  `json:"name"`
	Envelope             []models.EnvelopeMember `json:"envelope"`
	Time                 models.TimeForm         `json:"time"`
	Wire                 Wire                    `json:"wire"`
	TypesPerSubscription TypesPerSubscription    `json:"types_per_subscription"`
	Versions             Versions                `json:"versions"`
	Auth                 models.Auth             `json:"auth"`
	Signing              models.Signing          `json:"signing"`
	Success              models.Success          `json:"success"`
	Timeout              models.Duration         `json:"timeout"`
	Retry                models.RetryPolicy      `json:"retry"`
	RetryAfter           models.Duration         `json:"retry_after"`
	On410                models.On410            `json:"on_410"`
	Ordering             models.Ordering         `json:"ordering"`
	Entity               Entity                  `json:"entity"`
	Verification         Verification            `json:"verification"`
	URL                  URL                     `json:"url"`
	SubscriptionLimit    int                     `json:"subscription_limit"`
	ManagedBy            models.Role             `json:"managed_by"`
	TestEvent            testEvent               `json:"test_event"`
	Suppress             []SuppressRule          `json:"suppress"`
	Traceparent          bool                    `json:"traceparent"`
	Catalogue            []Entry                 `json:"catalogue"`
	RateLimit            float64                 `json:"rate_limit,omitempty"`
	MaxInFlight          int                     `json:"max_in_flight,omitempty"`
}

// testEvent is models.TestEvent with its type as a client writes types: TEST_EVENT or 1796.
type testEvent struct {
	Type    json.RawMessage `json:"type,omitempty"`
	Payload string          `json:"payload"`
	Raw     bool            `json:"raw,omitempty"`
}

// defaults are the knobs that a file may leave out. What decides when a delivery counts and when it is given up
// (success, timeout, retry, test_event, catalogue) has none: a provider's file must say it.
func defaults() *form {
	return &form{
		Time:                 models.TimeRFC3339Millis,
		Wire:                 Wire{Type: WireString},
		TypesPerSubscription: TypesPerSubscription{Min: 1},
		Signing:              models.Signing{Scheme: models.SigningNone},
		On410:                models.On410Failure,
		Ordering:             models.Ordering{Kind: models.OrderingNone},
		Verification:         Verification{Kind: VerificationNone},
		SubscriptionLimit:    100,
		ManagedBy:            models.RoleAdmin,
	}
}

func formOf(p *Profile) *form {
	return &form{
		Name: p.Name, Envelope: orEmpty(p.Envelope), Time: p.Time, Wire: p.Wire,
		TypesPerSubscription: p.TypesPerSubscription, Versions: p.Versions, Auth: p.Auth, Signing: p.Signing,
		Success: p.Success, Timeout: p.Timeout, Retry: p.Retry, RetryAfter: p.RetryAfter, On410: p.On410,
		Ordering: p.Ordering, Entity: Entity{Sources: orEmpty(p.Entity.Sources)}, Verification: p.Verification,
		URL: p.URL, SubscriptionLimit: p.SubscriptionLimit, ManagedBy: p.ManagedBy,
		TestEvent: testEvent{
			Type: []byte(p.TestEvent.Type), Payload: p.TestEvent.Payload, Raw: p.TestEvent.Raw,
		},
		Suppress: orEmpty(p.Suppress), Traceparent: p.Traceparent, Catalogue: entriesOf(p.Catalogue),
		RateLimit: p.RateLimit, MaxInFlight: p.MaxInFlight,
	}
}

// profile turns a checked form into a Profile.
func (f *form) profile(x *index) *Profile {
	p := &Profile{
		Name: f.Name, Wire: f.Wire, TypesPerSubscription: f.TypesPerSubscription, Versions: f.Versions,
		Entity: f.Entity, Verification: f.Verification, URL: f.URL, SubscriptionLimit: f.SubscriptionLimit,
		ManagedBy: f.ManagedBy, Suppress: f.Suppress, Catalogue: x.types, index: x,
	}
	p.Spec = models.Spec{
		Envelope: f.Envelope, Time: f.Time, Auth: f.Auth, Signing: f.Signing, Success: f.Success,
		Timeout: f.Timeout, Retry: f.Retry, RetryAfter: f.RetryAfter, On410: f.On410, Ordering: explicit(f.Ordering),
		Traceparent: f.Traceparent, RateLimit: f.RateLimit, MaxInFlight: f.MaxInFlight,
		TestEvent: models.TestEvent{
			Type: string(f.TestEvent.Type), Payload: f.TestEvent.Payload, Raw: f.TestEvent.Raw,
		},
	}
	return p
}

func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

// marshal is json.Marshal that leaves <, > and & as they are: sample payloads are shown as they are sent.
func marshal(v any) ([]byte, error) {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), nil
}
