package store

import (
	"context"
	"sync"
)

// subscriptionLocks let one transaction of this process at a time go for what locks a subscription's row. Those behind
// it wait without a connection: a thousand that wait for one row would hold all of them, and nobody could publish. The
// zero value is ready.
type subscriptionLocks struct {
	mu  sync.Mutex
	all map[string]*subscriptionLock
}

type subscriptionLock struct {
	held  chan struct{}
	users int
}

// lock waits for the locks of the subscriptions, which are sorted, and returns how to unlock them.
func (l *subscriptionLocks) lock(ctx context.Context, subscriptions []string) (unlock func(), err error) {
	held := make([]func(), 0, len(subscriptions))
	unlock = func() {
		for _, unlockOne := range held {
			unlockOne()
		}
	}
	for _, id := range subscriptions {
		unlockOne, err := l.lockOne(ctx, id)
		if err != nil {
			unlock()
			return nil, err
		}
		held = append(held, unlockOne)
	}
	return unlock, nil
}

func (l *subscriptionLocks) lockOne(ctx context.Context, subscription string) (func(), error) {
	at := l.use(subscription)
	select {
	case at.held <- struct{}{}:
		return func() { <-at.held; l.forget(subscription, at) }, nil
	case <-ctx.Done():
		l.forget(subscription, at)
		return nil, translate(ctx.Err())
	}
}

func (l *subscriptionLocks) use(subscription string) *subscriptionLock {
	l.mu.Lock()
	defer l.mu.Unlock()
	at := l.all[subscription]
	if at == nil {
		if l.all == nil {
			l.all = map[string]*subscriptionLock{}
		}
		at = &subscriptionLock{held: make(chan struct{}, 1)}
		l.all[subscription] = at
	}
	at.users++
	return at
}

func (l *subscriptionLocks) forget(subscription string, at *subscriptionLock) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if at.users--; at.users == 0 {
		delete(l.all, subscription)
	}
}

// inBackground runs a transaction of the gate, or of what comes of an attempt, beside a bounded number of others, so
// that accepting and reading find a connection whatever waits here. On SQLite everybody waits for the one writer in the
// order of their coming, which also keeps publishers from getting ahead of deliveries.
func (s *Store) inBackground(ctx context.Context, run func() error) error {
	if s.background == nil {
		return run()
	}
	select {
	case s.background <- struct{}{}:
		defer func() { <-s.background }()
		return run()
	case <-ctx.Done():
		return translate(ctx.Err())
	}
}
