package store

import (
	"context"

	"gorm.io/gorm"

	"github.com/posthorn/posthorn/models"
)

// tests removes the application's next invocations that belong to no event, but for those in flight.
func (e *eraser) tests(ctx context.Context, from models.ErasureCursor) (models.ErasureStep, error) {
	after := from.ID
	if after == "" {
		after = beginning
	}
	var ids []string
	err := e.store.read(ctx).Raw("SELECT id FROM invocations WHERE application_id = ? AND event_id IS NULL AND id > ?"+
		" ORDER BY id LIMIT ?", e.erasure.ApplicationID, after, e.limit).Scan(&ids).Error
	switch {
	case err != nil:
		return models.ErasureStep{}, err
	case len(ids) == 0 && from.Left > 0:
		return models.ErasureStep{Next: models.ErasureCursor{Phase: from.Phase}, Waiting: true}, nil
	case len(ids) == 0:
		return models.ErasureStep{Next: models.ErasureCursor{Phase: models.EraseRest}}, nil
	}
	if err := e.cancel(ctx, "id IN ?", ids); err != nil {
		return models.ErasureStep{}, err
	}
	err = e.remove(ctx, func(tx *gorm.DB) error {
		rows, err := e.lockInvocations(tx, "id IN ?", ids)
		if err != nil {
			return err
		}
		return e.removeInvocations(tx, rows)
	})
	from.ID, from.Left = ids[len(ids)-1], from.Left+len(ids)-e.gone.Invocations
	return models.ErasureStep{Next: from}, err
}

// rest removes the application itself with its jobs, subscriptions and keys, and ends the erasure. What came in while it
// was being deleted is seen to first.
func (e *eraser) rest(ctx context.Context) (models.ErasureStep, error) {
	var late bool
	err := e.remove(ctx, func(tx *gorm.DB) error {
		id := e.erasure.ApplicationID
		err := tx.Raw("SELECT EXISTS (SELECT 1 FROM events WHERE application_id = ?)"+
			" OR EXISTS (SELECT 1 FROM invocations WHERE application_id = ?)", id, id).Scan(&late).Error
		if err != nil || late {
			return err
		}
		if err := e.removeApplication(tx, id); err != nil {
			return err
		}
		return forgetDetails(tx, id)
	})
	if err != nil || late {
		return models.ErasureStep{Next: models.ErasureCursor{Phase: models.EraseEvents}, Waiting: true}, err
	}
	return e.end(ctx)
}

func (e *eraser) removeApplication(tx *gorm.DB, id string) error {
	const ofSubscriptions = " WHERE subscription_id IN (SELECT id FROM subscriptions WHERE application_id = ?)"
	for _, step := range []struct {
		sql   string
		count *int
	}{
		{"DELETE FROM commands WHERE job_id IN (SELECT id FROM jobs WHERE application_id = ?)", nil},
		{"DELETE FROM jobs WHERE application_id = ?", &e.gone.Jobs},
		{"DELETE FROM ordering_keys" + ofSubscriptions, nil},
		{"DELETE FROM subscription_event_types WHERE application_id = ?", nil},
		{"DELETE FROM subscriptions WHERE application_id = ?", &e.gone.Subscriptions},
		{"DELETE FROM keys WHERE application_id = ?", &e.gone.Keys},
		{"DELETE FROM applications WHERE id = ?", nil},
	} {
		done := tx.Exec(step.sql, id)
		if done.Error != nil {
			return done.Error
		}
		if step.count != nil {
			*step.count += int(done.RowsAffected)
		}
	}
	return nil
}

// forgetDetails leaves of an erased application's audit entries who did what to which id and when: their details are the
// tenant's names and URLs, their addresses those of its people. Nothing else ever changes an entry.
func forgetDetails(tx *gorm.DB, applicationID string) error {
	return tx.Exec("UPDATE audit_entries SET detail = NULL, remote_address = '' WHERE application_id = ?"+
		" AND subject_type <> 'erasure'", applicationID).Error
}
