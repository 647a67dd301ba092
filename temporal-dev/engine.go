package temporaldev

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"

	"go.opentelemetry.io/otel/sdk/trace"
	"go.temporal.io/server/client"
	"go.temporal.io/server/common/authorization"
	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/dynamicconfig"
	"go.temporal.io/server/temporal"
	"go.uber.org/fx"
)

// engine is a running Temporal server: all four services in this process.
type engine struct {
	app *fx.App
	// The app's start hook starts the services one by one; after one failed,
	// only this stops the others.
	services *temporal.ServerImpl
	started  bool // all of them
	log      *logger
	ports    []int // of the dialledServices
	local    *localCalls
}

// startAttempts bounds how often a lost race for a port is run again.
const startAttempts = 3

// startEngine starts the services, the frontend at the address, the others on
// free ports. The server binds its ports itself, so between finding them free
// and using them another process may take one: then it tries again. The server
// binds the frontend's port last of those, so a lost race leaves it free.
func startEngine(
	ctx context.Context, frontend netip.AddrPort, store *config.Persistence, dynamic dynamicconfig.Client, out *slog.Logger,
) (*engine, error) {
	var err error
	for range startAttempts {
		var ports []int
		if ports, err = freePorts(ctx, len(dialledServices())); err != nil {
			return nil, err
		}
		e := &engine{log: newLogger(out), ports: ports, local: newLocalCalls()}
		if err = e.start(ctx, serverConfig(frontend, ports, store), dynamic); err == nil {
			return e, nil
		}
		if !isLostPort(err) || ctx.Err() != nil {
			break
		}
	}
	return nil, err
}

// isLostPort knows the text of the server's Fatal in common/rpc.
func isLostPort(err error) bool {
	return strings.Contains(err.Error(), "Failed to start gRPC listener")
}

var errAborted = errors.New("the server aborted")

// start builds and starts the services on a goroutine of its own, which a Fatal
// of the server ends instead of the process. The services do not heed a context
// while they start: if ctx ends first, start returns at once and they stop in
// the background as soon as they have started.
func (e *engine) start(ctx context.Context, c *config.Config, dynamic dynamicconfig.Client) error {
	background := context.WithoutCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- e.run(background, c, dynamic) }()

	select {
	case err := <-done:
		if err != nil {
			e.abandon(background)
			return fmt.Errorf("temporal-dev: start Temporal: %w", err)
		}
		return nil
	case <-ctx.Done():
		go func() {
			<-done //nolint:errcheck // the deadline is the error that is returned
			e.abandon(background)
		}()
		return fmt.Errorf("temporal-dev: start Temporal: %w", e.log.state.overrun(context.Cause(ctx)))
	}
}

// run is start without a deadline. It waits for a goroutine that may end
// without returning.
func (e *engine) run(ctx context.Context, c *config.Config, dynamic dynamicconfig.Client) error {
	ended := make(chan error, 1)
	go func() {
		err := errAborted
		defer func() {
			if r := recover(); r != nil {
				err = fmt.Errorf("panic: %v", r)
			}
			ended <- err
		}()
		e.build(c, dynamic)
		if err = e.app.Err(); err == nil {
			err = e.app.Start(ctx)
		}
		if e.started = err == nil; e.started {
			e.local.open()
		}
	}()
	return e.log.state.cause(<-ended)
}

// build wires the services as temporal.NewServer does, minus what would follow
// the environment: with OTEL_TRACES_EXPORTER set for Posthorn, the server would
// send its own traces there too.
func (e *engine) build(c *config.Config, dynamic dynamicconfig.Client) {
	e.app = fx.New(
		topLevelModule(e.local),
		fx.Replace([]trace.SpanExporter{}),
		fx.Supply([]temporal.ServerOption{
			temporal.WithConfig(c),
			temporal.ForServices(temporal.DefaultServices),
			temporal.WithStaticHosts(staticHosts(c)),
			temporal.WithLogger(e.log),
			temporal.WithDynamicConfigClient(dynamic),
			temporal.WithClientFactoryProvider(localClients{client.NewFactoryProvider(), e.local}),
			temporal.WithAuthorizer(authorization.NewNoopAuthorizer()),
			temporal.WithClaimMapper(func(*config.Config) authorization.ClaimMapper {
				return authorization.NewNoopClaimMapper()
			}),
		}),
		fx.Populate(&e.services),
	)
}

// abandon stops, in the background, what a failed start has left running.
func (e *engine) abandon(ctx context.Context) {
	go func() {
		defer func() { _ = recover() }() // stopping what never started may panic
		switch {
		case e.started:
			_ = e.stop(ctx)
		case e.services != nil:
			_ = e.services.Stop(ctx)
		}
	}()
}

// stop stops the services in the server's order: in 50 ms, or a second later
// when clients still have calls open.
func (e *engine) stop(ctx context.Context) error {
	e.log.state.running.Store(false)
	e.local.close()
	if err := e.app.Stop(ctx); err != nil {
		return fmt.Errorf("temporal-dev: stop Temporal: %w", err)
	}
	return nil
}
