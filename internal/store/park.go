package store

import (
	"time"

	"gorm.io/gorm"

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

// lockParked locks what is parked for the subscriptions whose column (id or application_id) has the value, before those
// themselves, as everybody does.
func (s *Store) lockParked(tx *gorm.DB, column, value string) error {
	if !s.postgres() {
		return nil
	}
	return tx.Exec("SELECT count(*) FROM (SELECT 1 FROM invocations WHERE subscription_id IN (SELECT id FROM subscriptions"+
		" WHERE "+column+" = ?) AND parked ORDER BY id"+s.forUpdate("invocations")+") AS locked", value).Error
}

// unpark gives all that was parked for a subscription a place in its line, from now on.
func (s *Store) unpark(tx *gorm.DB, subscriptionID string) error {
	return tx.Exec("UPDATE invocations SET parked = ?, slot = next.place, dispatch_after = next.place FROM"+
		" (SELECT id, CAST(? AS bigint) + CAST(? AS bigint) * (ROW_NUMBER() OVER (ORDER BY id) - 1) AS place"+
		" FROM invocations WHERE subscription_id = ? AND parked) AS next WHERE invocations.id = next.id",
		false, micros(s.now()), drainEvery.Microseconds(), subscriptionID).Error
}
