package api

import (
	"time"

	"github.com/danielgtaylor/huma/v2"
)

// Window are the query parameters of every list by time.
type Window struct {
	After  time.Time `query:"after" doc:"created_at is this time or later."`
	Before time.Time `query:"before" doc:"created_at is earlier than this."`
}

// Resolve implements huma.Resolver, which runs once the parameters are parsed.
func (w *Window) Resolve(ctx huma.Context) []error {
	if ctx.Query("before") != "" {
		w.Before = given(w.Before)
	}
	return nil
}

// given is a time that a client wrote: the zero time, which everywhere else means that none was given, is the next
// microsecond. Nothing happened between the two.
func given(at time.Time) time.Time {
	if at.IsZero() {
		return at.Add(time.Microsecond)
	}
	return at
}
