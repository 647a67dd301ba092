package dashboard

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// form is what somebody entered to create a subscription. Its fields have the names that the API gives to the members,
// so each of its errors finds its field by itself.
type form struct {
	Values url.Values
	// Errors are by field; "" are those of no field.
	Errors map[string]string
	// Checked: it was held against the API.
	Checked  bool
	Warnings []string
	Retry    *retryChart
	Profile  *profile
	// App is the application's id.
	App string
}

// Value is what was entered into a field.
func (f *form) Value(name string) string { return f.Values.Get(name) }

// Has reports whether the value is among those chosen.
func (f *form) Has(name, value string) bool { return slices.Contains(f.Values[name], value) }

// Error is what is wrong with a field; "" = nothing that is known.
func (f *form) Error(name string) string { return f.Errors[name] }

// ID is a field's id in the page.
func (f *form) ID(name string) string {
	return "field-" + strings.NewReplacer(".", "-", "_", "-").Replace(name)
}

// fields are all that the form may have.
func fields() []string {
	return append([]string{
		"url", "name", "event_types", "version", "security_key", "headers", "filter", "delivery.timeout",
		"delivery.rate_limit", "delivery.max_in_flight",
	}, retryFields()...)
}

// Fields are those that this form has: without a profile, those of a retry policy alone.
func (f *form) Fields() []string {
	if f.Profile == nil {
		return retryFields()
	}
	unused := map[string]bool{
		"version": !f.Profile.Versions.Required, "security_key": f.Profile.Auth.SecurityKeyHeader == "",
		"headers": f.Profile.Auth.CustomHeaders == 0,
	}
	return slices.DeleteFunc(fields(), func(name string) bool { return unused[name] })
}

func newSubscription(v *visit) error {
	values := url.Values{"delivery.retry.kind": {""}}
	return v.subscriptionForm(http.StatusOK, &form{Values: values}, "")
}

func (v *visit) subscriptionForm(status int, f *form, alert string) error {
	page, err := v.within(v.r.PathValue("app"), "subscriptions", "Create a webhook")
	if err != nil {
		return err
	}
	f.Profile, f.App = page.App.Profile, page.App.ID
	if f.Retry, err = v.retryOf(f); err != nil {
		return err
	}
	page.Alert, page.Data = alert, f
	return v.show(status, "subscription_new", page)
}

// retryOf draws the policy that is entered, or the profile's; one that is not valid has no drawing.
func (v *visit) retryOf(f *form) (*retryChart, error) {
	policy := retryBody(f.Values)
	if policy == nil {
		return v.retryChart(f.Profile.Retry)
	}
	chart, err := v.retryChart(policy)
	if _, ok := refused(err); ok {
		return nil, nil //nolint:nilnil // its fields say what is wrong
	}
	return chart, err
}

// validateSubscription answers while the form is being filled in: an error for each field, found by the API itself.
func validateSubscription(v *visit) error {
	f, err := v.readForm()
	if err != nil {
		return err
	}
	f.Checked = true
	var answer struct {
		Warnings []string `json:"warnings"`
	}
	err = v.tell(v.path("/v1/applications/{app}/subscriptions/validate"), f.body(), &answer)
	refusal, ok := refused(err)
	if err != nil && !ok {
		return err
	}
	f.Warnings = answer.Warnings
	if ok {
		f.take(refusal)
		f.forgive()
	}
	if f.Retry, err = v.retryOf(f); err != nil {
		return err
	}
	v.d.renderPart(v.w, v.r, http.StatusOK, "subscription_new", "checks", f)
	return nil
}

func createSubscription(v *visit) error {
	f, err := v.readForm()
	if err != nil {
		return err
	}
	var made subscription
	err = v.tell(v.path("/v1/applications/{app}/subscriptions"), f.body(), &made)
	if refusal, ok := refused(err); ok {
		f.take(refusal)
		return v.subscriptionForm(statusOf(refusal), f, "The webhook was not created. "+f.summary(refusal))
	}
	if err != nil {
		return err
	}
	if made.Secret == nil {
		return v.seeOther("/subscriptions/"+url.PathEscape(made.ID), "created")
	}
	return v.subscription(http.StatusOK, "", &subscriptionPage{
		Sub: &made, Secret: *made.Secret, NewKey: orNone(made.PublicKey), Created: true,
	})
}

