package store

import (
	"context"
	"sync"
)

// FlightsPerSubscription is how many attempts of one subscription a process has in flight at most, unless its own
// max_in_flight is higher: one whose receiver hangs would otherwise take all sockets and memory.
const FlightsPerSubscription = 128

// failingFlights is how many of those a subscription has that fails: enough for every retry to have its turn soon where
// the receiver answers, and little enough to cost nothing where it hangs.
const failingFlights = 32

// seats counts them. The gate takes a seat with each attempt that it grants, and settling gives it back: so the bound
// holds however many rounds there are at once. The zero value is ready.
type seats struct {
	mu   sync.Mutex
	rows map[string]*row
}

// row are the seats of one subscription.
type row struct {
	taken map[seat]struct{}
	// most is how many there were when one was last asked for.
	most int
}

// seat is that of one claim.
type seat struct{ subscription, invocation, token string }

// take reports whether fewer than most were taken, and there is one more now.
func (s *seats) take(place seat, most int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.rows[place.subscription]
	if r == nil {
		if s.rows == nil {
			s.rows = map[string]*row{}
		}
		r = &row{taken: map[seat]struct{}{}}
		s.rows[place.subscription] = r
	}
	if r.most = most; len(r.taken) >= most {
		return false
	}
	r.taken[place] = struct{}{}
	return true
}

// leave gives a seat back; one that was given back before stays so.
func (s *seats) leave(place seat) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.rows[place.subscription]
	if r == nil {
		return
	}
	if delete(r.taken, place); len(r.taken) == 0 {
		delete(s.rows, place.subscription)
	}
}

// count returns how many seats of a subscription are taken, and of how many.
func (s *seats) count(subscription string) (taken, most int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.rows[subscription]
	if r == nil {
		return 0, FlightsPerSubscription
	}
	return len(r.taken), r.most
}

// turnstiles let one transaction of this process at a time go for what locks a subscription's row. Those behind it wait
// without a connection: a thousand that wait for one row would hold all of them, and nobody could publish. The zero
// value is ready.
type turnstiles struct {
	mu  sync.Mutex
	all map[string]*turnstile
}

type turnstile struct {
	place chan struct{}
	users int
}

// enter waits for the turnstiles of the subscriptions, which are sorted, and returns how to leave them.
func (t *turnstiles) enter(ctx context.Context, subscriptions []string) (leave func(), err error) {
	entered := make([]func(), 0, len(subscriptions))
	leave = func() {
		for _, leaveOne := range entered {
			leaveOne()
		}
	}
	for _, id := range subscriptions {
		leaveOne, err := t.enterOne(ctx, id)
		if err != nil {
			leave()
			return nil, err
		}
		entered = append(entered, leaveOne)
	}
	return leave, nil
}

func (t *turnstiles) enterOne(ctx context.Context, subscription string) (func(), error) {
	at := t.use(subscription)
	select {
	case at.place <- struct{}{}:
		return func() { <-at.place; t.forget(subscription, at) }, nil
	case <-ctx.Done():
		t.forget(subscription, at)
		return nil, translate(ctx.Err())
	}
}

func (t *turnstiles) use(subscription string) *turnstile {
	t.mu.Lock()
	defer t.mu.Unlock()
	at := t.all[subscription]
	if at == nil {
		if t.all == nil {
			t.all = map[string]*turnstile{}
		}
		at = &turnstile{place: make(chan struct{}, 1)}
		t.all[subscription] = at
	}
	at.users++
	return at
}

func (t *turnstiles) forget(subscription string, at *turnstile) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if at.users--; at.users == 0 {
		delete(t.all, subscription)
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
