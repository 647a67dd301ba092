package models

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// A trace context is kept in the form of the header `traceparent` of the W3C's Trace Context, version 00:
// `00-<trace id>-<span id>-<flags>` in lower-case hex of 16, 8 and 1 bytes.
const (
	traceparentLen = 55
	traceIDEnd     = 35
	spanIDEnd      = 52
)

// ParseTraceparent reads the header as the standard says: what is not valid counts as not given, and of a later version
// the part that version 00 knows is taken.
func ParseTraceparent(header string) (traceparent string, ok bool) {
	if len(header) < traceparentLen {
		return "", false
	}
	known, rest := header[:traceparentLen], header[traceparentLen:]
	version, traceID, spanID, flags := known[:2], known[3:traceIDEnd], known[traceIDEnd+1:spanIDEnd], known[spanIDEnd+1:]
	switch {
	case known[2] != '-' || known[traceIDEnd] != '-' || known[spanIDEnd] != '-':
		return "", false
	case version == "ff", version == "00" && rest != "", rest != "" && rest[0] != '-':
		return "", false
	case !lowerHex(version) || !lowerHex(traceID) || !lowerHex(spanID) || !lowerHex(flags):
		return "", false
	case strings.Trim(traceID, "0") == "" || strings.Trim(spanID, "0") == "":
		return "", false
	}
	return "00" + known[2:], true
}

func lowerHex(text string) bool {
	return strings.Trim(text, "0123456789abcdef") == ""
}

// TraceID is the trace that the claim's event belongs to; "" = none is known of. Where the receiver is to get a trace
// context and the publisher gave none, the event begins a trace, whose id is the event's own: it is the same for every
// attempt and process, and random where the standard asks for it, in its last seven bytes.
func (c *Claim) TraceID() string {
	switch {
	case c.Span != "":
		return c.Span[3:traceIDEnd]
	case c.Traceparent != "":
		return c.Traceparent[3:traceIDEnd]
	case c.Spec == nil || !c.Spec.Traceparent:
		return ""
	case c.EventID != "":
		return strings.ReplaceAll(c.EventID, "-", "")
	default: // a test
		return strings.ReplaceAll(c.InvocationID, "-", "")
	}
}

// NextTraceparent is the trace context that the attempt passes on: that of its span, or, where nobody records one, the
// same trace with a span id that no other attempt has.
func (c *Claim) NextTraceparent() string {
	if c.Span != "" {
		return c.Span
	}
	flags := "00" // nobody has recorded this trace
	if c.Traceparent != "" {
		flags = c.Traceparent[spanIDEnd+1:]
	}
	span := sha256.Sum256([]byte(c.Token + c.InvocationID))
	return "00-" + c.TraceID() + "-" + hex.EncodeToString(span[:8]) + "-" + flags
}
