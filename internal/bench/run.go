package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"time"
)

// run measures one load on a fresh process.
func run(ctx context.Context, o options, stderr io.Writer) (result, error) {
	ctx, cancel := context.WithTimeout(ctx, o.timeout+startTimeout)
	defer cancel()
	dir, err := os.MkdirTemp("", "posthorn-bench-")
	if err != nil {
		return result{}, err
	}
	if o.keep {
		tell(stderr, "data and log: %s", dir)
	} else {
		defer os.RemoveAll(dir) //nolint:errcheck // a temporary folder
	}
	receiver, err := startReceiver(ctx)
	if err != nil {
		return result{}, err
	}
	defer receiver.close()
	load := loadAverage()
	child, err := startChild(ctx, o, dir)
	if err != nil {
		return result{}, err
	}
	r, err := measure(ctx, o, child, receiver)
	r.LoadBefore = load
	if err != nil || r.Losses > 0 || r.Refused > 0 {
		tell(stderr, "the end of posthorn's log:\n%s", child.tail())
	}
	return r, errors.Join(err, child.stop())
}

// measure warms the process up and puts it under load.
func measure(ctx context.Context, o options, c *child, receiver *receiver) (result, error) {
	a := newAPI(c.url, c.key, max(o.concurrency, 64))
	if err := a.setUp(ctx, o.subscriptions, o.ordering, receiver.urlOf); err != nil {
		return result{}, err
	}
	if err := warmUp(ctx, o, a, receiver); err != nil {
		return result{}, err
	}
	before, err := c.atRest(ctx)
	if err != nil {
		return result{}, err
	}
	ourBefore := ownCPU()
	ctx, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	l := newLoad(a, newLedger(o.events, o.subscriptions), o.warmUp, o.payload)
	receiver.expect(l.ledger, o.warmUp)
	samples := c.watch(ctx, o.sample)
	if o.mode == modeOpen {
		l.open(ctx, o.rate)
	} else {
		l.closed(ctx, o.concurrency)
	}
	l.delivered(ctx, o.subscriptions)
	held := samples()
	ours := ownCPU() - ourBefore
	after, err := c.atRest(context.WithoutCancel(ctx))
	if err != nil {
		return result{}, err
	}
	after.cpu -= before.cpu
	r := judge(o, l, after)
	r.Samples, r.Drift = held, driftOf(held)
	r.BenchCPU = digits(ours.Seconds())
	return r, l.failure()
}

// warmUp publishes events that no figure counts.
func warmUp(ctx context.Context, o options, a *api, receiver *receiver) error {
	if o.warmUp == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	l := newLoad(a, newLedger(o.warmUp, o.subscriptions), 0, o.payload)
	receiver.expect(l.ledger, 0)
	l.closed(ctx, 1)
	l.delivered(ctx, o.subscriptions)
	if missing := o.warmUp*o.subscriptions - int(l.ledger.arrived.Load()); missing > 0 {
		return errors.Join(fmt.Errorf("%d deliveries of the warm-up are missing", missing), l.failure())
	}
	return nil
}

// failure is the first error, when not one event was accepted: there is nothing to measure then.
func (l *load) failure() error {
	if first := l.firstError.Load(); first != nil && l.countAccepted() == 0 {
		return *first
	}
	return nil
}

// ownCPU is the benchmark's own user and system time.
func ownCPU() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
