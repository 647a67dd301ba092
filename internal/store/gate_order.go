package store

import (
	"time"

	"gorm.io/gorm"

	"github.com/posthorn/posthorn/models"
)

// closed answers for what has ended. Where it was in a FIFO queue that its workflow goes on with, the answer names the
// queue's head: else a workflow that lost the answer to its last question would leave the queue standing.
func (r *round) closed(c *candidate, gate models.Gate) (models.Gate, error) {
	gate.Verdict = models.VerdictClosed
	if c.OrderingKey == nil || r.keys[*c.OrderingKey].Head == nil {
		return gate, nil
	}
	return gate, r.tx.Raw("SELECT id FROM invocations WHERE id = ? AND workflow_id = ?",
		*r.keys[*c.OrderingKey].Head, c.WorkflowID).Scan(&gate.Next).Error
}

// queueBusy reports whether another attempt of the candidate's FIFO queue is in flight: a redelivery, or one whose
// invocation was cancelled meanwhile. One whose owner is dead is recorded as interrupted.
func (r *round) queueBusy(c *candidate) (bool, error) {
	if c.Position == nil {
		return false, nil
	}
	var others []candidate
	err := r.tx.Raw("SELECT * FROM invocations WHERE ordering_key = ? AND claim_token IS NOT NULL AND id <> ?",
		*c.OrderingKey, c.ID).Scan(&others).Error
	if err != nil {
		return false, err
	}
	for i := range others {
		if held, err := r.held(&others[i]); err != nil || held {
			return held, err
		}
	}
	return false, nil
}

// overtaken reports whether latest-wins says that the candidate is not to be sent any more.
func (r *round) overtaken(c *candidate) bool {
	return c.OrderingKey != nil && c.Position == nil && r.keys[*c.OrderingKey].overtook(*c.Sequence)
}

// abandon ends invocations that a newer event has overtaken; by is the newer one's invocation. One that has ended
// otherwise meanwhile stays so.
func abandon(tx *gorm.DB, ids []string, by string, now time.Time) error {
	return tx.Exec("UPDATE invocations SET status = ?, reason = ?, abandoned_by = ?, updated_at = ?,"+
		" next_attempt_at = NULL, dispatch_after = NULL, parked = ?"+
		" WHERE id IN ? AND status IN ('pending', 'retrying', 'abandoned')",
		models.StatusAbandoned, models.ReasonSuperseded, by, micros(now), false, ids).Error
}
