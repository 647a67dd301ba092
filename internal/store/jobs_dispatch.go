package store

import (
	"context"

	"gorm.io/gorm"

	"github.com/posthorn/posthorn/models"
)

// TakeJobs takes up to limit jobs whose workflows have to be told of them, like TakeDispatches. It looks before it
// writes: mostly there is none.
func (s *Store) TakeJobs(ctx context.Context, limit int) ([]models.JobDispatch, error) {
	now := s.now()
	var due int64
	err := s.read(ctx).Raw("SELECT COUNT(*) FROM jobs WHERE dispatch_after <= ?", micros(now)).Scan(&due).Error
	if err != nil || due == 0 {
		return nil, translate(err)
	}
	var rows []models.JobDispatch
	err = s.writeRelaxed(ctx, func(tx *gorm.DB) error {
		return tx.Raw("UPDATE jobs SET dispatch_after = ? WHERE id IN (SELECT id FROM jobs"+
			" WHERE dispatch_after <= ? ORDER BY dispatch_after, id LIMIT ?"+s.skipLocked()+")"+
			" RETURNING id, application_id, matched, dispatch_after AS lease",
			micros(now.Add(dispatchLease)), micros(now), limit).Scan(&rows).Error
	})
	return rows, err
}

// MarkJob notes that a job's workflow has been told; a job that changed since is told of again.
func (s *Store) MarkJob(ctx context.Context, j models.JobDispatch) error {
	return s.writeRelaxed(ctx, func(tx *gorm.DB) error {
		return tx.Exec("UPDATE jobs SET dispatch_after = NULL WHERE id = ? AND dispatch_after = ?",
			j.ID, micros(j.Lease)).Error
	})
}

// reviveJobs brings up jobs that nobody has carried on for OverdueAfter: a workflow that works on one does so many
// times a second.
func (s *Store) reviveJobs(tx *gorm.DB, limit int) (int, error) {
	now := s.now()
	done := tx.Exec("UPDATE jobs SET dispatch_after = ?, updated_at = ? WHERE id IN (SELECT id FROM jobs"+
		" WHERE finished_at IS NULL AND state <> 'paused' AND dispatch_after IS NULL AND updated_at <= ? LIMIT ?)",
		micros(now), micros(now), micros(now.Add(-OverdueAfter)), limit)
	return int(done.RowsAffected), done.Error
}
