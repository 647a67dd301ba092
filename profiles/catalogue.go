package profiles

import (
	"fmt"
	"slices"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/posthorn/posthorn/models"
)

const (
	maxTypeName     = 128
	maxCatalogue    = 1000
	typeNamePattern = "[A-Za-z0-9][A-Za-z0-9._-]{0,127}"
)

// index finds event types by what clients may write. It never changes once made.
type index struct {
	types []models.EventType
	// byName and byWire hold places in types; the wire value is without quotes.
	byName, byWire map[string]int
	schemas        map[string]*jsonschema.Schema
}

// newIndex expects entries that were checked; it fails on names or wire values that are there twice, and on a
// schema that does not compile; at is where the list stands in its file or request.
func newIndex(types []models.EventType, wire WireType, at string) (*index, error) {
	x := &index{
		types:  types,
		byName: make(map[string]int, len(types)), byWire: make(map[string]int, len(types)),
		schemas: map[string]*jsonschema.Schema{},
	}
	var faults models.Faults
	for i, t := range types {
		x.add(&faults, i, t, wire, fmt.Sprintf("%s[%d]", at, i))
	}
	return x, faults.Err()
}

func (x *index) add(f *models.Faults, i int, t models.EventType, wire WireType, place string) {
	text, ok := wireText(t.Wire, wire)
	if !ok {
		f.Add(place+".wire", "must be %s", wireWord(wire))
	}
	if x.taken(t.Name) {
		f.Add(place+".name", "%q is listed twice", t.Name)
	}
	if text != t.Name && x.taken(text) {
		f.Add(place+".wire", "%q is listed twice", text)
	}
	x.byName[t.Name], x.byWire[text] = i, i
	if t.Schema == "" {
		return
	}
	schema, err := compileSchema(t.Schema)
	f.Merge(place+".schema", err)
	x.schemas[t.Name] = schema
}

// taken: a name that is another's wire value would be ambiguous as well.
func (x *index) taken(word string) bool {
	_, name := x.byName[word]
	_, wire := x.byWire[word]
	return name || wire
}

// WithEventTypes returns the profile with event types of the same name replaced and others appended: what operators
// added while the program runs. It fails if one of them does not fit the profile, see ParseEventType.
func (p *Profile) WithEventTypes(extra []models.EventType) (*Profile, error) {
	if len(extra) == 0 {
		return p, nil
	}
	types := slices.Clone(p.Catalogue)
	for _, t := range extra {
		known := slices.IndexFunc(types, func(other models.EventType) bool { return other.Name == t.Name })
		if known >= 0 {
			types[known] = t
			continue
		}
		types = append(types, t)
	}
	x, err := newIndex(types, p.Wire.Type, "catalogue")
	if err != nil {
		return nil, err
	}
	changed := *p
	changed.Catalogue, changed.index = types, x
	return &changed, nil
}

// ResolveType finds an event type by its name or by its wire value as text (`1796`). With an open catalogue any name
// of the right form is one; then the answer has nothing but a name and a wire value.
func (p *Profile) ResolveType(given string) (models.EventType, bool) {
	if i, ok := p.index.byName[given]; ok {
		return p.Catalogue[i], true
	}
	if i, ok := p.index.byWire[given]; ok {
		return p.Catalogue[i], true
	}
	if p.Wire.Open && typeName(given) {
		return models.EventType{Name: given, Wire: string(quote(given)), Versions: []string{}}, true
	}
	return models.EventType{}, false
}

// HasVersion reports whether the event type, given by name, has the version.
func (p *Profile) HasVersion(name, version string) bool {
	i, ok := p.index.byName[name]
	return ok && slices.Contains(p.Catalogue[i].Versions, version)
}

// typeName reports whether s may name an event type.
func typeName(s string) bool {
	if s == "" || len(s) > maxTypeName || !alphanumeric(s[0]) {
		return false
	}
	for i := range len(s) {
		if c := s[i]; !alphanumeric(c) && c != '.' && c != '_' && c != '-' {
			return false
		}
	}
	return true
}

func alphanumeric(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}