func (v *visit) readForm() (*form, error) {
	if err := v.r.ParseForm(); err != nil {
		return nil, &problem{Status: http.StatusBadRequest, Detail: "The form could not be read."}
	}
	f := &form{Values: v.r.PostForm, Profile: &profile{}, App: v.r.PathValue("app")}
	return f, v.ask(v.path("/v1/applications/{app}/profile"), nil, f.Profile)
}

// take puts each of the API's errors at its field.
func (f *form) take(p *problem) {
	f.Errors = map[string]string{}
	for _, e := range p.Errors {
		name := fieldOf(e.Location)
		text := e.Message
		if e.Location != name {
			text = strings.TrimSpace(e.Location + " " + text)
		}
		if before := f.Errors[name]; before != "" {
			text = before + "; " + text
		}
		f.Errors[name] = text
	}
	if len(p.Errors) == 0 {
		f.Errors[""] = p.Detail
	}
}

// forgive drops what is wrong with fields that nobody has come to yet.
func (f *form) forgive() {
	for name := range f.Errors {
		if name != "" && strings.TrimSpace(f.Value(name)) == "" {
			delete(f.Errors, name)
		}
	}
}

func (f *form) summary(p *problem) string {
	if text := f.Errors[""]; text != "" {
		return text
	}
	if n := len(f.Errors); n > 1 {
		return "Several fields need your attention."
	}
	if len(f.Errors) == 1 {
		return "One field needs your attention."
	}
	return p.Detail
}

// fieldOf is the field of a location such as event_types[0]; "" = none.
func fieldOf(location string) string {
	for _, name := range fields() {
		rest, ok := strings.CutPrefix(location, name)
		if ok && (rest == "" || rest[0] == '[' || rest[0] == '.') {
			return name
		}
	}
	if strings.HasPrefix(location, "delivery.retry") {
		return "delivery.retry.kind"
	}
	return ""
}

// body is what the API gets. A field that is empty is left out.
func (f *form) body() map[string]any {
	body := map[string]any{"event_types": f.eventTypes()}
	for _, name := range []string{"url", "name", "version", "security_key", "filter"} {
		if value := strings.TrimSpace(f.Value(name)); value != "" {
			body[name] = value
		}
	}
	if headers := headerLines(f.Value("headers")); len(headers) > 0 {
		body["headers"] = headers
	}
	if delivery := f.delivery(); len(delivery) > 0 {
		body["delivery"] = delivery
	}
	return body
}

func (f *form) eventTypes() []string {
	chosen := []string{}
	for _, value := range f.Values["event_types"] {
		chosen = append(chosen, strings.FieldsFunc(value, func(r rune) bool { return strings.ContainsRune(", \r\n\t", r) })...)
	}
	return chosen
}

func (f *form) delivery() map[string]any {
	knobs := map[string]any{}
	if timeout := strings.TrimSpace(f.Value("delivery.timeout")); timeout != "" {
		knobs["timeout"] = timeout
	}
	for _, name := range []string{"rate_limit", "max_in_flight"} {
		if value := strings.TrimSpace(f.Value("delivery." + name)); value != "" {
			knobs[name] = number(value)
		}
	}
	if retry := retryBody(f.Values); retry != nil {
		knobs["retry"] = retry
	}
	return knobs
}

// number is the text as a JSON number, or, where it is none, as a string: the API says what is wrong with that.
func number(text string) any {
	var n json.Number
	if json.Unmarshal([]byte(text), &n) == nil && !strings.HasPrefix(text, `"`) {
		return n
	}
	return text
}

// headerLines reads "Name: value" lines. A line without a colon is a name, which the API finds wrong.
func headerLines(text string) map[string]string {
	headers := map[string]string{}
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		if name != "" {
			headers[strings.TrimSpace(name)] = strings.TrimSpace(value)
		}
	}
	return headers
}
