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

// run measures one load on a fresh system.
func run(ctx context.Context, o options, stderr io.Writer) (r result, err error) {
	ctx, cancel := context.WithTimeout(ctx, o.timeout+2*startTimeout+fillTimeout(o))
	defer cancel()
	load := loadAverage()
	err = withSystem(ctx, o, stderr, func(s *system, receiver *receiver) error {
		r, err = measure(ctx, o, s, receiver)
		r.LoadBefore = load
		if err != nil || r.Losses > 0 || r.Refused > 0 {
			tell(stderr, "the end of posthorn's log:\n%s", s.tail())
		}
		return err
	})
	return r, err
}

// withSystem starts a receiver and a system with a folder of its own, which end with do.
func withSystem(ctx context.Context, o options, stderr io.Writer, do func(*system, *receiver) error) error {
	dir, err := os.MkdirTemp("", "posthorn-bench-")
	if err != nil {
		return err
	}
	if o.keep {
		tell(stderr, "data and log: %s", dir)
	} else {
		defer os.RemoveAll(dir) //nolint:errcheck // a temporary folder
	}
	receiver, err := startReceiver(ctx)
	if err != nil {
		return err
	}
	defer receiver.close()
	s, err := startSystem(ctx, o, dir)
	if err == nil {
		err = do(s, receiver)
	}
	return errors.Join(err, s.stop())
}

// fillTimeout is how long storing the history may take: ten times what it takes on a quiet machine.
func fillTimeout(o options) time.Duration {
	return time.Duration(o.stored+o.waiting) * 2 * time.Millisecond
}

// measure fills the system, warms it up and does what the mode says.
func measure(ctx context.Context, o options, s *system, receiver *receiver) (result, error) {
	a := newAPI(s.url, s.key, max(o.concurrency, 64))
	if err := a.setUp(ctx, o.subscriptions, o.ordering, receiver.urlOf); err != nil {
		return result{}, err
	}
	if err := s.fill(ctx, a.application, a.subscription); err != nil {
		return result{}, err
	}
	a.moveTo(s.url)
	if err := warmUp(ctx, o, a, receiver); err != nil {
		return result{}, err
	}
	before, err := s.atRest(ctx)
	if err != nil {
		return result{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	if o.mode == modeIdle {
		return idle(ctx, o, s)
	}
	l := newLoad(a, newLedger(o.events, o.subscriptions), o.warmUp, o.payload)
	receiver.expect(l.ledger, o.warmUp)
	ourBefore := ownCPU()
	samples := s.children[0].watch(ctx, o.sample)
	if before, err = l.publishAll(ctx, o, s, before); err != nil {
		return result{}, err
	}
	l.delivered(ctx, o.subscriptions)
	held := samples()
	ours := ownCPU() - ourBefore
	after, err := s.atRest(context.WithoutCancel(ctx))
	if err != nil {
		return result{}, err
	}
	after.cpu -= before.cpu
	r := judge(o, l, after)
	r.Samples, r.Drift = held, driftOf(held)
	r.BenchCPU = digits(ours.Seconds())
	return r, l.failure()
}

// publishAll publishes as the mode says, and returns what was used before the part that counts.
func (l *load) publishAll(ctx context.Context, o options, s *system, before rest) (rest, error) {
	switch o.mode {
	case modeOpen:
		l.open(ctx, o.rate)
	case modeDrain:
		return l.drain(ctx, o, s)
	default:
		l.closed(ctx, o.concurrency)
	}
	return before, nil
}

// drainRate is how many events a second are accepted at least, however slow the machine: the backlog is due when they are.
const drainRate = 100

// drain accepts a backlog, and waits until just before it is due.
func (l *load) drain(ctx context.Context, o options, s *system) (rest, error) {
	later := 2*restLimit + time.Duration(o.events)*time.Second/drainRate
	l.backlog(ctx, o.concurrency, later)
	used, err := waitIdle(ctx, s.usage)
	if err != nil || l.failure() != nil {
		return rest{}, errors.Join(err, l.failure())
	}
	left := time.Until(l.notBefore)
	if left < 0 {
		return rest{}, fmt.Errorf("accepting %d events took longer than %v", o.events, later)
	}
	return rest{usage: used}, pause(ctx, left)
}

// settleFor is how long a system is left alone before it counts as idle: garbage of the start is collected, and pools
// have shrunk.
const settleFor = 15 * time.Second

// idle looks at a system that nobody uses.
func idle(ctx context.Context, o options, s *system) (result, error) {
	if err := pause(ctx, settleFor); err != nil {
		return result{}, err
	}
	before, err := s.usage()
	if err != nil {
		return result{}, err
	}
	began := time.Now()
	if err := pause(ctx, o.duration); err != nil {
		return result{}, err
	}
	after, err := s.usage()
	if err != nil {
		return result{}, err
	}
	after.cpu -= before.cpu
	return judgeIdle(o, after, time.Since(began)), nil
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
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
