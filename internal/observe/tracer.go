package observe

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/posthorn/posthorn/models"
)

// Tracer records spans: a request to publish, the start of a workflow, its activities, and each attempt. The nil Tracer
// records none and costs nothing.
type Tracer struct{ tracer trace.Tracer }

// NewTracer makes spans with the provider.
func NewTracer(provider trace.TracerProvider) *Tracer {
	return &Tracer{tracer: provider.Tracer("github.com/posthorn/posthorn")}
}

// Publish begins the span of a request to publish, in the trace that the publisher's traceparent names; "" = a new one.
// It returns the trace context to store with the events: the span's, or the publisher's own where none is recorded.
func (t *Tracer) Publish(
	ctx context.Context, given, applicationID string,
) (in context.Context, traceparent string, end func(error)) {
	parent, _ := models.ParseTraceparent(given)
	if t == nil {
		return ctx, parent, unrecorded
	}
	ctx, span := t.tracer.Start(WithTraceparent(ctx, parent), "publish", trace.WithSpanKind(trace.SpanKindServer),
		trace.WithAttributes(attribute.String("posthorn.application_id", applicationID)))
	return ctx, Traceparent(ctx), ending(span)
}

// Dispatch begins the span of starting a workflow with some of an event's invocations. The context is to be the start's,
// which carries the span to the workflow's activities.
func (t *Tracer) Dispatch(ctx context.Context, workflowID string, rows []models.Dispatch) (context.Context, func(error)) {
	if t == nil || len(rows) == 0 {
		return ctx, unrecorded
	}
	ctx, span := t.tracer.Start(WithTraceparent(ctx, rows[0].Traceparent), "start workflow",
		trace.WithSpanKind(trace.SpanKindProducer), trace.WithAttributes(
			attribute.String("temporal.workflow_id", workflowID), attribute.Int("posthorn.invocations", len(rows)),
			attribute.Int("posthorn.overdue", rows[0].Overdue)))
	return ctx, ending(span)
}

// Activity begins the span of one run of a workflow's activity, in the trace that the workflow was started in. An activity
// of a workflow without one gets no span.
func (t *Tracer) Activity(
	ctx context.Context, name, workflowID, runID string, attempt int32,
) (in context.Context, end func(error)) {
	if t == nil || !trace.SpanContextFromContext(ctx).IsValid() {
		return ctx, unrecorded
	}
	ctx, span := t.tracer.Start(ctx, name, trace.WithSpanKind(trace.SpanKindConsumer), trace.WithAttributes(
		attribute.String("temporal.workflow_id", workflowID), attribute.String("temporal.run_id", runID),
		attribute.Int("temporal.attempt", int(attempt))))
	// An error of an activity is how Temporal hears when to come again. Attempts have a status of their own.
	return ctx, func(error) { span.End() }
}

func unrecorded(error) {}

func ending(span trace.Span) func(error) {
	return func(err error) {
		if err != nil { // its text may hold what a client wrote
			span.SetStatus(codes.Error, string(models.ErrorCode(err)))
		}
		span.End()
	}
}

// WithTraceparent puts a trace context into ctx as the parent of spans to come; "" leaves ctx as it is.
func WithTraceparent(ctx context.Context, traceparent string) context.Context {
	if traceparent == "" {
		return ctx
	}
	return propagation.TraceContext{}.Extract(ctx, propagation.MapCarrier{traceparentKey: traceparent})
}

// Traceparent is the trace context in ctx; "" = there is none.
func Traceparent(ctx context.Context) string {
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, carrier)
	return carrier[traceparentKey]
}

const traceparentKey = "traceparent"
