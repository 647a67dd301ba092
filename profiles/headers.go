package profiles

import (
	"fmt"
	"strings"

	"github.com/posthorn/posthorn/models"
)

// CheckHeaders checks a subscription's own headers against the profile: how many it takes, and that none collides
// with another or with a header of the profile itself. Whether a header may be sent at all is egress.CheckHeader's
// to say. Faults are located at `headers` or `headers.<name>`.
func (p *Profile) CheckHeaders(headers []models.Header) error {
	if len(headers) > p.Auth.CustomHeaders {
		if p.Auth.CustomHeaders == 0 {
			return models.Invalid("headers", "profile %s does not use headers", p.Name)
		}
		return models.Invalid("headers", "must not list more than %d headers", p.Auth.CustomHeaders)
	}
	var faults models.Faults
	seen := map[string]bool{
		strings.ToLower(p.Auth.SecurityKeyHeader): true,
		strings.ToLower(p.Signing.Header):         true,
	}
	for _, h := range headers {
		if lower := strings.ToLower(h.Name); seen[lower] {
			faults.Add(fmt.Sprintf("headers.%s", h.Name), "is set already")
		} else {
			seen[lower] = true
		}
	}
	return faults.Err()
}

// headerName reports whether a profile may send a header of this name: a token (RFC 9110 5.6.2) that is neither
// Posthorn's nor the connection's own.
func headerName(name string) bool {
	if name == "" || len(name) > 128 {
		return false
	}
	for i := range len(name) {
		if c := name[i]; !alphanumeric(c) && !strings.ContainsRune("!#$%&'*+-.^_`|~", rune(c)) {
			return false
		}
	}
	switch lower := strings.ToLower(name); lower {
	case "content-type", "content-length", "content-encoding", "host", "connection", "transfer-encoding",
		"user-agent", "trailer", "upgrade", "te", "expect", "idempotency-key", "x-idempotency-key":
		return false
	default:
		return !strings.HasPrefix(lower, "webhook-") && !strings.HasPrefix(lower, "posthorn-")
	}
}
