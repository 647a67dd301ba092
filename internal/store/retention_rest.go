package store

import (
	"context"

	"gorm.io/gorm"

	"github.com/posthorn/posthorn/models"
)

// tests removes the next tests of subscriptions that have ended.
func (p *purge) tests(
	ctx context.Context, from models.PurgeCursor,
) (removed int, next models.PurgeCursor, more bool, err error) {
	rows, err := p.page(ctx, from, "invocations WHERE event_id IS NULL AND")
	if err != nil || len(rows) == 0 {
		return 0, from, false, err
	}
	err = p.store.writeRelaxed(ctx, func(tx *gorm.DB) error {
		ended, err := p.lockInvocations(tx, "id IN ?", idsOf(rows))
		if err != nil {
			return err
		}
		removed = len(ended)
		return p.removeInvocations(tx, ended)
	})
	return removed, rows[len(rows)-1].after(), len(rows) == p.limit, err
}

// jobs removes jobs that ended before; their commands first, which may be very many.
func (p *purge) jobs(tx *gorm.DB) (int, bool, error) {
	commands := tx.Exec("DELETE FROM commands WHERE id IN (SELECT id FROM commands WHERE job_id IN"+
		" (SELECT id FROM jobs WHERE finished_at < ?) LIMIT ?"+p.skipLockedRows()+")", p.before, purgeRows)
	if commands.Error != nil || commands.RowsAffected == purgeRows {
		return 0, true, commands.Error
	}
	done := tx.Exec("DELETE FROM jobs WHERE id IN (SELECT id FROM jobs WHERE finished_at < ?"+
		" AND NOT EXISTS (SELECT 1 FROM commands WHERE job_id = jobs.id) LIMIT ?"+p.skipLockedRows()+")", p.before, p.limit)
	return int(done.RowsAffected), int(done.RowsAffected) == p.limit, done.Error
}

// subscriptions removes those that were deleted before, secrets included, once nothing was sent to them any more.
func (p *purge) subscriptions(tx *gorm.DB) (int, bool, error) {
	var ids []string
	err := tx.Raw("SELECT id FROM subscriptions WHERE deleted_at < ?"+
		" AND NOT EXISTS (SELECT 1 FROM invocations WHERE subscription_id = subscriptions.id)"+
		" ORDER BY deleted_at LIMIT ?"+p.skipLockedRows(), p.before, p.limit).Scan(&ids).Error
	if err != nil || len(ids) == 0 {
		return 0, false, err
	}
	keys := tx.Exec("DELETE FROM ordering_keys WHERE id IN (SELECT id FROM ordering_keys WHERE subscription_id IN ?"+
		" LIMIT ?)", ids, purgeRows)
	if keys.Error != nil || keys.RowsAffected == purgeRows {
		return 0, true, keys.Error
	}
	return len(ids), len(ids) == p.limit, tx.Exec("DELETE FROM subscriptions WHERE id IN ?", ids).Error
}

// applications removes those that were deleted before, with their keys, once nothing of them is left.
func (p *purge) applications(tx *gorm.DB) (int, bool, error) {
	var ids []string
	err := tx.Raw("SELECT id FROM applications WHERE deleted_at < ?"+
		" AND NOT EXISTS (SELECT 1 FROM subscriptions WHERE application_id = applications.id)"+
		" AND NOT EXISTS (SELECT 1 FROM events WHERE application_id = applications.id)"+
		" AND NOT EXISTS (SELECT 1 FROM invocations WHERE application_id = applications.id)"+
		" AND NOT EXISTS (SELECT 1 FROM jobs WHERE application_id = applications.id)"+
		" ORDER BY id LIMIT ?"+p.skipLockedRows(), p.before, p.limit).Scan(&ids).Error
	if err != nil || len(ids) == 0 {
		return 0, false, err
	}
	if err := tx.Exec("DELETE FROM keys WHERE application_id IN ?", ids).Error; err != nil {
		return 0, false, err
	}
	return len(ids), len(ids) == p.limit, tx.Exec("DELETE FROM applications WHERE id IN ?", ids).Error
}
