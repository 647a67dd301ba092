package profiles

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/posthorn/posthorn/models"
)

// Bounds of the knobs, and of what a file may list.
const (
	MinTimeout       = 100 * time.Millisecond
	MaxTimeout       = 60 * time.Second
	MaxCustomHeaders = 20

	maxEnvelope      = 50
	maxSubscriptions = 100_000
	maxRateLimit     = 100_000
	maxInFlight      = 10_000
	maxSuppressRules = 100
	maxURLLength     = 8192
)

// check looks at every knob by itself and at those that must agree with each other. The catalogue's own
// faults are checkCatalogue's.
func (f *form) check(faults *models.Faults) {
	f.checkIdentity(faults)
	f.checkEnvelope(faults)
	f.checkHeaders(faults)
	f.checkPolicy(faults)
	f.checkSubscriptions(faults)
	f.checkTestEvent(faults)
	f.checkSuppress(faults)
}

// checkCatalogue looks at every entry by itself; newIndex looks at the list.
func (f *form) checkCatalogue(faults *models.Faults) {
	switch n := len(f.Catalogue); {
	case n == 0 && !f.Wire.Open:
		faults.Add("catalogue", "must list at least one event type, unless wire.open is true")
	case n > maxCatalogue:
		faults.Add("catalogue", "must not list more than %d event types", maxCatalogue)
	}
	for i := range f.Catalogue {
		f.Catalogue[i].check(faults, f.Wire.Type, fmt.Sprintf("catalogue[%d]", i))
	}
}

func (f *form) checkIdentity(faults *models.Faults) {
	if !profileName(f.Name) {
		faults.Add("name", "must match [a-z][a-z0-9-]{0,62}")
	}
	oneOf(faults, "wire.type", f.Wire.Type, WireString, WireInteger)
	if f.Wire.Open && f.Wire.Type != WireString {
		faults.Add("wire.open", "needs type string: the names of an open catalogue are its wire values")
	}
}

func (f *form) checkEnvelope(faults *models.Faults) {
	oneOf(faults, "time", f.Time, models.TimeRFC3339Millis, models.TimeUnixSeconds, models.TimeUnixMillis, models.TimeAsGiven)
	if len(f.Envelope) > maxEnvelope {
		faults.Add("envelope", "must not list more than %d members", maxEnvelope)
	}
	seen := map[string]bool{}
	for i, m := range f.Envelope {
		place := fmt.Sprintf("envelope[%d]", i)
		checkLength(faults, place+".key", m.Key, 1, 128)
		if seen[m.Key] {
			faults.Add(place+".key", "%q is listed twice", m.Key)
		}
		seen[m.Key] = true
		oneOf(faults, place+".value", m.Value, models.ValuePayload, models.ValueType, models.ValueTime,
			models.ValueEventID, models.ValueTenant, models.ValueRetryCount, models.ValueVersion)
		if m.Value == models.ValueVersion && !f.Versions.Required {
			faults.Add(place+".value", "needs versions.required")
		}
	}
}

func (f *form) checkHeaders(faults *models.Faults) {
	checkRange(faults, "auth.custom_headers", f.Auth.CustomHeaders, 0, MaxCustomHeaders)
	if name := f.Auth.SecurityKeyHeader; name != "" && !headerName(name) {
		faults.Add("auth.security_key_header", "must be the name of a header that Posthorn does not use itself")
	}
	s := f.Signing
	oneOf(faults, "signing.scheme", s.Scheme, models.SigningNone, models.SigningStandard, models.SigningHMACHex)
	if s.Scheme == models.SigningHMACHex && !headerName(s.Header) {
		faults.Add("signing.header", "must be the name of a header that Posthorn does not use itself")
	}
	if s.Scheme != models.SigningHMACHex && s.Header != "" {
		faults.Add("signing.header", "does not belong to scheme %s", s.Scheme)
	}
	if s.Scheme == models.SigningStandard && s.OmitWebhookHeaders {
		faults.Add("signing.omit_webhook_headers", "cannot be: the signature covers webhook-id and webhook-timestamp")
	}
	f.checkSigningVersions(faults)
}

func (f *form) checkSigningVersions(faults *models.Faults) {
	s := f.Signing
	if s.Scheme != models.SigningStandard {
		if len(s.Versions) > 0 {
			faults.Add("signing.versions", "does not belong to scheme %s", s.Scheme)
		}
		return
	}
	if len(s.Versions) == 0 {
		faults.Add("signing.versions", "must list v1, v1a or both")
	}
	for i, version := range s.Versions {
		place := fmt.Sprintf("signing.versions[%d]", i)
		oneOf(faults, place, version, "v1", "v1a")
		if slices.Contains(s.Versions[:i], version) {
			faults.Add(place, "is listed twice")
		}
	}
}

func (f *form) checkTestEvent(faults *models.Faults) {
	if err := models.CheckPayload([]byte(f.TestEvent.Payload)); err != nil {
		faults.Add("test_event.payload", "must be JSON text: %s", messageOf(err))
	}
	shown := slices.ContainsFunc(f.Envelope, func(m models.EnvelopeMember) bool { return m.Value == models.ValueType })
	given := len(f.TestEvent.Type) > 0
	if _, ok := wireText(string(f.TestEvent.Type), f.Wire.Type); given && !ok {
		faults.Add("test_event.type", "must be %s, a wire value", wireWord(f.Wire.Type))
	}
	if !given && shown && !f.TestEvent.Raw {
		faults.Add("test_event.type", "is missing: the envelope shows it")
	}
}

func messageOf(err error) string {
	if e, ok := errors.AsType[*models.Error](err); ok {
		return e.Message
	}
	return err.Error()
}

func (f *form) checkSuppress(faults *models.Faults) {
	if len(f.Suppress) > maxSuppressRules {
		faults.Add("suppress", "must not list more than %d rules", maxSuppressRules)
	}
	for i, rule := range f.Suppress {
		place := fmt.Sprintf("suppress[%d]", i)
		if !f.knows(rule.Type) {
			faults.Add(place+".type", "%q is not in the catalogue", models.Shorten(rule.Type))
		}
		if len(rule.When) == 0 {
			faults.Add(place+".when", "must list at least one condition")
		}
		for j, condition := range rule.When {
			condition.check(faults, fmt.Sprintf("%s.when[%d]", place, j))
		}
	}
}

func (f *form) knows(name string) bool {
	return f.Wire.Open && typeName(name) || slices.ContainsFunc(f.Catalogue, func(e Entry) bool {
		text, _ := wireText(string(e.Wire), f.Wire.Type)
		return e.Name == name || text == name
	})
}

func (c Condition) check(faults *models.Faults, place string) {
	checkLength(faults, place+".member", c.Member, 1, 256)
	if len(c.Equals) == 0 && c.Min == "" && c.Max == "" {
		faults.Add(place, "must have equals, min or max")
	}
	if len(c.Equals) > 0 && strings.ContainsAny(string(c.Equals[:1]), "{[") {
		faults.Add(place+".equals", "must be a string, a number, true, false or null")
	}
}
