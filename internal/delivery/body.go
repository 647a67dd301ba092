package delivery

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/posthorn/posthorn/models"
)

// Facts is all that a body is made of. The same Facts give the same bytes at any later time, so bodies are not
// stored: a log entry makes its body again from the Spec, the event and the retry count.
type Facts struct {
	Spec *models.Spec
	// Payload is JSON text and goes out byte for byte.
	Payload []byte
	// Wire is the event type as JSON text, `1796` or `"loan.updated"`.
	Wire string
	// OccurredAt is the publisher's RFC 3339 text; "" = AcceptedAt counts.
	OccurredAt string
	AcceptedAt time.Time
	// EventID is the event's; a test has its invocation's instead.
	EventID string
	// Tenant is the application's external id.
	Tenant string
	// Version is what the subscription pinned; "" = none.
	Version string
	// RetryCount is how many attempts were made before this one.
	RetryCount int
	// Traceparent is the trace context that the receiver gets; "" = none.
	Traceparent string
	// Test marks "send a test".
	Test bool
}

// FactsOf takes the facts from a claim.
func FactsOf(c *models.Claim) Facts {
	f := Facts{
		Spec: c.Spec, Payload: c.Payload, Wire: c.Wire, OccurredAt: c.OccurredAt, AcceptedAt: c.AcceptedAt,
		EventID: c.EventID, Tenant: c.Tenant, Version: c.Version, RetryCount: c.RetryCount(),
	}
	if c.Spec.Traceparent {
		f.Traceparent = c.NextTraceparent()
	}
	if c.EventID == "" {
		f.Test, f.EventID = true, c.InvocationID
	}
	return f
}

// Body renders the request body. It fails only on facts that were never accepted: no type where the envelope shows
// one, a time that is not RFC 3339.
func Body(f Facts) ([]byte, error) {
	if len(f.Spec.Envelope) == 0 || f.Test && f.Spec.TestEvent.Raw {
		return f.Payload, nil
	}
	out := bytes.NewBuffer(make([]byte, 0, len(f.Payload)+64*len(f.Spec.Envelope)))
	for i, member := range f.Spec.Envelope {
		separator := byte(',')
		if i == 0 {
			separator = '{'
		}
		value, err := f.value(member.Value)
		if err != nil {
			return nil, fmt.Errorf("envelope member %s: %w", member.Key, err)
		}
		out.WriteByte(separator)
		out.Write(quote(member.Key))
		out.WriteByte(':')
		out.Write(value)
	}
	out.WriteByte('}')
	return out.Bytes(), nil
}

// value returns JSON text.
func (f Facts) value(source models.EnvelopeValue) ([]byte, error) {
	switch source {
	case models.ValuePayload:
		return f.Payload, nil
	case models.ValueType:
		if f.Wire == "" {
			return nil, errors.New("the event has no wire type")
		}
		return []byte(f.Wire), nil
	case models.ValueTime:
		return f.time()
	case models.ValueEventID:
		return quote(f.EventID), nil
	case models.ValueTenant:
		return quote(f.Tenant), nil
	case models.ValueRetryCount:
		return strconv.AppendInt(nil, int64(f.RetryCount), 10), nil
	case models.ValueVersion:
		return quote(f.Version), nil
	}
	return nil, fmt.Errorf("unknown value %q", source)
}

// millis is RFC 3339 with exactly three digits.
const millis = "2006-01-02T15:04:05.000Z07:00"

func (f Facts) time() ([]byte, error) {
	at := f.AcceptedAt.UTC()
	if f.OccurredAt != "" {
		if f.Spec.Time == models.TimeAsGiven {
			return quote(f.OccurredAt), nil
		}
		given, err := time.Parse(time.RFC3339Nano, f.OccurredAt)
		if err != nil {
			return nil, fmt.Errorf("%q is not RFC 3339", f.OccurredAt)
		}
		at = given.UTC()
	}
	switch f.Spec.Time {
	case models.TimeUnixSeconds:
		return strconv.AppendInt(nil, at.Unix(), 10), nil
	case models.TimeUnixMillis:
		return strconv.AppendInt(nil, at.UnixMilli(), 10), nil
	default:
		return quote(at.Format(millis)), nil
	}
}

// quote writes s as a JSON string and leaves <, > and & as they are.
func quote(s string) []byte {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(s); err != nil { // a string always encodes
		return []byte(`""`)
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n"))
}
