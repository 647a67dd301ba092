package profiles

import (
	"encoding/json"
	"reflect"
	"slices"

	"github.com/posthorn/posthorn/models"
)

// WithOverrides returns the profile with knobs changed for one application: raw is an object of top-level keys as in
// a profile file, of which `name` cannot be changed. A knob that is given replaces the profile's as a whole; null
// leaves it. Nil or empty raw returns the profile itself. Faults are located as `overrides.retry.interval`.
func (p *Profile) WithOverrides(raw json.RawMessage) (*Profile, error) {
	return p.override(raw, "overrides", func(key string) bool { return key != "name" })
}

// deliveryKnobs are what a subscription may change.
func deliveryKnobs() []string {
	return []string{"timeout", "success", "retry", "ordering", "rate_limit", "max_in_flight"}
}

// WithDelivery returns the profile's Spec with the knobs changed that a subscription's `delivery` gives: timeout,
// success, retry, ordering, rate_limit, max_in_flight. It works as WithOverrides does; faults are located as
// `delivery.retry.interval`.
func (p *Profile) WithDelivery(raw json.RawMessage) (*models.Spec, error) {
	changed, err := p.override(raw, "delivery", func(key string) bool { return slices.Contains(deliveryKnobs(), key) })
	if err != nil {
		return nil, err
	}
	spec := changed.Spec
	return &spec, nil
}

func (p *Profile) override(raw json.RawMessage, place string, allowed func(key string) bool) (*Profile, error) {
	if len(raw) == 0 || string(raw) == "null" {
		return p, nil
	}
	root, err := parseJSON(raw)
	if err != nil {
		return nil, models.Invalid(place, "%s", err)
	}
	d, f := decoder{}, formOf(p)
	root.members = slices.DeleteFunc(root.members, func(m member) bool { return m.value.kind == kindNull })
	for _, m := range root.members {
		if _, known := fieldByTag(reflect.ValueOf(f).Elem(), m.key); known && !allowed(m.key) {
			d.faults.Add(m.key, "cannot be changed here")
		}
	}
	d.decode(root, reflect.ValueOf(f).Elem(), "")
	unchanged := p.index
	if slices.ContainsFunc(root.members, func(m member) bool { return m.key == "catalogue" || m.key == "wire" }) {
		unchanged = nil
	}
	changed, err := f.finish(&d, unchanged)
	if err != nil {
		var faults models.Faults
		faults.Merge(place, err)
		return nil, faults.Err()
	}
	return changed, nil
}

// Delivery is a subscription's effective `delivery`, as answers show it.
type Delivery struct {
	Timeout     models.Duration    `json:"timeout"`
	Success     models.Success     `json:"success"`
	Retry       models.RetryPolicy `json:"retry"`
	Ordering    models.Ordering    `json:"ordering"`
	RateLimit   *float64           `json:"rate_limit"`
	MaxInFlight *int               `json:"max_in_flight"`
}

// DeliveryOf shows what of a Spec a subscription may change; a limit that is not set is null.
func DeliveryOf(s *models.Spec) Delivery {
	d := Delivery{Timeout: s.Timeout, Success: s.Success, Retry: s.Retry, Ordering: s.Ordering}
	if s.RateLimit > 0 {
		d.RateLimit = &s.RateLimit
	}
	if s.MaxInFlight > 0 {
		d.MaxInFlight = &s.MaxInFlight
	}
	return d
}
