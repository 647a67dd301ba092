package observe

import (
	"context"
	"fmt"
	"log/slog"
	"strings"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// ProtocolGRPC is the one value of OTEL_EXPORTER_OTLP_PROTOCOL that is not OTLP over HTTP.
const ProtocolGRPC = "grpc"

// OpenTracer makes a Tracer that sends its spans to the OTLP collector at the endpoint, an absolute URL. What else
// OpenTelemetry's own environment variables say counts: headers, certificates, sampler, service name (default: posthorn).
// stop sends what is left, within its context.
func OpenTracer(
	ctx context.Context, endpoint, protocol, version string, logger *slog.Logger,
) (tracer *Tracer, stop func(context.Context) error, err error) {
	exporter, err := otlptrace.New(ctx, exporterTo(endpoint, protocol))
	if err != nil {
		return nil, nil, fmt.Errorf("open OTLP exporter: %w", err)
	}
	about, err := resource.New(ctx, resource.WithTelemetrySDK(), resource.WithAttributes(
		attribute.String("service.name", "posthorn"), attribute.String("service.version", version)), resource.WithFromEnv())
	if err != nil {
		return nil, nil, fmt.Errorf("read OTEL_RESOURCE_ATTRIBUTES: %w", err)
	}
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { // a span that is lost is no reason to fail
		logger.Warn("OpenTelemetry", "error", err)
	}))
	provider := sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter), sdktrace.WithResource(about))
	return NewTracer(provider), provider.Shutdown, nil
}

func exporterTo(endpoint, protocol string) otlptrace.Client {
	if protocol == ProtocolGRPC {
		return otlptracegrpc.NewClient(otlptracegrpc.WithEndpointURL(endpoint))
	}
	return otlptracehttp.NewClient(otlptracehttp.WithEndpointURL(strings.TrimSuffix(endpoint, "/") + "/v1/traces"))
}
