// Package filter decides by a CEL expression which events a subscription gets; docs/concepts.md says what customers may
// write. An expression is written by a customer and meets payloads that a publisher wrote: both are bounded, in what
// compiles and in what one evaluation may cost.
package filter

import (
	"context"
	"errors"
	"strings"
	"sync"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/interpreter"
)

// The names that an expression knows.
const (
	varType     = "type"
	varPayload  = "payload"
	varEntityID = "entity_id"
)

// costLimit bounds one evaluation, in CEL's units: about one for each operation, and one for each ten bytes or
// elements that an operation looks at. Ten milliseconds or so; some times that where it all goes into a regular
// expression.
const costLimit = 200_000

// Program is a compiled expression. It is safe for concurrent use.
type Program struct{ program cel.Program }

// Input is an event as expressions see it. Its payload is decoded when the first expression asks for it, and once. It
// is not safe for concurrent use.
type Input struct{ vars map[string]any }

// NewInput makes the Input of an event: eventType is its type's name, payload valid JSON, entityID "" where it has
// none.
func NewInput(eventType string, payload []byte, entityID string) *Input {
	return &Input{vars: map[string]any{
		varType: eventType, varEntityID: entityID,
		varPayload: sync.OnceValue(func() any { return decode(payload) }), // CEL calls a func() any where its value is asked for
	}}
}

// Matches reports whether the event passes. An expression that needs a member which the payload lacks does not match.
// Any other failure (values that cannot be compared, a cost over the limit, ctx ended) is in the error, and the event
// passes: it is better to deliver too much than to lose an event.
func (p *Program) Matches(ctx context.Context, in *Input) (bool, error) {
	if ctx.Err() != nil { // CEL looks inside of loops only
		return true, interpreter.InterruptError{}
	}
	out, _, err := p.program.ContextEval(ctx, in.vars)
	switch {
	case err == nil:
		return out.Value() == true, nil
	case lacksMember(err):
		return false, nil
	default:
		return true, err
	}
}

// ReasonTime is the Reason of ctx having ended.
const ReasonTime = "time"

// Reason is a word for why Matches could not tell, for counting: it has nothing of the payload in it, as the error may.
func Reason(err error) string {
	cancelled, ok := errors.AsType[interpreter.EvalCancelledError](err)
	switch {
	case ok && cancelled.Cause == interpreter.CostLimitExceeded:
		return "cost"
	case errors.Is(err, interpreter.InterruptError{}):
		return ReasonTime
	default:
		return "evaluation"
	}
}

// lacksMember knows the library's errors for a member that is not there by their text: it exports no types for them.
func lacksMember(err error) bool {
	for _, beginning := range []string{
		"no such key", "no such attribute", "index out of bounds",
		"unsupported index type 'string' in list", // a member of something that is a list
	} {
		if strings.HasPrefix(err.Error(), beginning) {
			return true
		}
	}
	return false
}
