package api

import (
	"encoding"
	"encoding/json"
	"reflect"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/posthorn/posthorn/models"
)

// maxFaults bounds how many faults one request is told.
const maxFaults = 50

// decodeBody reads a request body, one JSON object, into the struct that target points to, by its json tags and more
// strictly than encoding/json: names match exactly, a member that is unknown or given twice is a fault, and every
// fault has its place. A member without omitempty or omitzero is required; null is the same as leaving a member out,
// except for optional and raw. The tags minLength, maxLength, minimum, maximum, minItems, maxItems and enum hold, as the
// OpenAPI document says. Raw members keep their exact bytes, which are part of body.
func decodeBody(body []byte, target any) error {
	text, err := checkJSON(body)
	if err != nil {
		return err
	}
	return decodeObject(text, target)
}

// checkJSON refuses what cannot be parsed.
func checkJSON(body []byte) ([]byte, error) {
	text := trimSpace(body)
	switch {
	case len(text) == 0:
		return nil, models.Errorf(models.CodeMalformed, "the request body is empty")
	case !utf8.Valid(text):
		return nil, models.Errorf(models.CodeMalformed, "the request body is not valid UTF-8")
	case !json.Valid(text):
		return nil, models.Errorf(models.CodeMalformed, "the request body is not valid JSON")
	}
	return text, nil
}

// decodeObject is decodeBody for JSON text that is known to be valid.
func decodeObject(text []byte, target any) error {
	d := decoder{}
	d.value(text, reflect.ValueOf(target).Elem(), "", "")
	return d.faults.Err()
}

type decoder struct {
	faults models.Faults
	count  int
}

func (d *decoder) fault(place, format string, args ...any) {
	if d.count++; d.count <= maxFaults {
		d.faults.Add(models.Shorten(place), format, args...)
	}
}

// selfDecoder is a value with a JSON form of its own.
type selfDecoder interface {
	decodeJSON(text []byte, place string, fault func(place, format string, args ...any))
}

// optionalValue is what optional[T] is to the decoder.
type optionalValue interface{ given(null bool) any }

func (d *decoder) value(text []byte, v reflect.Value, place string, tag reflect.StructTag) {
	switch t := v.Addr().Interface().(type) {
	case *raw:
		*t = text
		return
	case optionalValue:
		if inner := t.given(isNull(text)); !isNull(text) {
			d.value(text, reflect.ValueOf(inner).Elem(), place, tag)
		}
		return
	case selfDecoder:
		t.decodeJSON(text, place, d.fault)
		return
	case *time.Time:
		d.time(text, place, t)
		return
	case *models.Duration:
		if !models.IsZeroNumber(string(text)) {
			d.text(text, place, t)
		}
		return
	case encoding.TextUnmarshaler:
		d.text(text, place, t)
		return
	}
	d.kind(text, v, place, tag)
}

func (d *decoder) kind(text []byte, v reflect.Value, place string, tag reflect.StructTag) {
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		d.value(text, v.Elem(), place, tag)
	case reflect.Struct:
		d.object(text, v, place)
	case reflect.Slice:
		d.list(text, v, place, tag)
	case reflect.String:
		if s, ok := d.string(text, place); ok {
			v.SetString(s)
			d.checkString(s, place, tag)
		}
	case reflect.Bool:
		if string(text) != "true" && string(text) != "false" {
			d.fault(place, "must be true or false")
		}
		v.SetBool(string(text) == "true")
	case reflect.Int, reflect.Int64:
		d.integer(text, v, place, tag)
	case reflect.Float64:
		d.float(text, v, place, tag)
	default:
		d.fault(place, "cannot be given") // an input with a field of another kind: a mistake in this package
	}
}

func (d *decoder) object(text []byte, v reflect.Value, place string) {
	if text[0] != '{' {
		d.fault(place, "must be an object")
		return
	}
	seen := map[string]bool{}
	for name, value := range members(text) {
		field, known := fieldNamed(v.Type(), name)
		inner := models.JoinLocation(place, name)
		switch {
		case !known:
			d.fault(inner, "is not known here")
		case seen[name]:
			d.fault(inner, "is given twice")
		default:
			seen[name] = true
			if isNull(value) && isOptional(field) && !keepsNull(v.FieldByIndex(field.Index)) {
				continue
			}
			d.value(value, v.FieldByIndex(field.Index), inner, field.Tag)
		}
	}
	for field := range v.Type().Fields() {
		if !seen[nameOf(field)] && !isOptional(field) {
			d.fault(models.JoinLocation(place, nameOf(field)), "is required")
		}
	}
}

func fieldNamed(t reflect.Type, name string) (reflect.StructField, bool) {
	for field := range t.Fields() {
		if nameOf(field) == name && name != "" {
			return field, true
		}
	}
	return reflect.StructField{}, false
}

func nameOf(field reflect.StructField) string {
	name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
	return name
}

func isOptional(field reflect.StructField) bool {
	_, options, _ := strings.Cut(field.Tag.Get("json"), ",")
	return options != ""
}

func keepsNull(v reflect.Value) bool {
	switch v.Addr().Interface().(type) {
	case *raw, optionalValue:
		return true
	}
	return false
}
