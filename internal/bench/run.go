package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
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
	if err := a.setUp(ctx, o.subscriptions, receiver.urlOf); err != nil {
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
	if o.mode == modeOpen {
		l.open(ctx, o.rate)
	} else {
		l.closed(ctx, o.concurrency)
	}
	l.delivered(ctx, o.subscriptions)
	ours := ownCPU() - ourBefore
	after, err := c.atRest(context.WithoutCancel(ctx))
	if err != nil {
		return result{}, err
	}
	after.cpu -= before.cpu
	r := judge(o, l, after)
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

// judge turns what was recorded into figures.
func judge(o options, l *load, used rest) result {
	r := result{
		Mode: o.mode, Database: o.database(), CPUs: runtime.NumCPU(), Events: o.events, Subscriptions: o.subscriptions,
		PayloadBytes: o.payload, WarmUp: o.warmUp, Duplicates: l.ledger.duplicates(),
	}
	if o.mode == modeOpen {
		r.Rate = o.rate
	} else {
		r.Concurrency = o.concurrency
	}
	var accept, lag, endToEnd []int64
	var lastAccepted int64
	for i, at := range l.accepted {
		if at == 0 {
			continue
		}
		accept, lag = append(accept, at-l.due[i]), append(lag, l.sent[i]-l.due[i])
		lastAccepted = max(lastAccepted, at)
		for s := range o.subscriptions {
			if arrived := l.ledger.first[s*o.events+i].Load(); arrived > 0 {
				endToEnd = append(endToEnd, arrived-l.due[i])
			} else {
				r.Losses++
			}
		}
	}
	r.Deliveries, r.Refused = len(endToEnd), o.events-len(accept)
	start, end := l.due[0], l.ledger.last.Load()
	r.Seconds = digits(time.Duration(max(0, end-start)).Seconds())
	r.EventsPerS, r.DeliveriesPerS = perSecond(len(accept), end-start), perSecond(r.Deliveries, end-start)
	r.AcceptedPerS = perSecond(len(accept), lastAccepted-start)
	a, e := percentiles(accept), percentiles(endToEnd)
	r.AcceptP50, r.AcceptP95, r.AcceptP99 = a.P50, a.P95, a.P99
	r.EndToEndP50, r.EndToEndP95, r.EndToEndP99, r.EndToEndMax = e.P50, e.P95, e.P99, e.Max
	r.SendLagP99 = percentiles(lag).P99
	r.CPUSeconds, r.MaxRSS = digits(used.cpu.Seconds()), digits(float64(used.peakRSS)/1e6)
	r.Running = used.running
	r.CPUPer1000 = digits(used.cpu.Seconds() * 1000 / float64(o.events))
	return r
}

// ownCPU is the benchmark's own user and system time.
func ownCPU() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
