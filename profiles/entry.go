package profiles

import (
	"encoding/json"
	"reflect"
	"slices"
	"strconv"

	"github.com/posthorn/posthorn/models"
)

// Entry is an event type as catalogues list it and as operators write it.
type Entry struct {
	Name string `json:"name"`
	// Wire is how it is written on the wire, a string or an integer; absent = its name.
	Wire        json.RawMessage `json:"wire"`
	Group       string          `json:"group"`
	Description string          `json:"description"`
	Deprecated  bool            `json:"deprecated"`
	Versions    []string        `json:"versions"`
	// Schema is a JSON Schema 2020-12 object; absent = any payload.
	Schema json.RawMessage `json:"schema,omitempty"`
}

// EntryOf returns the catalogue entry of an event type.
func EntryOf(t models.EventType) Entry {
	return Entry{
		Name: t.Name, Wire: []byte(t.Wire), Group: t.Group, Description: t.Description,
		Deprecated: t.Deprecated, Versions: orEmpty(t.Versions), Schema: []byte(t.Schema),
	}
}

func entriesOf(types []models.EventType) []Entry {
	entries := make([]Entry, len(types))
	for i, t := range types {
		entries[i] = EntryOf(t)
	}
	return entries
}

func typesOf(entries []Entry) []models.EventType {
	types := make([]models.EventType, len(entries))
	for i, entry := range entries {
		types[i] = entry.eventType()
	}
	return types
}

func (e Entry) eventType() models.EventType {
	return models.EventType{
		Name: e.Name, Wire: string(e.Wire), Group: e.Group, Description: e.Description,
		Deprecated: e.Deprecated, Versions: orEmpty(e.Versions), Schema: string(e.Schema),
	}
}

// ParseEventType reads an event type that an operator adds to the profile's catalogue. Its members are those of
// Entry; faults are located at them. It does not look whether the name is taken.
func (p *Profile) ParseEventType(raw json.RawMessage) (models.EventType, error) {
	return p.parseEntry(raw, Entry{})
}

// PatchEventType returns the event type with the members of raw replaced; null takes its schema away. Versions are
// added to those that there are. Its name and wire value stay: published events and subscriptions hold on to them, and
// subscriptions to the version that they pinned.
func (p *Profile) PatchEventType(current models.EventType, raw json.RawMessage) (models.EventType, error) {
	changed, err := p.parseEntry(raw, EntryOf(current))
	if err != nil {
		return models.EventType{}, err
	}
	if changed.Name != current.Name || changed.Wire != current.Wire {
		return models.EventType{}, models.Invalid("name", "name and wire of an event type cannot be changed")
	}
	changed.Versions = union(current.Versions, changed.Versions)
	return changed, nil
}

// union is the list with what it lacks of more behind it.
func union(list, more []string) []string {
	all := append([]string{}, list...)
	for _, one := range more {
		if !slices.Contains(all, one) {
			all = append(all, one)
		}
	}
	return all
}

func (p *Profile) parseEntry(raw json.RawMessage, entry Entry) (models.EventType, error) {
	n, err := parseJSON(raw)
	if err != nil {
		return models.EventType{}, models.Errorf(models.CodeMalformed, "the event type %s", err)
	}
	d := decoder{}
	d.decode(n, reflect.ValueOf(&entry).Elem(), "")
	if err := d.faults.Err(); err != nil {
		return models.EventType{}, err
	}
	var faults models.Faults
	entry.complete(p.Wire.Type)
	entry.check(&faults, p.Wire.Type, "")
	if len(entry.Schema) > 0 {
		_, err := compileSchema(string(entry.Schema))
		faults.Merge("schema", err)
	}
	return entry.eventType(), faults.Err()
}

// complete fills in what may be left out: the wire value is the name.
func (e *Entry) complete(wire WireType) {
	if string(e.Schema) == "null" {
		e.Schema = nil
	}
	if len(e.Wire) > 0 && string(e.Wire) != "null" {
		return
	}
	e.Wire = quote(e.Name)
	if wire == WireInteger {
		e.Wire = []byte(e.Name)
	}
}

// check looks at everything but the schema.
func (e *Entry) check(f *models.Faults, wire WireType, place string) {
	if !typeName(e.Name) {
		f.Add(models.JoinLocation(place, "name"), "must match %s", typeNamePattern)
	}
	if _, ok := wireText(string(e.Wire), wire); !ok {
		f.Add(models.JoinLocation(place, "wire"), "must be %s of at most %d characters", wireWord(wire), maxTypeName)
	}
	checkLength(f, models.JoinLocation(place, "group"), e.Group, 0, 100)
	checkLength(f, models.JoinLocation(place, "description"), e.Description, 0, 2000)
	seen := map[string]bool{}
	for i, version := range e.Versions {
		versionPlace := models.JoinLocation(place, "versions["+strconv.Itoa(i)+"]")
		checkLength(f, versionPlace, version, 1, 64)
		if seen[version] {
			f.Add(versionPlace, "is listed twice")
		}
		seen[version] = true
	}
}

// wireText is a wire value as a client may write it, without quotes: `ACCOUNT`, `1796`.
func wireText(wire string, want WireType) (string, bool) {
	var text string
	if want == WireInteger {
		value, err := strconv.ParseInt(wire, 10, 64)
		return wire, err == nil && strconv.FormatInt(value, 10) == wire
	}
	err := json.Unmarshal([]byte(wire), &text)
	return text, err == nil && wire[0] == '"' && text != "" && len(text) <= maxTypeName
}

func wireWord(wire WireType) string {
	if wire == WireInteger {
		return "an integer"
	}
	return "a string"
}
