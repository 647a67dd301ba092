package store

import (
	"time"

	"github.com/posthorn/posthorn/models"
)

// decide is the gate for one scheduled attempt. Its order matters: what is over is over, whoever holds it.
func (r *round) decide(c *candidate) (models.Gate, error) {
	gate := gateOf(c)
	if !c.Status.Open() {
		return r.closed(c, gate)
	}
	if c.SubDeletedAt != nil { // accepted while the subscription was being deleted
		gate.Verdict, gate.Status, gate.Released = models.VerdictClosed, models.StatusCancelled, true
		return gate, r.store.cancelOne(r.tx, &c.Invocation, r.keys, models.ReasonSubscriptionDeleted)
	}
	held, err := r.held(c)
	if err == nil && !held {
		held, err = r.queueBusy(c)
	}
	switch {
	case err != nil:
		return gate, err
	case held:
		gate.Verdict, gate.Wait = models.VerdictHeld, r.heldFor(c)
	case r.overtaken(c):
		gate.Verdict, gate.Status = models.VerdictClosed, models.StatusAbandoned
		return gate, abandon(r.tx, []string{c.ID}, *r.keys[*c.OrderingKey].DeliveredBy, r.now)
	case c.Status == models.StatusQueued: // settling the head of its queue brings it up
		gate.Verdict = models.VerdictParked
	case c.NextAttemptAt.After(r.now):
		gate.Verdict, gate.Wait = models.VerdictNotDue, c.NextAttemptAt.Sub(r.now)
	default:
		return gate, r.decideDue(c, &gate)
	}
	return gate, nil
}

// heldWait is how soon to ask again for what another process sends; within one process nobody asks twice.
const heldWait = time.Second

// heldFor is how soon to ask again: sooner than usual where the holder's lease ends before, for it may be dead.
func (r *round) heldFor(c *candidate) time.Duration {
	if c.ClaimToken == nil { // another of its queue is in the way
		return heldWait
	}
	return min(heldWait, max(r.alive[*c.ClaimOwner].Sub(r.now), heldWait/100))
}

// decideDue is the gate's second half: whether the subscription may get something now.
func (r *round) decideDue(c *candidate, gate *models.Gate) error {
	if !c.SubEnabled || !c.SubVerified || c.SubGone {
		gate.Verdict = models.VerdictParked
		return r.parkPaused(c)
	}
	spec, err := r.store.spec(r.tx, c.SpecDigest)
	if err != nil {
		return err
	}
	c.Spec = spec
	if r.expired(c) {
		gate.Verdict, gate.Status, gate.Released = models.VerdictClosed, models.StatusFailed, true
		return r.expire(c)
	}
	place, err := r.overLimit(c)
	if err == nil && place.IsZero() && !r.admit(c) {
		place, err = r.lastPlace(c)
	}
	if err != nil {
		return err
	}
	if !place.IsZero() {
		gate.Verdict = models.VerdictParked
		return r.lineUp(c, place)
	}
	gate.Verdict = models.VerdictGranted
	return r.drain(c)
}

// expiryGrace is how late a retry may be that was due at the very end of its policy's max_age: a receiver may postpone
// one to that moment, and a claim takes its time.
const expiryGrace = time.Minute

// expired reports whether the policy's max_age has passed while a retry waited: for its subscription to be enabled, in
// line, or for us to run again.
func (r *round) expired(c *candidate) bool {
	limit := c.Spec.Retry.MaxAge.Std()
	return limit > 0 && c.FirstAttemptAt != nil && r.now.Sub(*c.FirstAttemptAt) > limit+expiryGrace
}

// expire ends an invocation as its last failed attempt would have, and releases the next of its queue.
func (r *round) expire(c *candidate) error {
	err := r.tx.Exec("UPDATE invocations SET status = ?, updated_at = ?, next_attempt_at = NULL, dispatch_after = NULL,"+
		" parked = ? WHERE id = ?", models.StatusFailed, micros(r.now), false, c.ID).Error
	if err != nil || c.OrderingKey == nil {
		return err
	}
	_, err = r.store.release(r.tx, r.keys[*c.OrderingKey], c.ID, "")
	return err
}

// decideCommand is decideRedelivery for a command that was read before its invocation was locked.
func (r *round) decideCommand(id string) (models.Gate, error) {
	if len(r.candidates) == 0 {
		return models.Gate{}, models.NotFound("invocation")
	}
	var command models.Command
	if err := takeRaw(r.tx, &command, "SELECT * FROM commands WHERE id = ?", id); err != nil {
		return models.Gate{}, found(err, "command")
	}
	return r.decideRedelivery(&r.candidates[0], &command)
}

