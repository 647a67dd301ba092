package store

import (
	"time"

	"github.com/posthorn/posthorn/models"
)

// failingInFlight is how many attempts of a failing subscription are in flight when no further first attempt is made:
// enough to notice that its receiver is back. Retries that are due are always made.
const failingInFlight = 4

// BoundFlights lets full say which subscriptions have as much in flight in this process as it can carry: their further
// attempts wait in line. It is called before the first Claim; full must not block.
func (s *Store) BoundFlights(full func(subscriptionID string) bool) { s.full = full }

// overLimit returns the place in line of an invocation whose subscription is at a limit: of attempts in flight, or of
// attempts a second. It is the zero time when the subscription takes this one.
func (r *round) overLimit(c *candidate) (time.Time, error) {
	full := r.store.full != nil && r.store.full(c.SubscriptionID)
	if c.Spec.MaxInFlight == 0 && c.Spec.RateLimit == 0 && !full && !heldBack(c) {
		return time.Time{}, nil
	}
	// What is full or fails has many rounds at once: were they to wait for each other, they would hold every connection.
	// There a few more in flight do no harm, nor do two slots at one time.
	if c.Spec.MaxInFlight > 0 || c.Spec.RateLimit > 0 {
		if err := r.lockSubscription(c); err != nil {
			return time.Time{}, err
		}
	}
	if !full {
		var err error
		if full, err = r.atCapacity(c); err != nil {
			return time.Time{}, err
		}
	}
	if full {
		line, err := r.lineOf(c)
		return line.end(r.now.Add(parkedWait), parkedWait), err
	}
	return r.rateLimited(c)
}

// heldBack reports whether it is a first attempt at a receiver that fails. A queue holds itself back, and a test is
// there to be seen.
func heldBack(c *candidate) bool {
	return c.SubFailing && c.FirstAttemptAt == nil && c.Position == nil && !c.IsTest()
}

// lockSubscription lets one round at a time count a limited subscription, and reads its rate anew.
func (r *round) lockSubscription(c *candidate) error {
	return takeRaw(r.tx, &c.SubRateTAT,
		"SELECT rate_tat FROM subscriptions WHERE id = ?"+r.store.forUpdate("subscriptions"), c.SubscriptionID)
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

func (r *round) inFlight(subscriptionID string) (inFlight int64, err error) {
	err = r.tx.Model(&models.Invocation{}).
		Where("subscription_id = ? AND claim_token IS NOT NULL", subscriptionID).
		// as in held: an attempt that nobody sends any more may be that of a cancelled invocation, never asked for again
		Where("claimed_at > ?", micros(r.now.Add(-maxClaim))).
		Where("claim_owner IN (SELECT id FROM workers WHERE renewed_at > ?)", micros(r.now.Add(-Lease))).
		Count(&inFlight).Error
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
