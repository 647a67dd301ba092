package store

import (
	"context"

	"gorm.io/gorm"

	"github.com/posthorn/posthorn/models"
)

// CreateApplication stores a new application.
func (s *Store) CreateApplication(ctx context.Context, a *models.Application) error {
	return s.write(ctx, func(tx *gorm.DB) error { return tx.Create(a).Error })
}

// Application reads one application; a deleted one is not found.
func (s *Store) Application(ctx context.Context, id string) (*models.Application, error) {
	var a models.Application
	err := s.read(ctx).Where("id = ? AND deleted_at IS NULL", id).Take(&a).Error
	if err != nil {
		return nil, found(err, "application")
	}
	return &a, nil
}

// Applications lists applications, newest first.
func (s *Store) Applications(ctx context.Context, p Page) ([]models.Application, string, error) {
	query := s.read(ctx).Where("deleted_at IS NULL")
	return page(query, "id", p.After, p.Limit, func(a *models.Application) string { return a.ID })
}

// UpdateApplication lets change alter the application inside the transaction that stores it.
func (s *Store) UpdateApplication(
	ctx context.Context, id string, change func(*models.Application) error,
) (*models.Application, error) {
	return s.updateApplication(ctx, id, change, func(*gorm.DB) error { return nil })
}

// UpdateWithoutHandshake is UpdateApplication where the profile that comes of the change asks for no handshake: nobody
// could do it any more, so the application's unverified subscriptions count as verified from then on.
func (s *Store) UpdateWithoutHandshake(
	ctx context.Context, id string, change func(*models.Application) error,
) (*models.Application, error) {
	return s.updateApplication(ctx, id, change, func(tx *gorm.DB) error { return s.verifyAll(tx, id) })
}

func (s *Store) updateApplication(
	ctx context.Context, id string, change func(*models.Application) error, then func(tx *gorm.DB) error,
) (*models.Application, error) {
	var a models.Application
	err := s.write(ctx, func(tx *gorm.DB) error {
		a = models.Application{}
		query := "SELECT * FROM applications WHERE id = ? AND deleted_at IS NULL" + s.forUpdate("applications")
		if err := takeRaw(tx, &a, query, id); err != nil {
			return found(err, "application")
		}
		if err := change(&a); err != nil {
			return err
		}
		a.UpdatedAt = s.now().UTC()
		if err := tx.Save(&a).Error; err != nil {
			return err
		}
		return then(tx)
	})
	if err != nil {
		return nil, err
	}
	return &a, nil
}

// DeleteApplication ends an application: its keys open nothing, its subscriptions are deleted, its open invocations and
// its jobs end cancelled. Its history stays.
func (s *Store) DeleteApplication(ctx context.Context, id string) error {
	return s.write(ctx, func(tx *gorm.DB) error { return s.deleteApplication(tx, id) })
}

func (s *Store) deleteApplication(tx *gorm.DB, id string) error {
	now := micros(s.now())
	if err := s.lockJobs(tx, id); err != nil {
		return err
	}
	if err := s.lockOpen(tx, "application_id", id); err != nil {
		return err
	}
	if err := s.lockToDelete(tx, "application_id", id); err != nil {
		return err
	}
	done := tx.Exec("UPDATE applications SET deleted_at = ?, updated_at = ? WHERE id = ? AND deleted_at IS NULL",
		now, now, id)
	if done.Error != nil {
		return done.Error
	}
	if done.RowsAffected == 0 {
		return models.NotFound("application")
	}
	const openJobs = "finished_at IS NULL AND application_id = ?"
	for _, step := range []struct {
		sql  string
		args []any
	}{
		{"UPDATE keys SET revoked_at = ? WHERE application_id = ? AND revoked_at IS NULL", []any{now, id}},
		{"DELETE FROM subscription_event_types WHERE application_id = ?", []any{id}},
		{"UPDATE subscriptions SET deleted_at = ? WHERE application_id = ? AND deleted_at IS NULL", []any{now, id}},
		{"UPDATE commands SET settled_at = ? WHERE settled_at IS NULL AND job_id IN" +
			" (SELECT id FROM jobs WHERE " + openJobs + ")", []any{now, id}},
		{
			"UPDATE jobs SET state = ?, finished_at = ?, updated_at = ?, dispatch_after = ? WHERE " + openJobs,
			[]any{models.JobCancelled, now, now, now, id},
		},
	} {
		if err := tx.Exec(step.sql, step.args...).Error; err != nil {
			return err
		}
	}
	return s.cancelOpen(tx, "application_id", id, models.ReasonApplicationDeleted)
}

// lockJobs locks the application's open jobs: who carries one on locks it before any invocation.
func (s *Store) lockJobs(tx *gorm.DB, applicationID string) error {
	if !s.postgres() {
		return nil
	}
	return tx.Exec("SELECT count(*) FROM (SELECT 1 FROM jobs WHERE application_id = ? AND finished_at IS NULL"+
		" ORDER BY id"+s.forUpdate("jobs")+") AS locked", applicationID).Error
}

// takeRaw reads exactly one row of a raw query.
func takeRaw(tx *gorm.DB, dst any, query string, args ...any) error {
	read := tx.Raw(query, args...).Scan(dst)
	if read.Error == nil && read.RowsAffected == 0 {
		return gorm.ErrRecordNotFound
	}
	return read.Error
}
