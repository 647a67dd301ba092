package store

import (
	"time"

	"github.com/posthorn/posthorn/models"
)

// parkPaused parks an invocation whose subscription gets nothing now. The subscription is looked at again under a
// shared lock: had it been enabled since, nobody would bring the parked row back.
func (r *round) parkPaused(c *candidate) error {
	lock := ""
	if r.store.postgres() {
		lock = " FOR SHARE"
	}
	var sub models.Subscription
	if err := takeRaw(r.tx, &sub, "SELECT * FROM subscriptions WHERE id = ?"+lock, c.SubscriptionID); err != nil {
		return err
	}
	if sub.Receives() {
		now := r.now
		return r.park(c, &now)
	}
	return r.park(c, nil)
}

// park takes an open invocation out of its workflow's hands until the dispatcher brings it back at the given time;
// nil = until its subscription receives again.
func (r *round) park(c *candidate, until *time.Time) error {
	return r.tx.Exec("UPDATE invocations SET parked = ?, dispatch_after = ? WHERE id = ?",
		until == nil, microsOf(until), c.ID).Error
}

// overLimit returns until when a subscription that is at its limit of attempts in flight, or of attempts a second,
// takes no more; the zero time when it takes this one.
func (r *round) overLimit(c *candidate) (time.Time, error) {
	if c.Spec.MaxInFlight == 0 && c.Spec.RateLimit == 0 {
		return time.Time{}, nil
	}
	if err := r.lockSubscription(c); err != nil {
		return time.Time{}, err
	}
	if full, err := r.atMaxInFlight(c); err != nil || full {
		return r.now.Add(parkedWait), err
	}
	return r.rateLimited(c)
}

// parkedWait is how soon an invocation that met a full subscription is dispatched again.
const parkedWait = 250 * time.Millisecond

// lockSubscription lets one round at a time count a limited subscription, and reads its rate anew.
func (r *round) lockSubscription(c *candidate) error {
	return takeRaw(r.tx, &c.SubRateTAT,
		"SELECT rate_tat FROM subscriptions WHERE id = ?"+r.store.forUpdate("subscriptions"), c.SubscriptionID)
}

func (r *round) atMaxInFlight(c *candidate) (bool, error) {
	if c.Spec.MaxInFlight == 0 {
		return false, nil
	}
	var inFlight int64
	err := r.tx.Model(&models.Invocation{}).
		Where("subscription_id = ? AND claim_token IS NOT NULL", c.SubscriptionID).
		// as in held: an attempt that nobody sends any more may be that of a cancelled invocation, never asked for again
		Where("claimed_at > ?", micros(r.now.Add(-maxClaim))).
		Where("claim_owner IN (SELECT id FROM workers WHERE renewed_at > ?)", micros(r.now.Add(-Lease))).
		Count(&inFlight).Error
	for i := range r.candidates { // granted in this round, not yet stored
		other := &r.candidates[i]
		if other.SubscriptionID == c.SubscriptionID && other.granted {
			inFlight++
		}
	}
	return inFlight >= int64(c.Spec.MaxInFlight), err
}

// rateLimited applies the generic cell rate algorithm (ITU-T I.371) with a burst of one second's worth.
func (r *round) rateLimited(c *candidate) (time.Time, error) {
	if c.Spec.RateLimit == 0 {
		return time.Time{}, nil
	}
	interval := time.Duration(float64(time.Second) / c.Spec.RateLimit)
	burst := max(interval, time.Second)
	arrival := fromMicros(max(c.SubRateTAT, micros(r.now)))
	if allowed := arrival.Add(interval - burst); allowed.After(r.now) {
		return allowed, nil
	}
	next := micros(arrival.Add(interval))
	return time.Time{}, r.tx.Exec("UPDATE subscriptions SET rate_tat = ? WHERE id = ?", next, c.SubscriptionID).Error
}
