package dashboard

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
)

const retryPrefix = "delivery.retry."

// retryMembers are the members of each kind of policy that the form has, in its order.
func retryMembers() map[string][]string {
	return map[string][]string{
		"fixed": {"interval"}, "exponential": {"initial", "factor"}, "polynomial": {"initial", "degree"},
		"schedule": {"delays"},
	}
}

// retryNumbers are those that are numbers.
func retryNumbers() map[string]bool {
	return map[string]bool{"factor": true, "degree": true, "max_attempts": true, "jitter": true}
}

func retryFields() []string {
	names := []string{"kind", "interval", "initial", "factor", "degree", "delays", "max_interval", "max_attempts", "max_age", "jitter"}
	for i := range names {
		names[i] = retryPrefix + names[i]
	}
	return names
}

// retryBody is the policy that was entered; nil = the profile's.
func retryBody(values url.Values) json.RawMessage {
	kind := values.Get(retryPrefix + "kind")
	members, known := retryMembers()[kind]
	if !known {
		return nil
	}
	policy := map[string]any{"kind": kind}
	for _, member := range append([]string{"max_interval", "max_attempts", "max_age", "jitter"}, members...) {
		text := strings.TrimSpace(values.Get(retryPrefix + member))
		switch {
		case text == "":
		case member == "delays":
			policy[member] = strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(", \r\n\t", r) })
		case retryNumbers()[member]:
			policy[member] = number(text)
		default:
			policy[member] = text
		}
	}
	encoded, err := json.Marshal(policy)
	if err != nil {
		return nil // texts and numbers always encode
	}
	return encoded
}

// retryChart asks the API what a policy amounts to.
func (v *visit) retryChart(policy json.RawMessage) (*retryChart, error) {
	if len(policy) == 0 {
		return nil, nil //nolint:nilnil // there is none to draw
	}
	var preview retryPreview
	if err := v.tell("/v1/retry-policies/preview", map[string]any{"retry": policy}, &preview); err != nil {
		return nil, err
	}
	return drawRetry(&preview), nil
}

// startPolicy is what the page on retry policies begins with.
func startPolicy() url.Values {
	return url.Values{
		retryPrefix + "kind": {"exponential"}, retryPrefix + "initial": {"30s"}, retryPrefix + "factor": {"2"},
		retryPrefix + "max_attempts": {"10"}, retryPrefix + "max_interval": {"1h"},
	}
}

func showRetryPolicy(v *visit) error {
	f := &form{Values: startPolicy()}
	if v.r.URL.Query().Has(retryPrefix + "kind") {
		f.Values = v.r.URL.Query()
	}
	if err := v.drawForm(f); err != nil {
		return err
	}
	return v.show(http.StatusOK, "retry", &view{Title: "Retry policies", Me: &v.me, Tab: "retry", Data: f})
}

// previewRetryPolicy answers while a policy is being edited.
func previewRetryPolicy(v *visit) error {
	if err := v.r.ParseForm(); err != nil {
		return &problem{Status: http.StatusBadRequest, Detail: "The form could not be read."}
	}
	f := &form{Values: v.r.PostForm, Checked: true}
	if err := v.drawForm(f); err != nil {
		return err
	}
	v.d.renderPart(v.w, v.r, http.StatusOK, "retry", "checks", f)
	return nil
}

// drawForm draws the policy, or notes what is wrong with it.
func (v *visit) drawForm(f *form) error {
	chart, err := v.retryChart(retryBody(f.Values))
	f.Retry = chart
	refusal, ok := refused(err)
	if !ok {
		return err
	}
	for i := range refusal.Errors {
		refusal.Errors[i].Location = "delivery." + refusal.Errors[i].Location
	}
	f.take(refusal)
	return nil
}
