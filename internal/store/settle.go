package store

import (
	"context"
	"strings"
	"time"

	"gorm.io/gorm"

	"github.com/posthorn/posthorn/internal/failpoint"
	"github.com/posthorn/posthorn/models"
)

// Settle ends a claim in one durable transaction: the attempt's log entry, the invocation's new state, the health of
// its subscription, and what that means for others in order with it.
func (s *Store) Settle(ctx context.Context, settlement models.Settlement) (models.Settled, error) {
	s.freePermit(settlement.Claim)
	unlock, err := s.subscriptionLocks.lock(ctx, s.settledBy(settlement))
	if err != nil {
		return models.Settled{}, err
	}
	defer unlock()
	var settled models.Settled
	err = s.inBackground(ctx, func() error {
		return s.write(ctx, func(tx *gorm.DB) (err error) {
			s.freeNextPermit(settled)
			settled, err = s.settle(tx, settlement)
			failpoint.Hit("settle-stored")
			return err
		})
	})
	if err != nil {
		s.freeNextPermit(settled)
		return models.Settled{}, err
	}
	failpoint.Hit("settle-committed")
	return settled, nil
}

// freePermit gives back the permit of an attempt that has ended.
func (s *Store) freePermit(c *models.Claim) {
	s.permits.release(permit{c.SubscriptionID, c.InvocationID, c.Token})
}

// freeNextPermit gives back the permit of what a settlement claimed that came to nothing.
func (s *Store) freeNextPermit(settled models.Settled) {
	if settled.Gate != nil && settled.Gate.Claim != nil {
		s.freePermit(settled.Gate.Claim)
	}
}

// settledBy are the subscriptions whose locks a settlement takes: a failure changes its subscription's row, and so does
// the claim of the next where there is a limit. On SQLite, too: when a hundred requests to a receiver that hangs end at
// one moment, others' deliveries would wait behind all of them.
func (s *Store) settledBy(st models.Settlement) []string {
	spec := st.Claim.Spec
	claims := s.postgres() && st.Owner != "" && (spec.MaxInFlight > 0 || spec.RateLimit > 0)
	if st.Result.Outcome != models.AttemptFailed && !claims {
		return nil
	}
	return []string{st.Claim.SubscriptionID}
}

func (s *Store) settle(tx *gorm.DB, st models.Settlement) (models.Settled, error) {
	settled := models.Settled{}
	if st.Result.Gone {
		if err := s.lockOpen(tx, "subscription_id", st.Claim.SubscriptionID); err != nil {
			return settled, err
		}
	}
	key, err := s.orderOf(tx, &st)
	if err != nil {
		return settled, err
	}
	settled.Status = st.Status
	if settled.Kept, err = s.settleInvocation(tx, st); err != nil || !settled.Kept {
		return settled, err
	}
	if err := tx.Create(attemptOf(st)).Error; err != nil {
		return settled, err
	}
	if err := s.settleSubscription(tx, st); err != nil {
		return settled, err
	}
	if err := s.settleRedelivery(tx, st); err != nil {
		return settled, err
	}
	if settled.Released, err = s.advance(tx, st); err != nil {
		return settled, err
	}
	return settled, s.settleOrder(tx, key, st, &settled)
}

// settleInvocation writes the outcome unless the claim is another's by now. An invocation that was cancelled or
// abandoned while the attempt was in flight stays so, whatever came of it; a redelivery that succeeds ends any state.
func (s *Store) settleInvocation(tx *gorm.DB, st models.Settlement) (bool, error) {
	c, r := st.Claim, st.Result
	set := assignments{}
	set.add("attempts = ?, url = ?, last_attempt_at = ?, last_status_code = ?, updated_at = ?",
		c.Number, c.URL, micros(r.StartedAt), nullZero(r.StatusCode), micros(r.FinishedAt))
	set.add("claim_token = NULL, claim_owner = NULL, claim_redelivery = NULL, claimed_at = NULL")
	if r.Error != nil {
		set.add("last_error_code = ?, last_error_message = ?", r.Error.Code, r.Error.Message)
	} else {
		set.add("last_error_code = NULL, last_error_message = NULL")
	}
	if c.Trigger != models.TriggerRedeliver {
		set.add("policy_attempts = ?, first_attempt_at = COALESCE(first_attempt_at, ?)", c.PolicyAttempts+1, micros(r.StartedAt))
	}
	s.settleStatus(&set, st)
	done := tx.Exec("UPDATE invocations SET "+strings.Join(set.columns, ", ")+" WHERE id = ? AND claim_token = ?",
		append(set.args, c.InvocationID, c.Token)...)
	return done.RowsAffected > 0, done.Error
}

