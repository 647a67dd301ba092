package api

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/posthorn/posthorn/internal/delivery"
	"github.com/posthorn/posthorn/internal/egress"
	"github.com/posthorn/posthorn/internal/filter"
	"github.com/posthorn/posthorn/models"
	"github.com/posthorn/posthorn/profiles"
)

// subscriptionChange is what may be set of a subscription.
type subscriptionChange struct {
	URL              string                  `json:"url,omitempty" minLength:"1" doc:"Where to deliver: an absolute https URL."`
	Name             optional[string]        `json:"name,omitzero" maxLength:"200"`
	EventTypes       *[]typeName             `json:"event_types,omitempty" maxItems:"500" doc:"Names, wire values or wildcards; they replace the old ones."`
	Version          optional[string]        `json:"version,omitzero" maxLength:"64" doc:"Where the profile has versions."`
	SecurityKey      optional[string]        `json:"security_key,omitzero" secret:"value" doc:"Sent back with every delivery where the profile uses one. It is never shown."`
	Headers          optional[headerMap]     `json:"headers,omitzero" secret:"members" doc:"Sent with every delivery where the profile allows it; they replace the old ones."`
	SubscriptionType string                  `json:"subscription_type,omitempty" enum:"webhook"`
	Filter           optional[string]        `json:"filter,omitzero" maxLength:"4096" doc:"A CEL expression over type, payload and entity_id that is true for the events to get, such as payload.amount > 100. One that needs a member which the payload lacks is not true for it; one that cannot be evaluated otherwise (a string compared with a number, too much work) lets the event through. It knows has, all, exists and exists_one, and no map or filter."`
	Delivery         optional[deliveryKnobs] `json:"delivery,omitzero" doc:"Knobs of the profile, changed for this subscription; they replace the old ones as a whole."`
	Enabled          *bool                   `json:"enabled,omitempty"`
}

// subscriptionCreation is the same where the URL is required.
type subscriptionCreation subscriptionChange

// draft is a subscription while a request changes it. It notes every fault, so that a client hears of all at once.
type draft struct {
	profile  *profiles.Profile
	checkURL func(string) error
	sub      *models.Subscription
	isNew    bool
	// badFilter is what is wrong with the filter; see checkFilter.
	badFilter error
	warnings  []string

	faults models.Faults
	// blocked is set when the URL leads where this deployment does not connect to.
	blocked error
}

// apply sets what was given. The subscription is not to be stored when it returns an error.
func (d *draft) apply(in *subscriptionChange) error {
	old := d.sub.EventTypes
	d.setURL(in.URL)
	if in.Name.Set {
		d.sub.Name = in.Name.pointer()
	}
	d.setEventTypes(in.EventTypes)
	d.setVersion(&in.Version, old)
	d.setSecurityKey(&in.SecurityKey)
	d.setHeaders(&in.Headers)
	d.setFilter(&in.Filter)
	d.setDelivery(&in.Delivery)
	if in.Enabled != nil {
		setEnabled(d.sub, *in.Enabled)
	}
	return d.err()
}

func (d *draft) err() error {
	err := d.faults.Err()
	if d.blocked == nil {
		return err
	}
	if err == nil {
		return &models.Error{
			Code: models.CodeBlockedURL, Message: d.blocked.Error(), Fields: []models.FieldError{urlFault(d.blocked)},
		}
	}
	fault := urlFault(d.blocked)
	d.faults.Add(fault.Location, "%s", fault.Message)
	return d.faults.Err()
}

func urlFault(err error) models.FieldError {
	return models.FieldError{Location: "url", Message: strings.TrimPrefix(err.Error(), "url ")}
}

// setURL takes a new address. It has to pass the handshake again (VIV-27), and starts without its predecessor's
// failures.
func (d *draft) setURL(given string) {
	if given == "" {
		if d.isNew {
			d.faults.Add("url", "is required")
		}
		return
	}
	if given == d.sub.URL {
		return
	}
	if longest := d.profile.URL.MaxURLLength(); len(given) > longest {
		d.faults.Add("url", "must not be longer than %d bytes", longest)
		return
	}
	if err := d.checkURL(given); err != nil {
		if _, blocked := errors.AsType[*egress.BlockedError](err); blocked {
			d.blocked = err
			return
		}
		d.faults.Add("url", "%s", urlFault(err).Message)
		return
	}
	d.sub.URL = given
	d.sub.Verified = d.profile.Verification.Kind == profiles.VerificationNone
	revive(d.sub)
}

