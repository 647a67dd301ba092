package observe_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/posthorn/posthorn/internal/observe"
	"github.com/posthorn/posthorn/models"
)

const (
	given = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	other = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
)

// recording is a Tracer whose spans stay in memory.
func recording(t *testing.T) (*observe.Tracer, *tracetest.InMemoryExporter) {
	t.Helper()
	exporter := tracetest.NewInMemoryExporter()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSyncer(exporter))
	return observe.NewTracer(provider), exporter
}

// answering is a Sender that gives one answer.
type answering models.Result

func (a answering) Send(context.Context, *models.Claim) models.Result { return models.Result(a) }

// deliver plays an event's way through all that records spans; the start of the workflow carries no more than text.
func deliver(ctx context.Context, tracer *observe.Tracer, claim *models.Claim, result models.Result) {
	publishing, stored, end := tracer.Publish(ctx, given, "app")
	starting, started := tracer.Dispatch(ctx, "event/1", []models.Dispatch{{Traceparent: stored}})
	end(nil)
	_ = publishing
	running, ended := tracer.Activity(observe.WithTraceparent(ctx, observe.Traceparent(starting)), "Attempt", "event/1", "run", 2)
	started(nil)
	claim.Traceparent = stored
	tracer.Sender(answering(result)).Send(running, claim)
	ended(nil)
}

func TestSpansOfADeliveryHangTogether(t *testing.T) {
	t.Parallel()
	tracer, exporter := recording(t)
	claim := &models.Claim{URL: "https://user:canary@receiver.example/canary", Number: 2}
	deliver(t.Context(), tracer, claim, models.Result{
		Outcome: models.AttemptFailed, StatusCode: 503, Error: &models.AttemptError{Code: models.AttemptStatus, Message: "canary"},
	})

	spans := exporter.GetSpans()
	byName := map[string]tracetest.SpanStub{}
	for _, span := range spans {
		byName[span.Name] = span
		require.Equal(t, "0af7651916cd43dd8448eb211c80319c", span.SpanContext.TraceID().String())
		for _, a := range span.Attributes {
			require.NotContains(t, a.Value.String(), "canary")
		}
	}
	require.Len(t, byName, 4)
	above := "b7ad6b7169203331"
	for _, name := range []string{"publish", "start workflow", "Attempt", "attempt"} {
		require.Equal(t, above, byName[name].Parent.SpanID().String(), name)
		above = byName[name].SpanContext.SpanID().String()
	}
	require.Equal(t, codes.Error, byName["attempt"].Status.Code)
	require.Equal(t, "status", byName["attempt"].Status.Description)
	require.Equal(t, above, claim.NextTraceparent()[36:52], "the receiver is told of the attempt's span")
}

func TestAnAttemptOfAnotherTraceIsLinkedToItsActivity(t *testing.T) {
	t.Parallel()
	tracer, exporter := recording(t)
	running, ended := tracer.Activity(observe.WithTraceparent(t.Context(), other), "FirstAttempts", "invocation/1", "run", 1)
	tracer.Sender(answering{}).Send(running, &models.Claim{Traceparent: given})
	ended(nil)
	attempt := exporter.GetSpans()[0]
	require.Equal(t, given[3:35], attempt.SpanContext.TraceID().String())
	require.Equal(t, given[36:52], attempt.Parent.SpanID().String())
	require.Len(t, attempt.Links, 1)
	require.Equal(t, other[3:35], attempt.Links[0].SpanContext.TraceID().String())
}

func TestAnActivityOutsideATraceHasNoSpan(t *testing.T) {
	t.Parallel()
	tracer, exporter := recording(t)
	ctx, end := tracer.Activity(t.Context(), "Purge", "posthorn-retention", "run", 1)
	end(nil)
	require.Equal(t, t.Context(), ctx)
	tracer.Sender(answering{}).Send(ctx, &models.Claim{Traceparent: given})
	require.Len(t, exporter.GetSpans(), 1)
	require.Equal(t, given[36:52], exporter.GetSpans()[0].Parent.SpanID().String())
}

func TestErrorsOfASpanTellNothingThatIsPrivate(t *testing.T) {
	t.Parallel()
	tracer, exporter := recording(t)
	for _, err := range []error{models.Invalid("type", "canary"), errors.New("canary")} {
		_, _, end := tracer.Publish(t.Context(), "", "app")
		end(err)
	}
	spans := exporter.GetSpans()
	require.Equal(t, string(models.CodeValidation), spans[0].Status.Description)
	require.NotContains(t, spans[1].Status.Description, "canary")
	require.Equal(t, codes.Error, spans[1].Status.Code)
	require.Empty(t, spans[1].Events)
}

func TestWithoutATracerNothingIsAllocated(t *testing.T) {
	t.Parallel()
	var none *observe.Tracer
	require.Equal(t, answering{}, none.Sender(answering{}))
	_, stored, _ := none.Publish(t.Context(), given, "app")
	require.Equal(t, given, stored, "the publisher's own is stored all the same")
	_, stored, _ = none.Publish(t.Context(), "nonsense", "app")
	require.Empty(t, stored)
	ctx, rows := t.Context(), []models.Dispatch{{Traceparent: given}}
	require.Zero(t, testing.Benchmark(func(b *testing.B) {
		b.Helper()
		b.ReportAllocs()
		for b.Loop() {
			_, _, end := none.Publish(ctx, "", "app")
			end(nil)
			_, end = none.Dispatch(ctx, "event/1", rows)
			end(nil)
		}
	}).AllocsPerOp())
}
