package store

import (
	"time"

	"gorm.io/gorm"

	"github.com/posthorn/posthorn/models"
)

// orderOf locks the ordering key of what is about to be settled; nil = it is not ordered. An attempt that failed
// after a newer event was delivered is not repeated: the settlement is changed to say so.
func (s *Store) orderOf(tx *gorm.DB, st *models.Settlement) (*orderingKey, error) {
	if st.Claim.OrderingKey == "" {
		return nil, nil //nolint:nilnil // not ordered
	}
	key, err := s.lockKey(tx, st.Claim.OrderingKey)
	if err != nil {
		return nil, err
	}
	if latestWins(st.Claim) && !st.Result.Gone && st.Status == models.StatusRetrying && key.overtook(st.Claim.Sequence) {
		st.Status, st.NextAttemptAt = models.StatusAbandoned, nil
	}
	return key, nil
}

func latestWins(c *models.Claim) bool { return c.Spec.Ordering.Kind == models.OrderingLatestWins }

// settleOrder does what an outcome means for others: it releases the next of a FIFO queue, or abandons what a
// delivered event has overtaken.
func (s *Store) settleOrder(tx *gorm.DB, key *orderingKey, st models.Settlement, settled *models.Settled) error {
	switch {
	case key == nil || st.Result.Gone: // nothing is open any more
		return nil
	case !latestWins(st.Claim):
		return s.settleQueue(tx, key, st, settled)
	case st.Status == models.StatusAbandoned:
		return abandon(tx, []string{st.Claim.InvocationID}, *key.DeliveredBy, st.Result.FinishedAt)
	case st.Status == models.StatusSucceeded && !key.overtook(st.Claim.Sequence):
		return s.overtake(tx, key, st, settled)
	case st.Status == "" && key.overtook(st.Claim.Sequence): // a redelivery kept it from being abandoned
		_, err := s.abandonOlder(tx, key, st.Result.FinishedAt, settled)
		return err
	default:
		return nil
	}
}

// settleQueue releases the next of the queue once its head has ended, and claims it where the settlement says so.
func (s *Store) settleQueue(tx *gorm.DB, key *orderingKey, st models.Settlement, settled *models.Settled) error {
	if st.Status == "" || st.Status.Open() {
		return nil
	}
	next, err := s.release(tx, key, st.Claim.InvocationID, st.Workflow)
	if err != nil || next == "" {
		return err
	}
	if st.Workflow == "" {
		settled.Released = true
		return nil
	}
	settled.Next = next
	if st.Owner == "" {
		return nil
	}
	round, err := s.roundUnder(tx, st.Owner, []string{next}, map[string]*orderingKey{key.ID: key})
	if err != nil {
		return err
	}
	round.patient = true
	gates, err := round.decideAll()
	if err != nil {
		round.giveBack()
		return err
	}
	if len(gates) == 1 {
		settled.Gate = &gates[0]
	}
	return nil
}

const (
	// overtakeBatch is how many overtaken invocations one statement ends.
	overtakeBatch = 500
	// overtakeBatches bounds one transaction; what is left ends when its next attempt is due.
	overtakeBatches = 20
)

// overtake notes that an event was delivered and abandons the older ones that wait. One that is in flight may still
// arrive; it is judged when it is settled.
func (s *Store) overtake(tx *gorm.DB, key *orderingKey, st models.Settlement, settled *models.Settled) error {
	key.DeliveredSequence, key.DeliveredBy = &st.Claim.Sequence, &st.Claim.InvocationID
	err := tx.Exec("UPDATE ordering_keys SET delivered_sequence = ?, delivered_by = ? WHERE id = ?",
		key.DeliveredSequence, key.DeliveredBy, key.ID).Error
	if err != nil {
		return err
	}
	for range overtakeBatches {
		more, err := s.abandonOlder(tx, key, st.Result.FinishedAt, settled)
		if err != nil || !more {
			return err
		}
	}
	return nil
}

// abandonOlder ends one batch of those that the delivered event has overtaken, and reports whether there may be more.
// Workflows that wait for one of them are told.
func (s *Store) abandonOlder(
	tx *gorm.DB, key *orderingKey, now time.Time, settled *models.Settled,
) (bool, error) {
	var older []models.Invocation
	err := tx.Raw("SELECT * FROM invocations WHERE ordering_key = ? AND sequence < ? AND status IN ('pending', 'retrying')"+
		" AND claim_token IS NULL ORDER BY id LIMIT ?"+s.forUpdate("invocations"),
		key.ID, *key.DeliveredSequence, overtakeBatch).Scan(&older).Error
	if err != nil || len(older) == 0 {
		return false, err
	}
	ids := make([]string, 0, len(older))
	var commands []*models.Command
	for i := range older {
		ids = append(ids, older[i].ID)
		if awaited(&older[i]) {
			commands = append(commands, cancelCommand(&older[i], s.now().UTC()))
		}
	}
	if err := abandon(tx, ids, *key.DeliveredBy, now); err != nil {
		return false, err
	}
	if len(commands) > 0 {
		settled.Released = true
		err = tx.Create(commands).Error
	}
	return len(older) == overtakeBatch, err
}
