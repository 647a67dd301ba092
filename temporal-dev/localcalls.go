package temporaldev

import (
	"context"
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

const (
	// maxLocalRequest is the largest request that is handed over, in bytes. Larger ones go through gRPC, whose limits
	// then apply.
	maxLocalRequest = 1 << 20
	// localDrain is how long the calls that are under way may take when the server stops; as long as it gives gRPC's.
	localDrain = time.Second
)

// localCalls makes calls between clients and services of this process without a network: a client's innermost
// interceptor hands the request to the service's own interceptors and handler. All that the other side may keep or
// change is copied, and what else a client sees is as with gRPC: metadata, deadlines, errors, headers and trailers.
// Until it is opened, after it is closed and for all other methods calls go through gRPC.
type localCalls struct {
	handlers map[string]localHandler // by full method; complete before open
	runners  runners

	mu       sync.Mutex
	isOpen   bool
	underWay sync.WaitGroup
	all      context.Context //nolint:containedctx // of the calls, which outlive no stop
	cancel   context.CancelFunc
}

// localHandler serves a method with the interceptors of its service.
type localHandler func(ctx context.Context, request any) (any, error)

func newLocalCalls() *localCalls {
	l := &localCalls{handlers: map[string]localHandler{}, runners: make(runners)}
	l.all, l.cancel = context.WithCancel(context.Background())
	return l
}

// serve adds the named methods of a service. It must not be called after open.
func (l *localCalls) serve(
	service *grpc.ServiceDesc, server any, interceptors []grpc.UnaryServerInterceptor, methods ...string,
) {
	wanted := make(map[string]bool, len(methods))
	for _, name := range methods {
		wanted[name] = true
	}
	all := chain(interceptors)
	for _, method := range service.Methods {
		if wanted[method.MethodName] {
			l.handlers["/"+service.ServiceName+"/"+method.MethodName] = func(ctx context.Context, request any) (any, error) {
				return method.Handler(server, ctx, func(into any) error { return pass(into, request, moveFields) }, all)
			}
		}
	}
}

// chain makes one interceptor of several, the first being the outermost.
func chain(interceptors []grpc.UnaryServerInterceptor) grpc.UnaryServerInterceptor {
	return func(ctx context.Context, request any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
		for _, intercept := range slices.Backward(interceptors) {
			next := handler
			handler = func(ctx context.Context, request any) (any, error) { return intercept(ctx, request, info, next) }
		}
		return handler(ctx, request)
	}
}

// pass passes what is in one message to an empty one. Where the server's types differ, which are the same on the wire
// (a history that is passed on as it was read), it goes through the wire's format.
func pass(into, from any, by func(into, from proto.Message)) error {
	to, isMessage := into.(proto.Message)
	message, isMessageToo := from.(proto.Message)
	if !isMessage || !isMessageToo {
		return status.Errorf(codes.Internal, "temporal-dev: %T or %T is no message", from, into)
	}
	if to.ProtoReflect().Descriptor() == message.ProtoReflect().Descriptor() {
		by(to, message)
		return nil
	}
	encoded, err := proto.Marshal(message)
	if err == nil {
		err = proto.Unmarshal(encoded, to)
	}
	if err != nil {
		return status.Errorf(codes.Internal, "temporal-dev: %T as %T: %v", from, into, err)
	}
	return nil
}

// moveFields makes one message of another, which nobody may use any more.
func moveFields(into, from proto.Message) {
	to, message := into.ProtoReflect(), from.ProtoReflect()
	message.Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		to.Set(field, value)
		return true
	})
	to.SetUnknown(message.GetUnknown())
}

// open lets calls in.
func (l *localCalls) open() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.isOpen = true
}

// close waits for the calls that are under way, and cancels them after localDrain.
func (l *localCalls) close() {
	l.mu.Lock()
	l.isOpen = false
	l.mu.Unlock()
	defer l.cancel()
	drained := make(chan struct{})
	go func() {
		l.underWay.Wait()
		close(drained)
	}()
	select {
	case <-drained:
	case <-time.After(localDrain):
	}
}

// enter reports whether a call may be made; then leave has to follow.
func (l *localCalls) enter() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.isOpen {
		l.underWay.Add(1)
	}
	return l.isOpen
}

// intercept is the innermost interceptor of a client.
func (l *localCalls) intercept(
	ctx context.Context, method string, request, reply any, conn *grpc.ClientConn, invoke grpc.UnaryInvoker,
	options ...grpc.CallOption,
) error {
	handler := l.handlers[method]
	message, isMessage := request.(proto.Message)
	if handler == nil || !isMessage || proto.Size(message) > maxLocalRequest || !l.enter() {
		return invoke(ctx, method, request, reply, conn, options...)
	}
	call := l.newCall(ctx, method, handler, proto.Clone(message))
	l.runners.run(call.serve)
	select {
	case <-call.done:
	case <-ctx.Done():
		return status.FromContextError(ctx.Err()).Err()
	}
	call.stream.tell(options)
	if call.err != nil {
		return call.err
	}
	return pass(reply, call.reply, proto.Merge)
}
