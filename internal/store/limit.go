package store

import (
	"errors"
	"slices"
	"time"

	"github.com/posthorn/posthorn/models"
)

// failingInFlight is how many attempts of a failing subscription are in flight when no further first attempt is made:
// enough to notice that its receiver is back. Its retries go on, up to failingFlights.
const failingInFlight = 4

// overLimit returns the place in line of an invocation whose subscription is at a limit: of attempts in flight, or of
// attempts a second. It is the zero time when the subscription takes this one.
func (r *round) overLimit(c *candidate) (time.Time, error) {
	taken, _ := r.store.permits.count(c.SubscriptionID)
	full := taken >= mostFlights(c)
	if !full && counted(c) {
		if err := r.lockSubscription(c); err != nil {
			return time.Time{}, err
		}
		var err error
		if full, err = r.atCapacity(c); err != nil {
			return time.Time{}, err
		}
	}
	if full {
		return r.lastPlace(c)
	}
	return r.rateLimited(c)
}

// lastPlace is behind all that wait for attempts to end.
func (r *round) lastPlace(c *candidate) (time.Time, error) {
	line, err := r.lineOf(c)
	return line.end(r.now.Add(parkedWait), parkedWait), err
}

// admit acquires a permit for an attempt that is about to be granted.
func (r *round) admit(c *candidate) bool {
	p := permit{c.SubscriptionID, c.ID, r.token}
	if !r.store.permits.acquire(p, mostFlights(c)) {
		return false
	}
	r.permits = append(r.permits, p)
	return true
}

// giveBack is for a round that came to nothing.
func (r *round) giveBack() {
	if r == nil {
		return
	}
	for _, p := range r.permits {
		r.store.permits.release(p)
	}
	r.permits = nil
}

// mostFlights is how many attempts of the candidate's subscription this process has in flight at most. A redelivery by
// hand, a test and the head of a queue are not held back.
func mostFlights(c *candidate) int {
	if c.SubFailing && c.Position == nil && !c.IsTest() && c.ClaimRedelivery == nil {
		return failingFlights
	}
	return max(FlightsPerSubscription, c.Spec.MaxInFlight)
}

// counted reports whether the candidate's subscription has a limit for which rounds must wait for each other.
func counted(c *candidate) bool { return c.Spec.MaxInFlight > 0 || c.Spec.RateLimit > 0 || heldBack(c) }

// heldBack reports whether it is a first attempt at a receiver that fails. A queue holds itself back, and a test is
// there to be seen.
func heldBack(c *candidate) bool {
	return c.SubFailing && c.FirstAttemptAt == nil && c.Position == nil && !c.IsTest()
}

// contendedError tells that a round is to hold the process's locks of subscriptions before it locks their rows.
type contendedError struct{ subscriptions []string }

func (*contendedError) Error() string { return "a subscription's row is to be locked" }

// lockSubscription lets one round at a time count a limited subscription, and reads its rate anew.
func (r *round) lockSubscription(c *candidate) error {
	if r.store.postgres() && !r.patient && !slices.Contains(r.locked, c.SubscriptionID) {
		ids, err := r.contended(c)
		return errors.Join(err, &contendedError{ids})
	}
	return takeRaw(r.tx, &c.SubRateTAT,
		"SELECT rate_tat FROM subscriptions WHERE id = ?"+r.store.forUpdate("subscriptions"), c.SubscriptionID)
}

// contended lists the subscriptions whose locks this round has, the given one's, and those that it will come to.
func (r *round) contended(c *candidate) ([]string, error) {
	ids := append(slices.Clone(r.locked), c.SubscriptionID)
	for i := range r.candidates {
		c := &r.candidates[i]
		var err error
		if c.Spec, err = r.store.spec(r.tx, c.SpecDigest); err != nil {
			return nil, err
		}
		if counted(c) {
			ids = append(ids, c.SubscriptionID)
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids), nil
}

// atCapacity reports whether as many attempts are in flight as the subscription takes.
func (r *round) atCapacity(c *candidate) (bool, error) {
	most := c.Spec.MaxInFlight
	if heldBack(c) && (most == 0 || most > failingInFlight) {
		most = failingInFlight
	}
	if most == 0 {
		return false, nil
	}
	inFlight, err := r.inFlight(c.SubscriptionID)
	return inFlight >= int64(most), err
}

// flyingSQL is the condition for the live claims of a subscription, as in held: one that is dead may be that of a
// cancelled invocation, which nobody will ever ask for again. Its parameters are those of living.
const flyingSQL = " AND claim_token IS NOT NULL AND claimed_at > ?" +
	" AND claim_owner IN (SELECT id FROM workers WHERE renewed_at > ?)"

func (r *round) inFlight(subscriptionID string) (inFlight int64, err error) {
	live := r.store.living(r.owner, r.now)
	err = r.tx.Raw("SELECT COUNT(*) FROM invocations WHERE subscription_id = ?"+flyingSQL,
		subscriptionID, micros(live.claimed), micros(live.renewed)).Scan(&inFlight).Error
	for i := range r.candidates { // granted in this round, not yet stored
		if other := &r.candidates[i]; other.SubscriptionID == subscriptionID && other.granted {
			inFlight++
		}
	}
	return inFlight, err
}

// rateLimited applies the generic cell rate algorithm (ITU-T I.371) with a burst of one second's worth. What it does
// not let through gets a turn of its own in line, and what comes later lines up behind it.
func (r *round) rateLimited(c *candidate) (time.Time, error) {
	if c.Spec.RateLimit == 0 {
		return time.Time{}, nil
	}
	interval := interval(c.Spec)
	burst := max(interval, time.Second)
	arrival := fromMicros(max(c.SubRateTAT, micros(r.now)))
	allowed := arrival.Add(interval - burst)
	if allowed.After(r.now) || !r.turn(c) {
		line, err := r.lineOf(c)
		if err != nil || allowed.After(r.now) || line.soon(r.now.Add(interval)) {
			return line.end(later(allowed, r.now), interval), err
		}
	}
	next := micros(arrival.Add(interval))
	return time.Time{}, r.tx.Exec("UPDATE subscriptions SET rate_tat = ? WHERE id = ?", next, c.SubscriptionID).Error
}

// interval is the time between two attempts at the rate limit; 0 = there is none.
func interval(spec *models.Spec) time.Duration {
	if spec.RateLimit == 0 {
		return 0
	}
	return time.Duration(float64(time.Second) / spec.RateLimit)
}
