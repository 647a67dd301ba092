package profiles

import (
	"fmt"
	"strings"

	"github.com/posthorn/posthorn/models"
)

// MaxPatterns bounds the event types of one subscription where the profile does not.
const MaxPatterns = 500

// Wildcard matches every event type.
const Wildcard = "*"

// ResolvePatterns turns what a client listed as a subscription's event types into catalogue names and wildcards, in
// the same order. It refuses with a validation error, located at `event_types` or `event_types[2]`: an event type
// that is unknown or listed twice, a wildcard where the profile has none, and a list that is too short or too long.
func (p *Profile) ResolvePatterns(given []string) ([]string, error) {
	var faults models.Faults
	if err := p.CheckPatternCount(len(given)); err != nil {
		return nil, err
	}
	resolved := make([]string, 0, len(given))
	seen := make(map[string]bool, len(given))
	for i, text := range given {
		place := fmt.Sprintf("event_types[%d]", i)
		name, err := p.ResolvePattern(text)
		switch {
		case err != nil:
			faults.Add(place, "%s", err)
		case seen[name]:
			faults.Add(place, "%q is listed twice", name)
		}
		seen[name] = true
		resolved = append(resolved, name)
	}
	if err := faults.Err(); err != nil {
		return nil, err
	}
	return resolved, nil
}

// CheckPatternCount refuses, located at `event_types`, a number of event types that a subscription may not have.
func (p *Profile) CheckPatternCount(n int) error {
	low, high := p.TypesPerSubscription.Min, p.TypesPerSubscription.Max
	if high == 0 {
		high = MaxPatterns
	}
	switch {
	case n >= low && n <= high:
		return nil
	case low == high:
		return models.Invalid("event_types", "must list exactly %d, not %d", low, n)
	default:
		return models.Invalid("event_types", "must list %d to %d, not %d", low, high, n)
	}
}

// ResolvePattern turns one event type as a client wrote it (name, wire value or wildcard) into a name or wildcard.
// The error is a sentence for the client, without a place.
func (p *Profile) ResolvePattern(given string) (string, error) {
	if !strings.HasSuffix(given, Wildcard) {
		t, ok := p.ResolveType(given)
		if !ok {
			return "", fmt.Errorf("%q is not an event type of profile %s", models.Shorten(given), p.Name)
		}
		return t.Name, nil
	}
	switch {
	case !p.TypesPerSubscription.Wildcards:
		return "", fmt.Errorf("profile %s does not take wildcards", p.Name)
	case given != Wildcard && !typeName(strings.TrimSuffix(given, ".*")):
		return "", fmt.Errorf("%q is not a wildcard such as loan.* or *", models.Shorten(given))
	case !p.Wire.Open && !p.matchesAny(given):
		return "", fmt.Errorf("%q matches no event type of profile %s", given, p.Name)
	default:
		return given, nil
	}
}

func (p *Profile) matchesAny(pattern string) bool {
	for _, t := range p.Catalogue {
		if strings.HasPrefix(t.Name, strings.TrimSuffix(pattern, Wildcard)) {
			return true
		}
	}
	return false
}

// MatchPatterns lists every name and wildcard that matches an event type's name, the name first: for `a.b.c` they
// are `a.b.c`, `a.b.*`, `a.*` and `*`. A subscription wants the event if it has one of them.
func MatchPatterns(name string) []string {
	patterns := []string{name}
	for i := len(name) - 1; i > 0; i-- {
		if name[i] == '.' {
			patterns = append(patterns, name[:i+1]+Wildcard)
		}
	}
	return append(patterns, Wildcard)
}
