package store

import (
	"context"
	"time"

	"gorm.io/gorm"

	"github.com/posthorn/posthorn/models"
)

// queued is an invocation that waits in a FIFO queue, with when its event is due.
type queued struct {
	ID        string
	NotBefore *time.Time `gorm:"serializer:micros"`
}

// release makes the next of a FIFO queue its head, when the given invocation was the head and has ended. The key is
// locked. workflow is the one to carry on with it, which gets a moment before the dispatcher takes it up; "" = the
// dispatcher starts its own. It returns the new head's id; "" = there is none, or the given one was not the head.
func (s *Store) release(tx *gorm.DB, key *orderingKey, ended, workflow string) (string, error) {
	if key.Head == nil || *key.Head != ended {
		return "", nil
	}
	var next queued
	found := tx.Raw("SELECT invocations.id, events.not_before FROM invocations JOIN events ON events.id = event_id"+
		" WHERE ordering_key = ? AND status = 'queued' ORDER BY position LIMIT 1", key.ID).Scan(&next)
	if found.Error != nil {
		return "", found.Error
	}
	if found.RowsAffected == 0 {
		key.Head = nil
		return "", setHead(tx, key)
	}
	key.Head = &next.ID
	if err := setHead(tx, key); err != nil {
		return "", err
	}
	return next.ID, s.makeHead(tx, next, workflow)
}

func (s *Store) makeHead(tx *gorm.DB, next queued, workflow string) error {
	now := s.now()
	due, dispatch := now, now
	if next.NotBefore != nil && next.NotBefore.After(now) {
		due, dispatch = *next.NotBefore, *next.NotBefore
	}
	updates := map[string]any{"status": models.StatusPending, "next_attempt_at": micros(due)}
	if workflow != "" {
		dispatch = dispatch.Add(dispatchLease)
		updates["workflow_id"] = workflow
	}
	updates["dispatch_after"] = micros(dispatch)
	return tx.Model(&models.Invocation{}).Where("id = ?", next.ID).UpdateColumns(updates).Error
}

// HealQueues gives every queue that has something waiting and no head one, and returns how many there were. Every
// transaction leaves queues whole, so this finds what was changed by hand, or by a fault of ours.
func (s *Store) HealQueues(ctx context.Context) (int, error) {
	var ids []string
	err := s.read(ctx).Raw("SELECT DISTINCT ordering_key FROM invocations WHERE status = 'queued' AND NOT EXISTS" +
		" (SELECT 1 FROM ordering_keys k JOIN invocations h ON h.id = k.head WHERE k.id = invocations.ordering_key" +
		" AND h.status IN ('pending', 'retrying')) ORDER BY 1").Scan(&ids).Error
	if err != nil || len(ids) == 0 { // mostly: nobody has to wait for this to look
		return 0, translate(err)
	}
	healed := 0
	err = s.write(ctx, func(tx *gorm.DB) error {
		healed = 0
		for _, id := range ids {
			done, err := s.healQueue(tx, id)
			if err != nil {
				return err
			}
			if done {
				healed++
			}
		}
		return nil
	})
	return healed, err
}

// healQueue looks again once the key is locked: the queue may have gone on, or another process may have healed it.
func (s *Store) healQueue(tx *gorm.DB, id string) (bool, error) {
	key, err := s.lockKey(tx, id)
	if err != nil {
		return false, err
	}
	lost := ""
	if key.Head != nil {
		var open int64
		err := tx.Model(&models.Invocation{}).Where("id = ? AND status IN ('pending', 'retrying')", *key.Head).
			Count(&open).Error
		if err != nil || open > 0 {
			return false, err
		}
		lost = *key.Head
	}
	key.Head = &lost
	_, err = s.release(tx, key, lost, "")
	return err == nil, err
}
