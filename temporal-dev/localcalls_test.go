package temporaldev

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// healthServer serves Check by a function.
type healthServer struct {
	healthpb.UnimplementedHealthServer

	check func(context.Context, *healthpb.HealthCheckRequest) (*healthpb.HealthCheckResponse, error)
}

func (h *healthServer) Check(
	ctx context.Context, request *healthpb.HealthCheckRequest,
) (*healthpb.HealthCheckResponse, error) {
	return h.check(ctx, request)
}

// localHealth is a client of the function. Nobody listens at its address, so that only local calls succeed.
func localHealth(
	t *testing.T, check func(context.Context, *healthpb.HealthCheckRequest) (*healthpb.HealthCheckResponse, error),
	interceptors ...grpc.UnaryServerInterceptor,
) (*localCalls, healthpb.HealthClient) {
	t.Helper()
	local := newLocalCalls()
	local.serve(&healthpb.Health_ServiceDesc, &healthServer{check: check}, interceptors, "Check")
	local.open()
	t.Cleanup(local.close)
	conn, err := grpc.NewClient("passthrough:///127.0.0.1:1", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithChainUnaryInterceptor(local.intercept))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, conn.Close()) })
	return local, healthpb.NewHealthClient(conn)
}

type valueKey struct{}

func TestALocalCallIsLikeOneByNetwork(t *testing.T) {
	t.Parallel()
	request := &healthpb.HealthCheckRequest{Service: "before"}
	kept := &healthpb.HealthCheckResponse{Status: healthpb.HealthCheckResponse_SERVING}
	var order []string
	named := func(name string) grpc.UnaryServerInterceptor {
		return func(ctx context.Context, r any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
			order = append(order, name+info.FullMethod)
			return next(ctx, r)
		}
	}
	_, client := localHealth(t, func(
		ctx context.Context, got *healthpb.HealthCheckRequest,
	) (*healthpb.HealthCheckResponse, error) {
		require.Equal(t, "before", got.GetService())
		got.Service = "the server may change it"
		md, _ := metadata.FromIncomingContext(ctx)
		require.Equal(t, []string{"v"}, md.Get("key"))
		require.Nil(t, ctx.Value(valueKey{}), "values do not travel")
		_, hasDeadline := ctx.Deadline()
		require.True(t, hasDeadline)
		require.NoError(t, grpc.SetHeader(ctx, metadata.Pairs("header", "h")))
		require.NoError(t, grpc.SetTrailer(ctx, metadata.Pairs("trailer", "1")))
		require.NoError(t, grpc.SetTrailer(ctx, metadata.Pairs("trailer", "2")))
		return kept, nil
	}, named("outer "), named("inner "))

	ctx, cancel := context.WithTimeout(context.WithValue(t.Context(), valueKey{}, "v"), time.Minute)
	defer cancel()
	var header, trailer metadata.MD
	got, err := client.Check(metadata.AppendToOutgoingContext(ctx, "Key", "v"), request,
		grpc.Header(&header), grpc.Trailer(&trailer))
	require.NoError(t, err)
	require.Equal(t, healthpb.HealthCheckResponse_SERVING, got.GetStatus())
	require.NotSame(t, kept, got)
	require.Equal(t, "before", request.GetService())
	require.Equal(t, []string{"h"}, header.Get("header"))
	require.Equal(t, []string{"1", "2"}, trailer.Get("trailer"))
	require.Equal(t, []string{"outer /grpc.health.v1.Health/Check", "inner /grpc.health.v1.Health/Check"}, order)
}

func TestErrorsOfLocalCalls(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		err  error
		code codes.Code
	}{
		"a status":      {status.Error(codes.NotFound, "gone"), codes.NotFound},
		"any error":     {errors.New("broken"), codes.Unknown},
		"a cancelled":   {context.Canceled, codes.Canceled},
		"past deadline": {context.DeadlineExceeded, codes.DeadlineExceeded},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, client := localHealth(t, func(
				context.Context, *healthpb.HealthCheckRequest,
			) (*healthpb.HealthCheckResponse, error) {
				return nil, tt.err
			})
			_, err := client.Check(t.Context(), &healthpb.HealthCheckRequest{})
			require.Equal(t, tt.code, status.Code(err), err)
		})
	}
}

func TestAHandlerThatEndsItsGoroutine(t *testing.T) {
	t.Parallel()
	_, client := localHealth(t, func(
		context.Context, *healthpb.HealthCheckRequest,
	) (*healthpb.HealthCheckResponse, error) {
		runtime.Goexit()
		return nil, nil
	})
	_, err := client.Check(t.Context(), &healthpb.HealthCheckRequest{})
	require.Equal(t, codes.Unavailable, status.Code(err), err)
}

func TestALocalCallEndsWithItsContext(t *testing.T) {
	t.Parallel()
	entered, ended := make(chan struct{}), make(chan error, 1)
	_, client := localHealth(t, func(
		ctx context.Context, _ *healthpb.HealthCheckRequest,
	) (*healthpb.HealthCheckResponse, error) {
		close(entered)
		<-ctx.Done()
		ended <- ctx.Err()
		return nil, ctx.Err()
	})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-entered
		cancel()
	}()
	_, err := client.Check(ctx, &healthpb.HealthCheckRequest{})
	require.Equal(t, codes.Canceled, status.Code(err), err)
	require.ErrorIs(t, <-ended, context.Canceled)
}

func TestAClosedServerIsCalledByNetwork(t *testing.T) {
	t.Parallel()
	entered := make(chan struct{})
	local, client := localHealth(t, func(
		ctx context.Context, _ *healthpb.HealthCheckRequest,
	) (*healthpb.HealthCheckResponse, error) {
		close(entered)
		<-ctx.Done()
		return nil, ctx.Err()
	})
	failed := make(chan error, 1)
	go func() {
		_, err := client.Check(t.Context(), &healthpb.HealthCheckRequest{})
		failed <- err
	}()
	<-entered
	local.close()
	require.Equal(t, codes.Canceled, status.Code(<-failed), "what is under way is cancelled")

	_, err := client.Check(t.Context(), &healthpb.HealthCheckRequest{})
	require.Equal(t, codes.Unavailable, status.Code(err))
	require.ErrorContains(t, err, "connection refused")
}

func TestWhatIsNotServedLocally(t *testing.T) {
	t.Parallel()
	_, client := localHealth(t, func(
		context.Context, *healthpb.HealthCheckRequest,
	) (*healthpb.HealthCheckResponse, error) {
		t.Error("too large for a local call")
		return nil, nil
	})
	_, err := client.List(t.Context(), &healthpb.HealthListRequest{})
	require.ErrorContains(t, err, "connection refused")
	_, err = client.Check(t.Context(), &healthpb.HealthCheckRequest{Service: string(make([]byte, maxLocalRequest+1))})
	require.ErrorContains(t, err, "connection refused")
}
