package main

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// maxInFlight bounds an open load's unanswered requests; beyond, events go out late and their latency shows it.
const maxInFlight = 2048

// load publishes events and keeps when each was due, sent and accepted; times are ns after the ledger's base.
type load struct {
	api     *api
	ledger  *ledger
	offset  int // number of the first event
	payload int // bytes
	// notBefore is when all of a backlog is due, ready the same after the ledger's base; zero = each at once.
	notBefore time.Time
	ready     int64

	due, sent, accepted []int64 // accepted: 0 = refused
	firstError          atomic.Pointer[error]
}

func newLoad(a *api, l *ledger, offset, payload int) *load {
	return &load{
		api: a, ledger: l, offset: offset, payload: payload,
		due: make([]int64, l.events), sent: make([]int64, l.events), accepted: make([]int64, l.events),
	}
}

// publish sends event i, which was due at the time given, 0 = now.
func (l *load) publish(ctx context.Context, i int, due int64) {
	now := l.ledger.since()
	if due == 0 {
		due = now
	}
	l.due[i], l.sent[i] = due, now
	if err := l.api.publish(ctx, l.offset+i, l.payload, l.notBefore); err != nil {
		l.firstError.CompareAndSwap(nil, &err)
		return
	}
	l.accepted[i] = l.ledger.since()
}

// closed publishes all events from several workers, back to back.
func (l *load) closed(ctx context.Context, workers int) {
	var next atomic.Int64
	var all sync.WaitGroup
	for range workers {
		all.Go(func() {
			for i := int(next.Add(1)) - 1; i < l.ledger.events && ctx.Err() == nil; i = int(next.Add(1)) - 1 {
				l.publish(ctx, i, 0)
			}
		})
	}
	all.Wait()
}

// open publishes events at a rate per second, each when it is due, whether or not the ones before are answered.
func (l *load) open(ctx context.Context, rate float64) {
	start := l.ledger.since()
	slots := make(chan struct{}, maxInFlight)
	timer := time.NewTimer(0)
	defer timer.Stop()
	var all sync.WaitGroup
	defer all.Wait()
	for i := range l.ledger.events {
		due := start + int64(float64(i)/rate*float64(time.Second))
		timer.Reset(time.Duration(due - l.ledger.since()))
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		slots <- struct{}{}
		all.Go(func() {
			l.publish(ctx, i, due)
			<-slots
		})
	}
}

// backlog is closed for events that all come due at one moment, so much later.
func (l *load) backlog(ctx context.Context, workers int, later time.Duration) {
	l.notBefore = time.Now().Add(later)
	l.ready = int64(l.notBefore.Sub(l.ledger.base))
	l.closed(ctx, workers)
}

// from is when event i could have been sent.
func (l *load) from(i int) int64 { return max(l.due[i], l.ready) }

// delivered waits until every accepted event has arrived at every subscription, or ctx ends.
func (l *load) delivered(ctx context.Context, subscriptions int) {
	want := int64(l.countAccepted() * subscriptions)
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	for l.ledger.arrived.Load() < want {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

func (l *load) countAccepted() int {
	n := 0
	for _, at := range l.accepted {
		if at > 0 {
			n++
		}
	}
	return n
}