func (d *draft) setEventTypes(given *[]typeName) {
	if given == nil {
		if !d.isNew {
			return
		}
		given = &[]typeName{}
	}
	resolved, err := d.profile.ResolvePatterns(texts(*given))
	if err != nil {
		d.faults.Merge("", err)
		return
	}
	d.sub.EventTypes = resolved
	d.warnings = deprecations(d.profile, resolved)
}

// setVersion also runs when only the event types change: each of them must have the version. The old ones have it
// while it stays the same, whatever the catalogue says by now: a change of something else is not their affair.
func (d *draft) setVersion(given *optional[string], old []string) {
	pinned := d.sub.Version
	switch {
	case !d.profile.Versions.Required:
		if given.has() {
			d.unused("version")
		}
		return
	case given.Set:
		d.sub.Version = given.pointer()
	}
	if d.sub.Version == nil {
		d.faults.Add("version", "is required")
		return
	}
	same := pinned != nil && *pinned == *d.sub.Version
	for _, name := range d.sub.EventTypes {
		if same && slices.Contains(old, name) {
			continue
		}
		if !d.profile.HasVersion(name, *d.sub.Version) {
			d.faults.Add("version", "%q is not a version of %s", models.Shorten(*d.sub.Version), name)
		}
	}
}

func (d *draft) setSecurityKey(given *optional[string]) {
	name := d.profile.Auth.SecurityKeyHeader
	switch {
	case name == "":
		if given.has() {
			d.unused("security_key")
		}
	case given.has():
		d.note("security_key", egress.CheckHeader(name, given.Value))
		d.sub.Secrets.SecurityKey = given.Value
	case given.Set || d.sub.Secrets.SecurityKey == "":
		d.faults.Add("security_key", "is required")
	}
}

func (d *draft) setHeaders(given *optional[headerMap]) {
	switch {
	case given.Set && given.Null:
		d.sub.Secrets.Headers = nil
	case given.Set && d.profile.Auth.CustomHeaders == 0:
		d.unused("headers")
	case given.Set:
		for _, h := range given.Value {
			place := models.JoinLocation("headers", models.Shorten(h.Name))
			d.note(place, egress.CheckHeader(h.Name, h.Value))
			if h.Value == delivery.Mask {
				d.faults.Add(place, "is the mask that answers show, not a value")
			}
		}
		d.faults.Merge("", d.profile.CheckHeaders(given.Value))
		d.sub.Secrets.Headers = given.Value
	}
}

// checkFilter compiles a filter that was given, which takes milliseconds: it is done before the transaction.
func checkFilter(given *optional[string]) error {
	if !given.has() {
		return nil
	}
	_, err := filter.Compile(given.Value)
	return err
}

func (d *draft) setFilter(given *optional[string]) {
	switch {
	case d.badFilter != nil:
		d.faults.Add("filter", "%s", d.badFilter)
	case given.Set:
		d.sub.Filter = given.pointer()
	}
}

func (d *draft) setDelivery(given *optional[deliveryKnobs]) {
	if !given.Set {
		return
	}
	knobs := json.RawMessage(given.Value)
	if given.Null {
		knobs = nil
	}
	if _, err := d.profile.WithDelivery(knobs); err != nil {
		d.faults.Merge("", err)
		return
	}
	d.sub.Delivery = knobs
}

func (d *draft) unused(member string) {
	d.faults.Add(member, "is not used by profile %s", d.profile.Name)
}

func (d *draft) note(place string, err error) {
	if err != nil {
		d.faults.Add(place, "%s", strings.TrimPrefix(err.Error(), "header "))
	}
}

// setEnabled switches a subscription. Enabling one that is gone revives it.
func setEnabled(sub *models.Subscription, enabled bool) {
	sub.Enabled = enabled
	if enabled && sub.Gone {
		revive(sub)
	}
}

func revive(sub *models.Subscription) {
	sub.Gone, sub.Failing, sub.ConsecutiveFailures, sub.FailingSince = false, false, 0, nil
}

func deprecations(p *profiles.Profile, names []string) []string {
	warnings := []string{}
	for _, name := range names {
		if t, ok := p.ResolveType(name); ok && t.Deprecated {
			warnings = append(warnings, "event type "+name+" is deprecated")
		}
	}
	return warnings
}

// TransformSchema documents what creation requires.
func (*subscriptionCreation) TransformSchema(_ huma.Registry, schema *huma.Schema) *huma.Schema {
	schema.Required = []string{"url"}
	return schema
}
