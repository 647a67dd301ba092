// Package temporaldev runs a Temporal server and its web UI inside this
// process, on two SQLite files: what `posthorn dev` needs to be one binary.
//
// It is for development, demonstrations and tests: everything listens on
// loopback, nothing authenticates, nothing is dialled outward. Production runs
// Temporal's own images with the same dynamicconfig.yaml.
//
// The package imports nothing of Posthorn's and keeps no state of its own
// outside a [Server]. Temporal's SQLite plugin does: it holds a file's one
// connection until the process ends, so after a Stop this process, and no
// other, may start on the files again.
package temporaldev

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
)

// Server is a running Temporal server. Its methods are safe for concurrent use.
type Server struct {
	address   string
	namespace string
	files     storeFiles

	engine *engine
	conn   *grpc.ClientConn // to the frontend, for the UI
	ui     *webUI           // nil when off

	stopOnce sync.Once
	stopped  chan struct{} // closed when stopErr is set
	stopErr  error
}

// startTimeout bounds Start; a start takes a second on an idle machine.
const startTimeout = 60 * time.Second

// Start starts Temporal on the files in o.Dir and returns when it serves: a
// client that connects then finds the namespace, its search attributes and the
// history shard ready. The caller owns the server and must Stop it. ctx bounds
// the start only.
//
// A port in use, a folder in use by another process and an address that is not
// loopback are errors whose text tells an operator what to change.
func Start(ctx context.Context, o Options) (*Server, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, startTimeout,
		fmt.Errorf("not ready after %s", startTimeout))
	defer cancel()

	// Both addresses are taken before anything is written.
	frontend, err := (endpoint{o.Address, "--temporal-listen (POSTHORN_TEMPORAL_LISTEN)"}).listen(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { _ = frontend.Close() }()
	var ui net.Listener
	if o.UIAddress != UIOff {
		if ui, err = (endpoint{o.UIAddress, "--temporal-ui-listen (POSTHORN_TEMPORAL_UI_LISTEN)"}).listen(ctx); err != nil {
			return nil, err
		}
	}

	s := &Server{
		address:   frontend.Addr().String(),
		namespace: o.Namespace,
		stopped:   make(chan struct{}),
	}
	if err := s.start(ctx, o, frontend, ui); err != nil {
		if ui != nil {
			_ = ui.Close()
		}
		return nil, err
	}
	return s, nil
}

func (s *Server) start(ctx context.Context, o Options, frontend, ui net.Listener) error {
	dynamic, err := loadDynamicConfig(dynamicConfigYAML)
	if err != nil {
		return err
	}
	if s.files, err = newStoreFiles(o.Dir); err != nil {
		return err
	}
	store := persistenceConfig(s.files)
	if err := prepareStore(ctx, store, o); err != nil {
		return err
	}

	// From here on the port is the server's.
	_ = frontend.Close()
	if s.engine, err = startEngine(ctx, boundTo(frontend), store, dynamic, o.Logger); err != nil {
		return err
	}
	if err := s.connect(ctx, o, ui); err != nil {
		s.engine.abandon(context.WithoutCancel(ctx))
		return err
	}
	s.engine.log.state.running.Store(true)
	return nil
}

// connect waits until the server answers and serves the UI on top of it.
func (s *Server) connect(ctx context.Context, o Options, ui net.Listener) (err error) {
	if s.conn, err = dial(s.address); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = s.conn.Close()
		}
	}()
	if err := waitReady(ctx, s.conn, o.Namespace); err != nil {
		return err
	}
	if ui != nil {
		s.ui, err = serveUI(context.WithoutCancel(ctx), ui, s.conn, o)
	}
	return err
}

// Address is the frontend's gRPC address, host and port.
func (s *Server) Address() string { return s.address }

// DialOption makes a client of this process, that connects to Address, call the
// server without a network for what workflows are made of.
func (s *Server) DialOption() grpc.DialOption {
	return grpc.WithChainUnaryInterceptor(s.engine.local.intercept)
}

// Listeners are the host:port of everything that listens and takes whoever
// connects for a friend: the frontend, the services behind it, the UI.
func (s *Server) Listeners() []string {
	out := []string{s.address}
	for _, port := range s.engine.ports {
		out = append(out, net.JoinHostPort(localhost, strconv.Itoa(port)))
	}
	if s.ui != nil {
		out = append(out, strings.TrimPrefix(s.ui.url, "http://"))
	}
	return out
}

// Namespace is the namespace that Start made sure of.
func (s *Server) Namespace() string { return s.namespace }

// UIURL is where the web UI is, or "" when it is off.
func (s *Server) UIURL() string {
	if s.ui == nil {
		return ""
	}
	return s.ui.url
}

// Stop stops the UI, then the server, and returns when both have ended or ctx
// has: an overrun is an error and the rest of the stop goes on in the
// background. Stop workers and close clients first; what they still have open
// is cut after one second. Further calls wait for the same stop.
func (s *Server) Stop(ctx context.Context) error {
	s.stopOnce.Do(func() {
		background := context.WithoutCancel(ctx)
		go func() {
			defer close(s.stopped)
			s.stopErr = s.stop(background)
		}()
	})
	select {
	case <-s.stopped:
		return s.stopErr
	case <-ctx.Done():
		return fmt.Errorf("temporal-dev: stop did not end in time: %w", context.Cause(ctx))
	}
}

func (s *Server) stop(ctx context.Context) error {
	var errs []error
	if s.ui != nil {
		errs = append(errs, s.ui.stop(ctx))
	}
	errs = append(errs, s.conn.Close(), s.engine.stop(ctx), s.files.checkpoint())
	return errors.Join(errs...)
}
