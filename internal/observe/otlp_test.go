package observe_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"
	collectorpb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"github.com/posthorn/posthorn/internal/observe"
)

// exports is a collector of either protocol.
type exports struct {
	collectorpb.UnimplementedTraceServiceServer

	got chan *collectorpb.ExportTraceServiceRequest
}

func (e exports) Export(
	_ context.Context, r *collectorpb.ExportTraceServiceRequest,
) (*collectorpb.ExportTraceServiceResponse, error) {
	e.got <- r
	return &collectorpb.ExportTraceServiceResponse{}, nil
}

func (e exports) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	var export collectorpb.ExportTraceServiceRequest
	if err != nil || r.URL.Path != "/base/v1/traces" || proto.Unmarshal(body, &export) != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	e.got <- &export
}

func TestSpansReachTheCollectorByEitherProtocol(t *testing.T) {
	t.Parallel()
	for protocol, serve := range map[string]func(*testing.T, exports) string{
		"http/protobuf": func(t *testing.T, e exports) string {
			t.Helper()
			server := httptest.NewServer(e)
			t.Cleanup(server.Close)
			return server.URL + "/base/"
		},
		observe.ProtocolGRPC: func(t *testing.T, e exports) string {
			t.Helper()
			var listen net.ListenConfig
			listener, err := listen.Listen(t.Context(), "tcp", "127.0.0.1:0")
			require.NoError(t, err)
			server := grpc.NewServer()
			collectorpb.RegisterTraceServiceServer(server, e)
			go func() { _ = server.Serve(listener) }()
			t.Cleanup(server.Stop)
			return "http://" + listener.Addr().String()
		},
	} {
		t.Run(protocol, func(t *testing.T) {
			t.Parallel()
			collector := exports{got: make(chan *collectorpb.ExportTraceServiceRequest, 1)}
			logger := observe.NewLogger(&bytes.Buffer{}, "error", "text")
			tracer, stop, err := observe.OpenTracer(t.Context(), serve(t, collector), protocol, "1.2.3", logger)
			require.NoError(t, err)
			_, _, end := tracer.Publish(t.Context(), given, "app")
			end(nil)
			require.NoError(t, stop(t.Context()), "what is left is sent")

			resource := (<-collector.got).GetResourceSpans()[0]
			about := map[string]string{}
			for _, a := range resource.GetResource().GetAttributes() {
				about[a.GetKey()] = a.GetValue().GetStringValue()
			}
			require.Equal(t, "posthorn", about["service.name"])
			require.Equal(t, "1.2.3", about["service.version"])
			require.Equal(t, "publish", resource.GetScopeSpans()[0].GetSpans()[0].GetName())
		})
	}
}
