package store

import (
	"time"

	"gorm.io/gorm"

	"github.com/posthorn/posthorn/models"
)

// What a subscription at a limit does not take waits in line: each invocation has a slot of its own at which the
// dispatcher brings it back. Were all to come back at one moment, a thousand of them would cost a thousand dispatches
// each time to send one.

const (
	// parkedWait is how far apart the slots are of what waits for others to end. The next one's turn mostly comes before
	// its slot: see advance and drain.
	parkedWait = 250 * time.Millisecond
	// drainEvery is how far apart the slots are once the subscription takes more again: 50 a second leave two cores
	// room for everybody else.
	drainEvery = 20 * time.Millisecond
	// drainBatch is how many slots are brought forward at once.
	drainBatch = 200
)

// line is what waits for one subscription: the slots of the first and of the last; nil = nothing waits.
type line struct {
	First, Last *int64
}

// inLine is the condition for those that wait for a subscription. Its second half is that of the index.
const inLine = "subscription_id = ? AND dispatch_after = slot"

// lineOf reads the line of the candidate's subscription.
func (r *round) lineOf(c *candidate) (line, error) {
	var l line
	err := r.tx.Raw("SELECT (SELECT MIN(slot) FROM invocations WHERE "+inLine+") AS first,"+
		" (SELECT MAX(slot) FROM invocations WHERE "+inLine+") AS last", c.SubscriptionID, c.SubscriptionID).Scan(&l).Error
	return l, err
}

// end is the slot for another one, not before the earliest.
func (l line) end(earliest time.Time, apart time.Duration) time.Time {
	if l.Last == nil {
		return earliest
	}
	return later(earliest, fromMicros(*l.Last).Add(apart))
}

// soon reports whether somebody's turn comes by then.
func (l line) soon(by time.Time) bool { return l.First != nil && *l.First <= micros(by) }

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// turn reports whether the candidate has waited in line and its turn has come.
func (r *round) turn(c *candidate) bool { return c.Slot != nil && !c.Slot.After(r.now) }

// lineUp parks an invocation until its slot. One that asks before its turn keeps the place it has.
func (r *round) lineUp(c *candidate, place time.Time) error {
	if c.Slot != nil && c.DispatchAfter != nil && c.Slot.Equal(*c.DispatchAfter) && c.Slot.After(r.now) {
		return nil
	}
	return r.tx.Exec("UPDATE invocations SET parked = ?, dispatch_after = ?, slot = ? WHERE id = ?",
		false, micros(place), micros(place), c.ID).Error
}

// drain brings the next of the line forward when one of it was let through long before the next one's slot: the slots
// were given while the subscription took less.
func (r *round) drain(c *candidate) error {
	if !r.turn(c) || c.SubFailing || c.Spec.MaxInFlight > 0 {
		return nil
	}
	apart := max(drainEvery, interval(c.Spec))
	l, err := r.lineOf(c)
	if err != nil || l.First == nil || l.soon(r.now.Add(2*apart)) {
		return err
	}
	if err := r.lockSubscription(c); err != nil {
		return err
	}
	if l, err = r.lineOf(c); err != nil || l.soon(r.now.Add(2*apart)) { // another round was first
		return err
	}
	return r.tx.Exec("UPDATE invocations SET slot = next.place, dispatch_after = next.place FROM"+
		" (SELECT id, CAST(? AS bigint) + CAST(? AS bigint) * ROW_NUMBER() OVER (ORDER BY slot) AS place FROM"+
		" (SELECT id, slot FROM invocations WHERE "+inLine+" ORDER BY slot LIMIT ?"+r.store.skipLocked()+") AS line) AS next"+
		" WHERE invocations.id = next.id",
		micros(r.now), apart.Microseconds(), c.SubscriptionID, drainBatch).Error
}

// advance brings the first of a line back at once, where an attempt has ended and made room for it. It reports
// whether there was one.
func (s *Store) advance(tx *gorm.DB, st models.Settlement) (bool, error) {
	if st.Claim.Spec.MaxInFlight == 0 || st.Result.Gone {
		return false, nil
	}
	now := micros(s.now())
	done := tx.Exec("UPDATE invocations SET dispatch_after = ?, slot = ? WHERE id IN (SELECT id FROM invocations WHERE "+
		inLine+" ORDER BY slot LIMIT 1"+s.skipLocked()+")",
		now, now-1, st.Claim.SubscriptionID) // it has left the line, and its turn has come
	return done.RowsAffected > 0, done.Error
}
