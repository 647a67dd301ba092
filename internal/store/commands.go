package store

import (
	"context"
	"strings"
	"time"

	"gorm.io/gorm"

	"github.com/posthorn/posthorn/models"
)

// Cancel ends an open invocation: no attempt is claimed once it returns. A settled one is CodeConflict.
func (s *Store) Cancel(ctx context.Context, id string) error {
	return s.write(ctx, func(tx *gorm.DB) error {
		keys, err := s.lockKeys(tx, "id = ?", id)
		if err != nil {
			return err
		}
		i, err := s.lockInvocation(tx, id)
		if err != nil {
			return err
		}
		if !i.Status.Open() {
			return models.Errorf(models.CodeConflict, "the invocation is settled: %s", i.Status)
		}
		return s.cancelOne(tx, i, keys, models.ReasonCancelled)
	})
}

// Redeliver asks for one more attempt at an invocation and returns the command's id. An abandoned one needs force;
// a deleted or unverified subscription is CodeConflict.
func (s *Store) Redeliver(ctx context.Context, id string, force bool) (string, error) {
	now := s.now().UTC()
	command := models.Command{
		ID: models.NewID(), InvocationID: id, Kind: models.CommandRedeliver, Forced: force, DispatchAfter: &now,
		CreatedAt: now,
	}
	err := s.write(ctx, func(tx *gorm.DB) error {
		i, err := s.lockInvocation(tx, id)
		if err != nil {
			return err
		}
		if err := s.mayRedeliver(tx, i, force); err != nil {
			return err
		}
		command.WorkflowID = i.WorkflowID
		return tx.Create(&command).Error
	})
	return command.ID, err
}

func (s *Store) mayRedeliver(tx *gorm.DB, i *models.Invocation, force bool) error {
	if i.Status == models.StatusAbandoned && !force {
		return models.Errorf(models.CodeConflict,
			"a newer event was delivered first; redelivering this one needs force")
	}
	switch {
	case i.Reason == nil:
	case *i.Reason == models.ReasonVersionMissing:
		return models.Errorf(models.CodeConflict, "the event has no payload for the version that was pinned")
	case *i.Reason == models.ReasonErased:
		return models.Errorf(models.CodeConflict, "the event is being erased")
	}
	var sub models.Subscription
	if err := takeRaw(tx, &sub, "SELECT * FROM subscriptions WHERE id = ?", i.SubscriptionID); err != nil {
		return err
	}
	switch {
	case sub.DeletedAt != nil:
		return models.Errorf(models.CodeConflict, "the subscription is deleted")
	case !sub.Verified:
		return models.Errorf(models.CodeConflict, "the subscription is not verified")
	default:
		return nil
	}
}

func (s *Store) lockInvocation(tx *gorm.DB, id string) (*models.Invocation, error) {
	var i models.Invocation
	err := takeRaw(tx, &i, "SELECT * FROM invocations WHERE id = ?"+s.forUpdate("invocations"), id)
	if err != nil {
		return nil, found(err, "invocation")
	}
	return &i, nil
}

// cancelOne ends one open invocation; it and its ordering key are locked. Where a workflow may wait for it, a command
// tells the workflow; where others of its queue wait behind it, the next is released.
func (s *Store) cancelOne(tx *gorm.DB, i *models.Invocation, keys map[string]*orderingKey, reason string) error {
	now := s.now().UTC()
	if err := tx.Exec(cancelSQL+"id = ?", append(cancelArgs(micros(now), reason), i.ID)...).Error; err != nil {
		return err
	}
	if i.OrderingKey != nil {
		if _, err := s.release(tx, keys[*i.OrderingKey], i.ID, ""); err != nil {
			return err
		}
	}
	if !awaited(i) {
		return nil
	}
	return tx.Create(cancelCommand(i, now)).Error
}

// awaited reports whether a workflow may wait for an open invocation; else its row is all there is.
func awaited(i *models.Invocation) bool {
	if i.Parked || i.Status == models.StatusQueued {
		return false
	}
	return i.DispatchAfter == nil || carried(i)
}

// carried reports whether it is the head of a FIFO queue that another one's workflow carries on with. The dispatcher
// has it too, in case that workflow is lost, and gets there later: it may wait for its time already.
func carried(i *models.Invocation) bool {
	return i.Position != nil && !strings.HasSuffix(i.WorkflowID, i.ID)
}

func cancelCommand(i *models.Invocation, now time.Time) *models.Command {
	return &models.Command{
		ID: models.NewID(), InvocationID: i.ID, Kind: models.CommandCancel, WorkflowID: i.WorkflowID,
		DispatchAfter: &now, CreatedAt: now,
	}
}

// cancelOpen ends every open invocation whose column (subscription_id or application_id) has the value, by rows alone:
// workflows that wait for one find out when their next attempt is due. Their queues are empty then, but for those of
// what was accepted since: its head keeps its place, and the gate ends it.
func (s *Store) cancelOpen(tx *gorm.DB, column, value, reason string) error {
	err := tx.Exec(cancelSQL+column+" = ? AND "+openOfManySQL, append(cancelArgs(micros(s.now()), reason), value)...).Error
	if err != nil {
		return err
	}
	subscriptions := "= ?"
	if column == "application_id" {
		subscriptions = "IN (SELECT id FROM subscriptions WHERE application_id = ?)"
	}
	return tx.Exec("UPDATE ordering_keys SET head = NULL WHERE head IS NOT NULL AND subscription_id "+subscriptions+
		" AND NOT EXISTS (SELECT 1 FROM invocations WHERE invocations.id = ordering_keys.head AND "+openSQL+")", value).Error
}

// lockOpen locks the open invocations that cancelOpen will end, their ordering keys before them. Whoever locks
// invocations and their subscription takes the invocations first, in the order of their ids, or a claim and a deletion
// would wait for each other.
func (s *Store) lockOpen(tx *gorm.DB, column, value string) error {
	if !s.postgres() {
		return nil
	}
	if _, err := s.lockKeys(tx, column+" = ? AND "+openOfManySQL, value); err != nil {
		return err
	}
	return tx.Exec("SELECT count(*) FROM (SELECT 1 FROM invocations WHERE "+column+" = ? AND "+openOfManySQL+
		" ORDER BY id"+s.forUpdate("invocations")+") AS locked", value).Error
}

const cancelSQL = "UPDATE invocations SET status = 'cancelled', reason = ?, updated_at = ?," +
	" next_attempt_at = NULL, dispatch_after = NULL, parked = ? WHERE "

func cancelArgs(now int64, reason string) []any { return []any{reason, now, false} }