// decideRedelivery is the gate for a redelivery: only a deleted subscription, a URL that has not proven itself, another
// attempt in flight, or a newer event that was delivered, is in its way; and for a moment, that this process can carry no
// more of its subscription.
func (r *round) decideRedelivery(c *candidate, command *models.Command) (models.Gate, error) {
	gate := gateOf(c)
	deleted, err := r.deleted(c)
	if err != nil {
		return gate, err
	}
	late := r.overtaken(c) && (c.Status.Open() || c.Status == models.StatusAbandoned)
	if command.SettledAt != nil || deleted || !c.SubVerified || late && !command.Forced {
		gate.Verdict = models.VerdictClosed
		return gate, r.store.settleCommand(r.tx, command.ID, r.now)
	}
	held, err := r.held(c)
	if err == nil && !held {
		held, err = r.queueBusy(c)
	}
	if err != nil {
		return gate, err
	}
	if c.Spec, err = r.store.spec(r.tx, c.SpecDigest); err != nil {
		return gate, err
	}
	c.ClaimRedelivery = &command.ID
	if held || !r.admit(c) {
		gate.Verdict, gate.Wait = models.VerdictHeld, heldWait/4
		return gate, nil
	}
	gate.Verdict = models.VerdictGranted
	gates := []models.Gate{gate}
	err = r.grant(gates, map[string]*candidate{c.ID: c})
	return gates[0], err
}

// deleted reports whether the candidate's subscription is, and lets no deletion answer before this round ends. Scheduled
// attempts need no such lock: deletions lock what is open. SQLite has one writer.
func (r *round) deleted(c *candidate) (deleted bool, err error) {
	if c.SubDeletedAt != nil || !r.store.postgres() {
		return c.SubDeletedAt != nil, nil
	}
	err = r.tx.Raw("SELECT deleted_at IS NOT NULL FROM subscriptions WHERE id = ? FOR KEY SHARE", c.SubscriptionID).Scan(&deleted).Error
	return deleted, err
}

// held reports whether a live claim is on the invocation. One whose owner is dead is recorded as interrupted.
func (r *round) held(c *candidate) (bool, error) {
	if c.ClaimToken == nil {
		c.ClaimRedelivery = nil
		return false, nil
	}
	if r.store.lost.has(*c.ClaimToken) {
		return false, r.giveUp(c)
	}
	if r.alive == nil {
		var err error
		if r.alive, err = r.store.alive(r.tx, r.owner); err != nil {
			return false, err
		}
	}
	if _, lives := r.alive[*c.ClaimOwner]; lives && c.ClaimedAt.After(r.store.living(r.owner, r.now).claimed) {
		return true, nil
	}
	return false, r.interrupt(c)
}

// maxClaim is the longest that any claim lives while the database is there: an attempt takes 60 s at most, the rest is
// for settling. A claim whose answer got lost on its way to a live owner would otherwise hold its invocation until that
// process ends.
const maxClaim = 2 * time.Minute

// interrupt records the attempt of a dead owner. It counts as an attempt, but not against the policy: the fault is
// ours, and nobody knows whether the receiver saw it.
func (r *round) interrupt(c *candidate) error {
	code, message := models.AttemptInterrupted, "the sending process ended during the attempt"
	attempt := models.Attempt{
		ID: models.NewID(), InvocationID: c.ID, SubscriptionID: c.SubscriptionID, Number: c.Attempts + 1,
		Trigger: triggerOf(c), RedeliveryID: c.ClaimRedelivery, StartedAt: *c.ClaimedAt, FinishedAt: r.now,
		URL: c.URL, Outcome: models.AttemptFailed, ErrorCode: &code, ErrorMessage: &message, RetryCount: c.Attempts,
		RequestHeaders: []models.Header{}, ResponseHeaders: []models.Header{},
	}
	c.Attempts++
	if c.FirstAttemptAt == nil && c.ClaimRedelivery == nil {
		c.FirstAttemptAt = c.ClaimedAt
	}
	c.ClaimToken, c.ClaimRedelivery = nil, nil
	if err := r.tx.Create(&attempt).Error; err != nil {
		return err
	}
	return r.tx.Exec("UPDATE invocations SET attempts = ?, first_attempt_at = ?, last_attempt_at = ?,"+
		" last_error_code = ?, last_error_message = ?, last_status_code = NULL, claim_token = NULL, claim_owner = NULL,"+
		" claim_redelivery = NULL, claimed_at = NULL WHERE id = ?",
		c.Attempts, microsOf(c.FirstAttemptAt), micros(attempt.StartedAt), code, message, c.ID).Error
}

func gateOf(c *candidate) models.Gate {
	return models.Gate{
		InvocationID: c.ID, SubscriptionID: c.SubscriptionID, LastError: lastError(&c.Invocation), Status: c.Status,
	}
}

func lastError(i *models.Invocation) string {
	if i.LastErrorMessage == nil {
		return ""
	}
	return *i.LastErrorMessage
}
