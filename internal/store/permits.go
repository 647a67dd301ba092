package store

import "sync"

// FlightsPerSubscription is how many attempts of one subscription a process has in flight at most, unless its own
// max_in_flight is higher: one whose receiver hangs would otherwise take all sockets and memory.
const FlightsPerSubscription = 128

// failingFlights is how many of those a subscription has that fails: enough for every retry to have its turn soon where
// the receiver answers, and little enough to cost nothing where it hangs.
const failingFlights = 32

// permits counts them. The gate takes a permit with each attempt that it grants, and settling gives it back: so the bound
// holds however many rounds there are at once. The zero value is ready.
type permits struct {
	mu            sync.Mutex
	subscriptions map[string]*holders
}

// holders are the permits of one subscription.
type holders struct {
	taken map[permit]struct{}
	// most is how many there were when one was last asked for.
	most int
}

// permit is that of one claim.
type permit struct{ subscription, invocation, token string }

// acquire reports whether fewer than most were taken, and there is one more now.
func (p *permits) acquire(one permit, most int) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	h := p.subscriptions[one.subscription]
	if h == nil {
		if p.subscriptions == nil {
			p.subscriptions = map[string]*holders{}
		}
		h = &holders{taken: map[permit]struct{}{}}
		p.subscriptions[one.subscription] = h
	}
	if h.most = most; len(h.taken) >= most {
		return false
	}
	h.taken[one] = struct{}{}
	return true
}

// release gives a permit back; one that was given back before stays so.
func (p *permits) release(one permit) {
	p.mu.Lock()
	defer p.mu.Unlock()
	h := p.subscriptions[one.subscription]
	if h == nil {
		return
	}
	if delete(h.taken, one); len(h.taken) == 0 {
		delete(p.subscriptions, one.subscription)
	}
}

// count returns how many permits of a subscription are taken, and of how many.
func (p *permits) count(subscription string) (taken, most int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	h := p.subscriptions[subscription]
	if h == nil {
		return 0, FlightsPerSubscription
	}
	return len(h.taken), h.most
}
