package temporaldev

import (
	"context"
	"maps"
	"net"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// localCall is one call.
type localCall struct {
	calls   *localCalls
	ctx     context.Context //nolint:containedctx // of the call
	cancel  func()
	stream  *localStream
	handler localHandler
	request proto.Message

	done  chan struct{} // closed when reply and err are set
	reply any
	err   error
}

// newCall gives the call a context with the caller's deadline, end and metadata, but none of its values.
func (l *localCalls) newCall(ctx context.Context, method string, handler localHandler, request proto.Message) *localCall {
	c := &localCall{
		calls: l, handler: handler, request: request, stream: &localStream{method: method}, done: make(chan struct{}),
		// As when a handler ends its goroutine, which the server's logger does in an emergency.
		err: status.Error(codes.Unavailable, "temporal-dev: the call was abandoned"),
	}
	var cancel context.CancelFunc
	if deadline, ok := ctx.Deadline(); ok {
		c.ctx, cancel = context.WithDeadline(l.all, deadline)
	} else {
		c.ctx, cancel = context.WithCancel(l.all)
	}
	stop := context.AfterFunc(ctx, cancel)
	c.cancel = func() { stop(); cancel() }

	md, _ := metadata.FromOutgoingContext(ctx) // a copy
	c.ctx = metadata.NewIncomingContext(c.ctx, md)
	c.ctx = peer.NewContext(c.ctx, &peer.Peer{Addr: &net.UnixAddr{Net: "unix"}})
	c.ctx = grpc.NewContextWithServerTransportStream(c.ctx, c.stream)
	return c
}

// serve runs the handler.
func (c *localCall) serve() {
	defer c.calls.underWay.Done()
	defer close(c.done)
	defer c.cancel()
	reply, err := c.handler(c.ctx, c.request)
	if err != nil {
		known, ok := status.FromError(err)
		if !ok {
			known = status.FromContextError(err)
		}
		err = known.Err()
	}
	c.reply, c.err = reply, err
}

// localStream takes the headers and trailers of a call. It implements grpc.ServerTransportStream.
type localStream struct {
	method string

	mu              sync.Mutex
	header, trailer metadata.MD
}

// Method implements grpc.ServerTransportStream.
func (s *localStream) Method() string { return s.method }

// SetHeader implements grpc.ServerTransportStream.
func (s *localStream) SetHeader(md metadata.MD) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.header = metadata.Join(s.header, md)
	return nil
}

// SendHeader implements grpc.ServerTransportStream.
func (s *localStream) SendHeader(md metadata.MD) error { return s.SetHeader(md) }

// SetTrailer implements grpc.ServerTransportStream.
func (s *localStream) SetTrailer(md metadata.MD) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.trailer = metadata.Join(s.trailer, md)
	return nil
}

// tell gives headers and trailers to whoever asked for them.
func (s *localStream) tell(options []grpc.CallOption) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, option := range options {
		switch o := option.(type) {
		case grpc.HeaderCallOption:
			*o.HeaderAddr = maps.Clone(s.header)
		case grpc.TrailerCallOption:
			*o.TrailerAddr = maps.Clone(s.trailer)
		}
	}
}

// runners run functions on goroutines that are used again: what serves a call needs a deep stack, and growing one for
// each is a tenth of what a workflow costs.
type runners chan func()

// idleRunner is how long a goroutine waits for more.
const idleRunner = 10 * time.Second

// run runs f on another goroutine.
func (r runners) run(f func()) {
	select {
	case r <- f:
	default:
		go r.work(f)
	}
}

func (r runners) work(f func()) {
	idle := time.NewTimer(idleRunner)
	defer idle.Stop()
	for {
		f()
		idle.Reset(idleRunner)
		select {
		case f = <-r:
		case <-idle.C:
			return
		}
	}
}
