package app

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	sdkworker "go.temporal.io/sdk/worker"

	"github.com/posthorn/posthorn/activities"
	"github.com/posthorn/posthorn/internal/dispatch"
	"github.com/posthorn/posthorn/internal/store"
	"github.com/posthorn/posthorn/worker"
)

const (
	// renewEvery is how often a worker says that it lives; see store.Lease.
	renewEvery = store.Lease / 4
	// workerStopTimeout is how long the SDK's worker waits for its activities when it stops. What is in flight then goes
	// on until Stop's ctx ends, see Activities.Drain; only what is left after that another worker takes over.
	workerStopTimeout = 20 * time.Second
)

// startWorker starts the Temporal worker, the dispatcher beside it and the lease that its claims live by.
func (a *App) startWorker(ctx context.Context) error {
	if !a.roles.Worker {
		return nil
	}
	if len(a.temporal.missing) > 0 {
		a.logger.WarnContext(ctx, "the Temporal namespace lacks search attributes; workflows start without",
			"missing", a.temporal.missing)
	}
	changed, err := a.store.AdoptNamespace(ctx, a.temporal.namespaceID)
	if err != nil {
		return fmt.Errorf("adopt namespace: %w", err)
	}
	if changed {
		a.logger.WarnContext(ctx, "the Temporal namespace is a new one; open invocations are dispatched again")
	}
	healed, err := a.store.HealQueues(ctx)
	if err != nil {
		return fmt.Errorf("heal queues: %w", err)
	}
	if healed > 0 {
		a.logger.ErrorContext(ctx, "queues without a head were given one", "queues", healed)
	}
	if a.roles.Embedded {
		err = a.store.RetireOthers(ctx)
	}
	if err := errors.Join(err, a.store.RenewWorker(ctx, a.owner)); err != nil {
		return fmt.Errorf("register worker: %w", err)
	}
	d := dispatch.New(dispatch.Options{
		Store: a.dispatchStore(), Temporal: a.temporal.client, Observer: a.metrics, Tracer: a.tracer, Logger: a.logger,
		Now: a.store.Now, Unsearchable: len(a.temporal.missing) > 0, EventsPerWorkflow: a.cfg.EventsPerWorkflow,
	})
	acts := &activities.Activities{
		Gatekeeper: a.store, Jobs: a.store, Purger: a.store, Eraser: a.store, Retention: a.cfg.Retention,
		Sender: a.tracer.Sender(a.sender()), Observer: a.metrics, Owner: a.owner,
		Wake: func() { a.wake() }, Returned: d.Returned, Now: a.store.Now, Logger: a.logger,
	}
	a.onStop("lease", func(ctx context.Context) error { return a.store.RetireWorker(ctx, a.owner) })
	a.background(ctx, "renewal of the lease", a.renew)
	a.onStop("attempts in flight", acts.Drain)

	a.wake, a.local = d.Wake, d            // before anything asks for them
	sdkworker.SetBinaryChecksum(a.version) // else the SDK reads the whole binary to make one: 0.4 s at every start
	w := worker.New(a.temporal.client, acts, worker.Options{StopTimeout: workerStopTimeout, Tracer: a.tracer})
	if err := w.Start(); err != nil {
		return fmt.Errorf("start worker: %w", err)
	}
	a.onStop("worker", func(context.Context) error { w.Stop(); return nil })
	a.startDispatcher(ctx, d)
	a.background(ctx, "schedule of the retention", a.scheduleRetention)
	return nil
}

func (a *App) startDispatcher(ctx context.Context, d *dispatch.Dispatcher) {
	a.background(ctx, "dispatcher", d.Run)
	a.background(ctx, "listener", func(ctx context.Context) { a.store.Listen(ctx, d.Wake) })
}

func (a *App) renew(ctx context.Context) {
	every(ctx, renewEvery, func(ctx context.Context) {
		if err := a.store.RenewWorker(ctx, a.owner); err != nil && ctx.Err() == nil {
			a.logger.ErrorContext(ctx, "renew worker", "error", err)
		}
	})
}

// every calls fn each time the interval has passed, until ctx ends.
func every(ctx context.Context, interval time.Duration, fn func(ctx context.Context)) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			fn(ctx)
		}
	}
}

// background runs fn until Stop reaches it; ctx gives values, its end does not matter.
func (a *App) background(ctx context.Context, name string, fn func(ctx context.Context)) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var done sync.WaitGroup
	done.Go(func() { fn(ctx) })
	a.onStop(name, func(context.Context) error {
		cancel()
		done.Wait()
		return nil
	})
}
