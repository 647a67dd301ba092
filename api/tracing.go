package api

import (
	"context"
)

// traced registers a handler of requests to publish, whose publishers may name the trace that they are part of.
func traced[B, O any](fn func(*server, context.Context, *call, *B) (O, error)) registration {
	return write(func(s *server, ctx context.Context, c *call, in *B) (out O, err error) {
		ctx, traceparent, end := s.Tracer.Publish(ctx, givenTraceparent(c), c.application.ID)
		defer func() { end(err) }()
		c.traceparent = traceparent
		return fn(s, ctx, c, in)
	})
}

// givenTraceparent is the publisher's header; one that is given twice counts as not given.
func givenTraceparent(c *call) string {
	if given := c.request.Header.Values("Traceparent"); len(given) == 1 {
		return given[0]
	}
	return ""
}
