package api

import (
	"reflect"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"github.com/posthorn/posthorn/models"
)

// raw is a member's JSON text, byte for byte as the client sent it; nil when it was left out. It is part of the
// request's body: who keeps it longer copies it.
type raw []byte

// Schema documents it as any JSON value.
func (raw) Schema(huma.Registry) *huma.Schema { return &huma.Schema{} }

// optional is a member of which it matters whether it was given, and whether as null.
type optional[T any] struct {
	Set, Null bool
	Value     T
}

func (o *optional[T]) given(null bool) any {
	o.Set, o.Null = true, null
	return &o.Value
}

// has reports whether there is a value.
func (o *optional[T]) has() bool { return o.Set && !o.Null }

// pointer returns the value, or nil.
func (o *optional[T]) pointer() *T {
	if !o.has() {
		return nil
	}
	return &o.Value
}

// Schema documents it as a T or null.
func (*optional[T]) Schema(r huma.Registry) *huma.Schema {
	s := *r.Schema(reflect.TypeFor[T](), true, "")
	s.Nullable = s.Ref == "" && s.Type != ""
	return &s
}

// typeName is an event type as clients may name it: by name or wire value, a string or an integer.
type typeName string

func (t *typeName) decodeJSON(text []byte, place string, fault func(place, format string, args ...any)) {
	if s, ok := unquote(text); ok {
		if !cleanText(s) {
			fault(place, "must not contain NUL")
		}
		*t = typeName(s)
		return
	}
	if _, err := strconv.ParseInt(string(text), 10, 64); err != nil {
		fault(place, "must be a string or an integer")
	}
	*t = typeName(text)
}

// Schema documents both forms.
func (typeName) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{
		Description: "An event type: its name or its wire value.",
		OneOf:       []*huma.Schema{{Type: huma.TypeString}, {Type: huma.TypeInteger}},
		Examples:    []any{"transaction.created", 1796},
	}
}

func texts(names []typeName) []string {
	list := make([]string, len(names))
	for i, name := range names {
		list[i] = string(name)
	}
	return list
}

// headerMap is an object of header names and values; their order is kept.
type headerMap []models.Header

func (h *headerMap) decodeJSON(text []byte, place string, fault func(place, format string, args ...any)) {
	*h = headerMap{}
	if text[0] != '{' {
		fault(place, "must be an object of header names and values")
		return
	}
	for name, text := range members(text) {
		if len(*h) == maxElements {
			fault(place, "must not list more than %d", maxElements)
			return
		}
		value, ok := unquote(text)
		if !ok {
			fault(models.JoinLocation(place, name), "must be a string")
		}
		*h = append(*h, models.Header{Name: name, Value: value})
	}
}

// Schema documents it as an object of strings.
func (headerMap) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeObject, AdditionalProperties: &huma.Schema{Type: huma.TypeString}}
}

// successForms documents models.Success.
type successForms struct{}

// Schema documents the forms of a success rule.
func (successForms) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{
		Description: `"2xx", one code, or a list of codes.`,
		OneOf: []*huma.Schema{
			{Type: huma.TypeString, Pattern: "^(2xx|[2-5][0-9][0-9])$"},
			{Type: huma.TypeInteger},
			{Type: huma.TypeArray, Items: &huma.Schema{Type: huma.TypeInteger}},
		},
		Examples: []any{"2xx", "200"},
	}
}

// orderingForms documents models.Ordering.
type orderingForms struct{}

// Schema documents an ordering's long form, and the short one that requests may use.
func (orderingForms) Schema(huma.Registry) *huma.Schema {
	kinds := []any{string(models.OrderingNone), string(models.OrderingFIFO), string(models.OrderingLatestWins)}
	return &huma.Schema{
		Description: "Answers show the object; requests may give its kind alone.",
		OneOf: []*huma.Schema{
			{Type: huma.TypeString, Enum: kinds},
			{
				Type: huma.TypeObject, Required: []string{"kind"}, AdditionalProperties: false,
				Properties: map[string]*huma.Schema{
					"kind":  {Type: huma.TypeString, Enum: kinds},
					"key":   {Type: huma.TypeString, Enum: []any{"subscription", "entity"}},
					"scope": {Type: huma.TypeString, Enum: []any{"type", "entity"}},
				},
			},
		},
	}
}

// deliveryKnobs is a subscription's `delivery` as given. profiles.WithDelivery reads it.
type deliveryKnobs raw

func (d *deliveryKnobs) decodeJSON(text []byte, place string, fault func(place, format string, args ...any)) {
	if text[0] != '{' {
		fault(place, "must be an object")
	}
	*d = text
}

// deliveryForm documents deliveryKnobs.
type deliveryForm struct {
	Timeout     models.Duration    `json:"timeout,omitempty" doc:"One attempt, 100ms to 60s." example:"10s"`
	Success     models.Success     `json:"success,omitzero"`
	Retry       models.RetryPolicy `json:"retry,omitzero"`
	Ordering    models.Ordering    `json:"ordering,omitzero"`
	RateLimit   float64            `json:"rate_limit,omitempty" minimum:"0" doc:"Attempts per second; 0 = no limit."`
	MaxInFlight int                `json:"max_in_flight,omitempty" minimum:"0" doc:"Attempts at once; 0 = no limit."`
}

// Schema documents the knobs that a subscription may change.
func (deliveryKnobs) Schema(r huma.Registry) *huma.Schema {
	return r.Schema(reflect.TypeFor[deliveryForm](), true, "")
}

// knobs is an application's `overrides` as given. profiles.WithOverrides reads it.
type knobs raw

func (k *knobs) decodeJSON(text []byte, place string, fault func(place, format string, args ...any)) {
	if text[0] != '{' {
		fault(place, "must be an object")
	}
	*k = text
}

// MarshalJSON shows what was given; null = nothing.
func (k knobs) MarshalJSON() ([]byte, error) { return Verbatim(k).MarshalJSON() }

// Schema documents it as an object of a profile's knobs.
func (knobs) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{
		Type: huma.TypeObject, Nullable: true, AdditionalProperties: true,
		Description: "Knobs of the profile, changed for this application: the members of GET /v1/profiles/{name} " +
			"but name. A knob that is given replaces the profile's as a whole.",
	}
}
