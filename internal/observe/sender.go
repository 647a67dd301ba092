package observe

import (
	"context"
	"net/http/httptrace"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/posthorn/posthorn/models"
)

// Sender sends attempts; *delivery.Sender is one.
type Sender interface {
	Send(ctx context.Context, claim *models.Claim) models.Result
}

// Sender records a span for each attempt that next makes. The nil Tracer returns next.
func (t *Tracer) Sender(next Sender) Sender {
	if t == nil {
		return next
	}
	return &tracedSender{next: next, tracer: t.tracer}
}

type tracedSender struct {
	next   Sender
	tracer trace.Tracer
}

// Send implements Sender. The claim gets the span's trace context, for the receiver and for the log.
func (s *tracedSender) Send(ctx context.Context, claim *models.Claim) models.Result {
	ctx, options := parentOf(ctx, claim)
	ctx, span := s.tracer.Start(ctx, "attempt", append(options, trace.WithSpanKind(trace.SpanKindClient),
		trace.WithAttributes(claimAttributes(claim)...))...)
	defer span.End()
	claim.Span = Traceparent(ctx)
	result := s.next.Send(httptrace.WithClientTrace(ctx, milestones(span)), claim)
	if result.StatusCode > 0 {
		span.SetAttributes(attribute.Int("http.response.status_code", result.StatusCode))
	}
	if result.Error != nil {
		span.SetAttributes(attribute.String("error.type", string(result.Error.Code)))
		span.SetStatus(codes.Error, string(result.Error.Code))
	}
	span.SetAttributes(attribute.String("posthorn.outcome", string(result.Outcome)))
	return result
}

// parentOf finds where the attempt belongs: below the activity, if that is in the event's trace, else in the event's
// trace with a link to the activity. A workflow that carries a FIFO queue on, and a job, send events of other traces.
func parentOf(ctx context.Context, claim *models.Claim) (context.Context, []trace.SpanStartOption) {
	if claim.Traceparent == "" {
		return ctx, nil
	}
	own := WithTraceparent(ctx, claim.Traceparent)
	running := trace.SpanContextFromContext(ctx)
	switch {
	case !running.IsValid():
		return own, nil
	case running.TraceID() == trace.SpanContextFromContext(own).TraceID():
		return ctx, nil
	default:
		return own, []trace.SpanStartOption{trace.WithLinks(trace.Link{SpanContext: running})}
	}
}

func claimAttributes(c *models.Claim) []attribute.KeyValue {
	return []attribute.KeyValue{
		attribute.String("http.request.method", "POST"), attribute.String("server.address", hostOf(c.URL)),
		attribute.String("posthorn.application_id", c.ApplicationID),
		attribute.String("posthorn.subscription_id", c.SubscriptionID),
		attribute.String("posthorn.invocation_id", c.InvocationID), attribute.String("posthorn.event_id", c.EventID),
		attribute.String("posthorn.event_type", c.EventType), attribute.Int("posthorn.attempt", c.Number),
		attribute.String("posthorn.kind", kindOf(c)),
	}
}

// milestones are the events of an attempt's span. They name no address: which one a name led to is inside our network.
func milestones(span trace.Span) *httptrace.ClientTrace {
	note := func(name string, attributes ...attribute.KeyValue) {
		span.AddEvent(name, trace.WithTimestamp(time.Now()), trace.WithAttributes(attributes...))
	}
	return &httptrace.ClientTrace{
		GotConn: func(c httptrace.GotConnInfo) {
			note("connected", attribute.Bool("reused", c.Reused))
		},
		WroteRequest:         func(httptrace.WroteRequestInfo) { note("request sent") },
		GotFirstResponseByte: func() { note("answer begins") },
	}
}
