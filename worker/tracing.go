package worker

import (
	"context"
	"fmt"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/workflow"

	"github.com/posthorn/posthorn/internal/observe"
)

// traceHeader is the Temporal header that carries the trace context, in the form of the HTTP header of that name.
const traceHeader = "traceparent"

// TracePropagator carries a trace context from the start of a workflow to its activities. A client that is made with it
// puts the one of its call's context into the header; workflows hand it on, and look at it no further.
func TracePropagator() workflow.ContextPropagator { return propagator{} }

type propagator struct{}

// traceKey is under which a workflow's context has it.
type traceKey struct{}

// Inject implements workflow.ContextPropagator.
func (propagator) Inject(ctx context.Context, w workflow.HeaderWriter) error {
	return write(observe.Traceparent(ctx), w)
}

// InjectFromWorkflow implements workflow.ContextPropagator.
func (propagator) InjectFromWorkflow(ctx workflow.Context, w workflow.HeaderWriter) error {
	traceparent, _ := ctx.Value(traceKey{}).(string)
	return write(traceparent, w)
}

// Extract implements workflow.ContextPropagator.
func (propagator) Extract(ctx context.Context, r workflow.HeaderReader) (context.Context, error) {
	return observe.WithTraceparent(ctx, read(r)), nil
}

// ExtractToWorkflow implements workflow.ContextPropagator.
func (propagator) ExtractToWorkflow(ctx workflow.Context, r workflow.HeaderReader) (workflow.Context, error) {
	if traceparent := read(r); traceparent != "" {
		ctx = workflow.WithValue(ctx, traceKey{}, traceparent)
	}
	return ctx, nil
}

func write(traceparent string, w workflow.HeaderWriter) error {
	if traceparent == "" {
		return nil
	}
	payload, err := converter.GetDefaultDataConverter().ToPayload(traceparent)
	if err != nil {
		return fmt.Errorf("write trace context: %w", err)
	}
	w.Set(traceHeader, payload)
	return nil
}

// read returns "" where there is none, or none that can be read: no delivery fails for that.
func read(r workflow.HeaderReader) string {
	payload, ok := r.Get(traceHeader)
	if !ok {
		return ""
	}
	var traceparent string
	if err := converter.GetDefaultDataConverter().FromPayload(payload, &traceparent); err != nil {
		return ""
	}
	return traceparent
}

// tracing gives each run of an activity its span.
type tracing struct {
	interceptor.WorkerInterceptorBase

	tracer *observe.Tracer
}

// InterceptActivity implements interceptor.WorkerInterceptor.
func (t *tracing) InterceptActivity(
	_ context.Context, next interceptor.ActivityInboundInterceptor,
) interceptor.ActivityInboundInterceptor {
	return &activityTracing{
		ActivityInboundInterceptorBase: interceptor.ActivityInboundInterceptorBase{Next: next}, tracer: t.tracer,
	}
}

type activityTracing struct {
	interceptor.ActivityInboundInterceptorBase

	tracer *observe.Tracer
}

// ExecuteActivity implements interceptor.ActivityInboundInterceptor.
func (a *activityTracing) ExecuteActivity(ctx context.Context, in *interceptor.ExecuteActivityInput) (any, error) {
	info := activity.GetInfo(ctx)
	ctx, end := a.tracer.Activity(ctx, info.ActivityType.Name, info.WorkflowExecution.ID, info.WorkflowExecution.RunID, info.Attempt)
	out, err := a.Next.ExecuteActivity(ctx, in)
	end(err)
	return out, err
}
