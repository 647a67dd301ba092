package store

import (
	"context"
	"time"

	"gorm.io/gorm"

	"github.com/posthorn/posthorn/models"
)

// CreateErasure stores an erasure, to be carried out by Erase. Of an application as a whole, the same transaction
// deletes the application unless that was done before. An application that there is no more of is CodeValidation.
func (s *Store) CreateErasure(ctx context.Context, e *models.Erasure) error {
	return s.write(ctx, func(tx *gorm.DB) error {
		var app models.Application
		err := takeRaw(tx, &app, "SELECT * FROM applications WHERE id = ?"+s.forUpdate("applications"), e.ApplicationID)
		switch refusal := found(err, "application"); {
		case models.ErrorCode(refusal) == models.CodeNotFound:
			return models.Invalid("application_id", "there is no such application")
		case err != nil:
			return err
		}
		if e.EntityID == nil && app.DeletedAt == nil {
			if err := s.deleteApplication(tx, app.ID); err != nil {
				return err
			}
		}
		return tx.Create(e).Error
	})
}

// Erasure reads one erasure.
func (s *Store) Erasure(ctx context.Context, id string) (*models.Erasure, error) {
	var e models.Erasure
	if err := s.read(ctx).Where("id = ?", id).Take(&e).Error; err != nil {
		return nil, found(err, "erasure")
	}
	return &e, nil
}

// Erasures lists erasures, newest first.
func (s *Store) Erasures(ctx context.Context, f models.ErasureFilter, p Page) ([]models.Erasure, string, error) {
	query := s.read(ctx)
	if f.ApplicationID != "" {
		query = query.Where("application_id = ?", f.ApplicationID)
	}
	if f.EntityDigest != "" {
		query = query.Where("entity_digest = ?", f.EntityDigest)
	}
	return page(query, "id", p.After, p.Limit, func(e *models.Erasure) string { return e.ID })
}

// erasureLease is how long a step keeps the dispatcher from starting another workflow: more than the pause between two
// steps, and a step that is tried again.
const erasureLease = time.Minute

// TakeErasures takes up to limit erasures that no workflow carries on. They are offered again until one does, or they
// have ended. It looks before it writes: mostly there is none.
func (s *Store) TakeErasures(ctx context.Context, limit int) ([]models.Erasure, error) {
	now := s.now()
	var due int64
	err := s.read(ctx).Raw("SELECT COUNT(*) FROM erasures WHERE dispatch_after <= ?", micros(now)).Scan(&due).Error
	if err != nil || due == 0 {
		return nil, translate(err)
	}
	var rows []models.Erasure
	err = s.writeRelaxed(ctx, func(tx *gorm.DB) error {
		return tx.Raw("UPDATE erasures SET dispatch_after = ? WHERE id IN (SELECT id FROM erasures"+
			" WHERE dispatch_after <= ? ORDER BY dispatch_after LIMIT ?"+s.skipLocked()+") RETURNING *",
			micros(now.Add(dispatchLease)), micros(now), limit).Scan(&rows).Error
	})
	return rows, err
}
