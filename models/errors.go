package models

import (
	"errors"
	"fmt"
	"time"
)

// Code is the stable machine word of an error, as clients see it in a problem's `code`.
type Code string

// The codes that clients may rely on.
const (
	CodeValidation          Code = "validation_failed"
	CodeMalformed           Code = "malformed_request"
	CodeNotFound            Code = "not_found"
	CodeForbidden           Code = "forbidden"
	CodeUnauthenticated     Code = "unauthenticated"
	CodeConflict            Code = "conflict"
	CodeSubscriptionLimit   Code = "subscription_limit_reached"
	CodeIdempotencyMismatch Code = "idempotency_mismatch"
	CodePayloadTooLarge     Code = "payload_too_large"
	CodeRateLimited         Code = "rate_limited"
	CodeBlockedURL          Code = "blocked_url"
	CodeVerificationFailed  Code = "verification_failed"
	CodeUnavailable         Code = "unavailable"
	CodeInternal            Code = "internal"
)

// Error is a refusal that a client may see: a code, a sentence, and the members at fault. Anything else that goes
// wrong is an ordinary error, and clients see no more of it than CodeInternal.
type Error struct {
	Code    Code
	Message string
	// Fields names each member at fault; empty when the request as a whole is.
	Fields []FieldError
	// Limit is the number that was reached; set with CodeSubscriptionLimit only.
	Limit int
	// RetryAfter is how long to wait before trying again; 0 = not said.
	RetryAfter time.Duration
}

// FieldError names one member at fault.
type FieldError struct {
	// Location is the member's path as the client wrote it: `url`, `delivery.retry.interval`, `events[3].payload`.
	Location string
	// Message says what is wrong with it, in words for the client.
	Message string
}

func (e *Error) Error() string {
	if len(e.Fields) == 0 {
		return fmt.Sprintf("%s: %s", e.Code, e.Message)
	}
	return fmt.Sprintf("%s: %s (%s: %s)", e.Code, e.Message, e.Fields[0].Location, e.Fields[0].Message)
}

// Errorf builds an Error without fields.
func Errorf(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// Invalid builds a validation error for one member.
func Invalid(location, format string, args ...any) *Error {
	return &Error{
		Code:    CodeValidation,
		Message: "the request is not valid",
		Fields:  []FieldError{{Location: location, Message: fmt.Sprintf(format, args...)}},
	}
}

// ErrorCode returns the code of the Error in err's chain; CodeInternal when there is none, "" when err is nil.
func ErrorCode(err error) Code {
	if err == nil {
		return ""
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	return CodeInternal
}

// NotFound is the one answer for what is absent and for what belongs to another tenant.
func NotFound(what string) *Error {
	return Errorf(CodeNotFound, "no such %s", what)
}

// Faults collects the members at fault of one request, so that a client hears of all of them at once.
type Faults struct{ fields []FieldError }

// Add notes one fault.
func (f *Faults) Add(location, format string, args ...any) {
	f.fields = append(f.fields, FieldError{Location: location, Message: fmt.Sprintf(format, args...)})
}

// Merge notes the fields of err below the given location; an err without fields is noted as one fault there.
func (f *Faults) Merge(location string, err error) {
	if err == nil {
		return
	}
	e, ok := errors.AsType[*Error](err)
	if !ok || len(e.Fields) == 0 {
		f.Add(location, "%s", err.Error())
		return
	}
	for _, field := range e.Fields {
		f.Add(JoinLocation(location, field.Location), "%s", field.Message)
	}
}

// Err returns nil when nothing was noted.
func (f *Faults) Err() error {
	if len(f.fields) == 0 {
		return nil
	}
	return &Error{Code: CodeValidation, Message: "the request is not valid", Fields: f.fields}
}

// JoinLocation names the member inner of the member outer: `delivery.retry`; where one of them is "", it is the other.
func JoinLocation(outer, inner string) string {
	switch {
	case outer == "":
		return inner
	case inner == "":
		return outer
	default:
		return outer + "." + inner
	}
}

// Shorten keeps what a client wrote from filling an answer or a log: at most 200 characters, then an ellipsis.
func Shorten(s string) string {
	const limit = 200
	runes := []rune(s)
	if len(runes) <= limit {
		return s
	}
	return string(runes[:limit]) + "…"
}