// assignments are what an UPDATE sets. GORM would make them anew, in reflection, of a map at every attempt.
type assignments struct {
	columns []string
	args    []any
}

func (a *assignments) add(columns string, args ...any) {
	a.columns, a.args = append(a.columns, columns), append(a.args, args...)
}

func (s *Store) settleStatus(set *assignments, st models.Settlement) {
	r := st.Result
	var delivered any
	if st.Status == models.StatusSucceeded {
		delivered = micros(r.FinishedAt)
	}
	switch {
	case st.Status == "": // a redelivery that failed
	case st.Claim.Trigger == models.TriggerRedeliver:
		set.add("status = ?, delivered_at = ?, parked = ?", st.Status, delivered, false)
		set.add("reason = NULL, abandoned_by = NULL, next_attempt_at = NULL, dispatch_after = NULL")
	default:
		set.add("status = CASE WHEN "+openSQL+" THEN ? ELSE status END", st.Status)
		set.add("next_attempt_at = CASE WHEN "+openSQL+" THEN "+s.castBigint("?")+" END", microsOf(st.NextAttemptAt))
		set.add("delivered_at = CASE WHEN "+openSQL+" THEN "+s.castBigint("?")+" ELSE delivered_at END", delivered)
	}
}

// castBigint tells Postgres the type of a parameter that may be NULL.
func (s *Store) castBigint(expression string) string {
	if s.postgres() {
		return "CAST(" + expression + " AS bigint)"
	}
	return expression
}

func attemptOf(st models.Settlement) *models.Attempt {
	c, r := st.Claim, st.Result
	a := &models.Attempt{
		ID: models.NewID(), InvocationID: c.InvocationID, SubscriptionID: c.SubscriptionID, Number: c.Number,
		Trigger: c.Trigger, StartedAt: r.StartedAt, FinishedAt: r.FinishedAt, URL: c.URL, Outcome: r.Outcome,
		RequestHeaders: someHeaders(r.RequestHeaders), RetryCount: c.RetryCount(),
		ResponseHeaders: someHeaders(r.ResponseHeaders), ResponseBody: r.ResponseBody, ResponseTruncated: r.Truncated,
	}
	if c.RedeliveryID != "" {
		a.RedeliveryID = &c.RedeliveryID
	}
	if r.StatusCode != 0 {
		a.StatusCode = &r.StatusCode
	}
	if r.Error != nil {
		a.ErrorCode, a.ErrorMessage = &r.Error.Code, &r.Error.Message
	}
	return a
}

// someHeaders is never nil: GORM would store nil as NULL.
func someHeaders(headers []models.Header) []models.Header {
	if headers == nil {
		return []models.Header{}
	}
	return headers
}

// settleSubscription keeps the subscription's health. A success looks whether there is a row of failures to end: it may
// have begun, and made the subscription failing, while the attempt was in flight.
func (s *Store) settleSubscription(tx *gorm.DB, st models.Settlement) error {
	c, r := st.Claim, st.Result
	switch {
	case r.Gone:
		err := tx.Exec("UPDATE subscriptions SET gone = ?, updated_at = ? WHERE id = ?",
			true, micros(r.FinishedAt), c.SubscriptionID).Error
		if err != nil {
			return err
		}
		return s.cancelOpen(tx, "subscription_id", c.SubscriptionID, models.ReasonSubscriptionGone)
	case r.Outcome == models.AttemptFailed:
		started := micros(r.StartedAt)
		return tx.Exec("UPDATE subscriptions SET failing = (consecutive_failures + 1 >= ?"+
			" OR COALESCE(failing_since, ?) <= ?), consecutive_failures = consecutive_failures + 1,"+
			" failing_since = COALESCE(failing_since, ?) WHERE id = ?",
			models.FailingAfterAttempts, started, micros(r.FinishedAt.Add(-models.FailingAfter)), started,
			c.SubscriptionID).Error
	default:
		return tx.Exec("UPDATE subscriptions SET failing = ?, consecutive_failures = 0, failing_since = NULL"+
			" WHERE id = ? AND consecutive_failures > 0", false, c.SubscriptionID).Error
	}
}

func (s *Store) settleCommand(tx *gorm.DB, id string, now time.Time) error {
	return tx.Exec("UPDATE commands SET settled_at = COALESCE(settled_at, ?), dispatch_after = NULL WHERE id = ?",
		micros(now), id).Error
}

func nullZero(n int) any {
	if n == 0 {
		return nil
	}
	return n
}
