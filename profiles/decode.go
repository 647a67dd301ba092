package profiles

import (
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"github.com/posthorn/posthorn/models"
)

// decoder writes nodes into Go values by their json tags, and is strict: a member that is unknown or given twice, or
// of another type, is a fault at its place. encoding/json has no places, YAML's own decoder other rules.
type decoder struct {
	faults models.Faults
	// lines are the places of all that was seen in a file.
	lines map[string]int
}

func (d *decoder) decode(n *node, target reflect.Value, place string) {
	if n.line > 0 && d.lines[place] == 0 { // a member has its key's line already
		d.lines[place] = n.line
	}
	switch target := target.Addr().Interface().(type) {
	case *json.RawMessage:
		*target = n.json()
		return
	case *json.Number:
		d.number(n, target, place)
		return
	case *models.Duration:
		d.duration(n, target, place)
		return
	case json.Unmarshaler:
		switch {
		case !hasMembers(target), n.kind == kindString:
			d.note(place, target.UnmarshalJSON(n.json()))
			return
		case n.kind != kindObject:
			d.faults.Add(place, "must be a string or an object")
			return
		}
		// its long form: the members are checked one by one below
	case encoding.TextUnmarshaler:
		if d.expect(n, kindString, place) {
			d.note(place, target.UnmarshalText([]byte(n.text)))
		}
		return
	}
	d.byKind(n, target, place)
}

func (d *decoder) byKind(n *node, target reflect.Value, place string) {
	switch target.Kind() {
	case reflect.Struct:
		d.object(n, target, place)
	case reflect.Slice:
		d.list(n, target, place)
	case reflect.String:
		if d.expect(n, kindString, place) {
			target.SetString(n.text)
		}
	case reflect.Bool:
		if d.expect(n, kindBool, place) {
			target.SetBool(n.text == "true")
		}
	case reflect.Int, reflect.Float64:
		d.numeric(n, target, place)
	default:
		d.faults.Add(place, "cannot be given") // a form with a field of another kind: a mistake in this package
	}
}

func (d *decoder) object(n *node, target reflect.Value, place string) {
	if !d.expect(n, kindObject, place) {
		return
	}
	seen := map[string]bool{}
	for _, m := range n.members {
		inner := models.JoinLocation(place, m.key)
		if m.line > 0 {
			d.lines[inner] = m.line
		}
		field, known := fieldByTag(target, m.key)
		switch {
		case !known:
			d.faults.Add(inner, "is not known here")
		case seen[m.key]:
			d.faults.Add(inner, "is given twice")
		case d.leftOut(m.value, field):
			seen[m.key] = true
		default:
			seen[m.key] = true
			field.SetZero() // what is given replaces a default as a whole
			d.decode(m.value, field, inner)
		}
	}
}

// leftOut reports whether the member says no more than one that is not there: null does in a request, as it does in
// every other one. In a file it is a knob that somebody forgot to fill in, and of raw JSON it is a value.
func (d *decoder) leftOut(n *node, field reflect.Value) bool {
	return n.kind == kindNull && d.lines == nil && field.Type() != reflect.TypeFor[json.RawMessage]()
}

func (d *decoder) list(n *node, target reflect.Value, place string) {
	if !d.expect(n, kindList, place) {
		return
	}
	list := reflect.MakeSlice(target.Type(), len(n.items), len(n.items))
	for i, item := range n.items {
		d.decode(item, list.Index(i), fmt.Sprintf("%s[%d]", place, i))
	}
	target.Set(list)
}

func (d *decoder) numeric(n *node, target reflect.Value, place string) {
	if !d.expect(n, kindNumber, place) {
		return
	}
	if target.Kind() == reflect.Float64 {
		value, err := strconv.ParseFloat(n.text, 64)
		if err != nil {
			d.faults.Add(place, "is out of range")
		}
		target.SetFloat(value)
		return
	}
	value, err := strconv.Atoi(n.text)
	if err != nil {
		d.faults.Add(place, "must be a whole number")
	}
	target.SetInt(int64(value))
}

func (d *decoder) number(n *node, target *json.Number, place string) {
	if d.expect(n, kindNumber, place) {
		*target = json.Number(n.text)
	}
}

func (d *decoder) duration(n *node, target *models.Duration, place string) {
	if n.kind == kindNumber && models.IsZeroNumber(n.text) {
		return // it is zero
	}
	if d.expect(n, kindString, place) {
		d.note(place, target.UnmarshalText([]byte(n.text)))
	}
}

func (d *decoder) expect(n *node, want kind, place string) bool {
	if n.kind != want {
		d.faults.Add(place, "must be %s", want)
	}
	return n.kind == want
}

func (d *decoder) note(place string, err error) {
	if err != nil {
		d.faults.Add(place, "%s", strings.TrimPrefix(err.Error(), "json: "))
	}
}

func hasMembers(target any) bool {
	t := reflect.TypeOf(target).Elem()
	return t.Kind() == reflect.Struct && t.NumField() > 0 && t.Field(0).Tag.Get("json") != ""
}

func fieldByTag(target reflect.Value, key string) (reflect.Value, bool) {
	for i := range target.NumField() {
		name, _, _ := strings.Cut(target.Type().Field(i).Tag.Get("json"), ",")
		if name == key && name != "" {
			return target.Field(i), true
		}
	}
	return reflect.Value{}, false
}
