package egress

import "strings"

// Bounds of a custom header, in bytes.
const (
	maxHeaderName  = 128
	maxHeaderValue = 4096
)

// CheckHeader judges a custom header when it is stored. It returns nil or a
// *HeaderError. Authorization, Cookie and X-… are a subscriber's own business
// and allowed; what would break the delivery or its meaning is not:
//
//   - names that Posthorn sets: webhook-*, Posthorn-*, Content-Type,
//     User-Agent, traceparent, tracestate;
//   - framing and hop-by-hop names (RFC 9110 7.6.1, RFC 9112 6), which a second
//     copy of would let two servers read two different requests;
//   - content and transfer negotiation (Content-Encoding, Accept-Encoding,
//     Expect, Range): the body is sent plain and the answer read plain;
//   - Idempotency-Key and X-Idempotency-Key: net/http silently sends a POST
//     again when it sees them, an attempt that no log would show.
func CheckHeader(name, value string) error {
	if err := checkName(name); err != nil {
		return err
	}
	if ownHeader(name) || wireHeader(name) {
		return &HeaderError{Reason: "name is reserved"}
	}
	switch {
	case value == "":
		return &HeaderError{Reason: "value must not be empty"}
	case len(value) > maxHeaderValue:
		return &HeaderError{Reason: "value must not be longer than 4096 bytes"}
	}
	return checkValue(value)
}

// checkName is RFC 9110 5.6.2, token.
func checkName(name string) error {
	if name == "" || len(name) > maxHeaderName {
		return &HeaderError{Reason: "name must have 1 to 128 characters"}
	}
	for i := range len(name) {
		if !tokenByte(name[i]) {
			return &HeaderError{Reason: "name must consist of letters, digits and !#$%&'*+-.^_`|~"}
		}
	}
	return nil
}

func tokenByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' ||
		strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0
}

// checkValue is RFC 9110 5.5, field-content, without obs-text: blanks may stand
// between visible characters, not at the ends, where receivers strip them.
func checkValue(value string) error {
	for i := range len(value) {
		if c := value[i]; c != '\t' && (c < ' ' || c > '~') {
			return &HeaderError{Reason: "value must consist of visible ASCII characters and blanks"}
		}
	}
	if strings.Trim(value, " \t") != value {
		return &HeaderError{Reason: "value must not begin or end with a blank"}
	}
	return nil
}

// ownHeader: names that Posthorn gives a meaning to on every delivery.
func ownHeader(name string) bool {
	lower := strings.ToLower(name)
	if strings.HasPrefix(lower, "webhook-") || strings.HasPrefix(lower, "posthorn-") {
		return true
	}
	switch lower {
	case "content-type", "user-agent", "traceparent", "tracestate":
		return true
	}
	return false
}

// wireHeader: names that belong to the connection, never to a request of ours.
// Do refuses them too, whoever asks.
func wireHeader(name string) bool {
	lower := strings.ToLower(name)
	if strings.HasPrefix(lower, "proxy-") {
		return true
	}
	switch lower {
	case "host", "content-length", "transfer-encoding", "connection", "keep-alive",
		"te", "trailer", "upgrade", "http2-settings",
		"content-encoding", "accept-encoding", "expect", "range", "content-range",
		"idempotency-key", "x-idempotency-key":
		return true
	}
	return false
}
