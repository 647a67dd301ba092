package profiles

import (
	"bytes"
	"encoding/json"
	"strings"
	"unicode/utf8"

	"github.com/posthorn/posthorn/models"
)

// MaxEntityID bounds an entity id in characters.
const MaxEntityID = 128

// Suppressed reports whether an event of the type, given by name, leads to no invocation: one of the profile's rules
// matches its payload.
func (p *Profile) Suppressed(name string, payload []byte) bool {
	for _, rule := range p.Suppress {
		t, ok := p.ResolveType(rule.Type)
		if ok && t.Name == name && rule.matches(payload) {
			return true
		}
	}
	return false
}

func (r SuppressRule) matches(payload []byte) bool {
	for _, condition := range r.When {
		value, ok := lookup(payload, condition.Member)
		if !ok || !condition.met(value) {
			return false
		}
	}
	return true
}

func (c Condition) met(value json.RawMessage) bool {
	if len(c.Equals) > 0 && !sameScalar(c.Equals, value) {
		return false
	}
	if c.Min == "" && c.Max == "" {
		return true
	}
	number, ok := numberOf(value)
	if !ok {
		return false
	}
	return c.within(number)
}

func (c Condition) within(n json.Number) bool {
	value, _ := rational(n)
	if low, ok := rational(c.Min); ok && c.Min != "" && value.Cmp(low) < 0 {
		return false
	}
	high, ok := rational(c.Max)
	return c.Max == "" || !ok || value.Cmp(high) <= 0
}

func sameScalar(a, b json.RawMessage) bool {
	left, isNumber := numberOf(a)
	right, otherIsNumber := numberOf(b)
	if isNumber && otherIsNumber {
		x, okX := rational(left)
		y, okY := rational(right)
		return okX && okY && x.Cmp(y) == 0
	}
	var textA, textB string
	if json.Unmarshal(a, &textA) == nil && json.Unmarshal(b, &textB) == nil && a[0] == '"' && b[0] == '"' {
		return textA == textB
	}
	return bytes.Equal(a, b) // true, false, null
}

func numberOf(raw json.RawMessage) (json.Number, bool) {
	if len(raw) == 0 || raw[0] != '-' && (raw[0] < '0' || raw[0] > '9') {
		return "", false
	}
	return json.Number(raw), true
}

// lookup finds the member at a path of object keys joined by dots; of keys given twice the last counts.
func lookup(payload []byte, path string) (json.RawMessage, bool) {
	value := json.RawMessage(payload)
	for key := range strings.SplitSeq(path, ".") {
		var object map[string]json.RawMessage
		if json.Unmarshal(value, &object) != nil {
			return nil, false
		}
		inner, ok := object[key]
		if !ok {
			return nil, false
		}
		value = inner
	}
	return bytes.TrimSpace(value), true
}

// EntityID returns what the event is about, by the profile's sources; given is the publisher's `entity_id`, "" when
// absent, and also the answer when no source has one. "" means that the event belongs to no entity. An id of more
// than MaxEntityID characters is a validation error.
func (p *Profile) EntityID(given string, payload []byte) (string, error) {
	for _, source := range p.Entity.Sources {
		if source == entitySource && given != "" {
			break
		}
		member, inPayload := strings.CutPrefix(source, payloadSource)
		if !inPayload {
			continue
		}
		value, _ := lookup(payload, member)
		if id := scalarText(value); id != "" {
			return id, checkEntityID(strings.ReplaceAll(source, ".", "/"), id)
		}
	}
	return given, checkEntityID(entitySource, given)
}

// The entity sources: the publisher's member, and the beginning of one that is a member of the payload.
const (
	entitySource  = "entity_id"
	payloadSource = "payload."
)

func checkEntityID(place, id string) error {
	if utf8.RuneCountInString(id) > MaxEntityID {
		return models.Invalid(place, "must not be longer than %d characters", MaxEntityID)
	}
	if strings.ContainsRune(id, 0) { // no database column of text can hold it
		return models.Invalid(place, "must not contain NUL")
	}
	return nil
}

// scalarText is a string's value or a number's digits; "" for anything else.
func scalarText(raw json.RawMessage) string {
	if number, ok := numberOf(raw); ok {
		return number.String()
	}
	var text string
	if len(raw) == 0 || raw[0] != '"' || json.Unmarshal(raw, &text) != nil {
		return ""
	}
	return text
}
