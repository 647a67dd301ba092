package store

import (
	"context"
	"time"

	"gorm.io/gorm"

	"github.com/posthorn/posthorn/models"
)

// CreateKey stores a new key's digest, unless its application has models.MaxKeys already: CodeConflict.
func (s *Store) CreateKey(ctx context.Context, k *models.Key) error {
	return s.write(ctx, func(tx *gorm.DB) error {
		if k.ApplicationID != nil {
			if err := s.roomForKey(tx, *k.ApplicationID); err != nil {
				return err
			}
		}
		return tx.Create(k).Error
	})
}

// roomForKey locks the application, so that parallel creations see each other, as CreateSubscription does.
func (s *Store) roomForKey(tx *gorm.DB, applicationID string) error {
	var locked models.Application
	query := "SELECT * FROM applications WHERE id = ? AND deleted_at IS NULL" + s.forUpdate("applications")
	if err := takeRaw(tx, &locked, query, applicationID); err != nil {
		return found(err, "application")
	}
	var count int64
	err := tx.Model(&models.Key{}).Where("application_id = ? AND revoked_at IS NULL", applicationID).Count(&count).Error
	if err == nil && count >= models.MaxKeys {
		err = models.Errorf(models.CodeConflict, "an application may have %d keys; revoke one", models.MaxKeys)
	}
	return err
}

// Key reads one key, revoked or expired ones too.
func (s *Store) Key(ctx context.Context, id string) (*models.Key, error) {
	var k models.Key
	if err := s.read(ctx).Where("id = ?", id).Take(&k).Error; err != nil {
		return nil, found(err, "key")
	}
	return &k, nil
}

// Keys lists the keys that still open something, of one application or, with "", of the deployment.
func (s *Store) Keys(ctx context.Context, applicationID string, p Page) ([]models.Key, string, error) {
	query := s.read(ctx).Where("revoked_at IS NULL")
	if applicationID == "" {
		query = query.Where("application_id IS NULL")
	} else {
		query = query.Where("application_id = ?", applicationID)
	}
	return page(query, "id", p.After, p.Limit, func(k *models.Key) string { return k.ID })
}

// RevokeKey ends a key at once.
func (s *Store) RevokeKey(ctx context.Context, id string) error {
	return s.write(ctx, func(tx *gorm.DB) error {
		done := tx.Exec("UPDATE keys SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL", micros(s.now()), id)
		if done.Error == nil && done.RowsAffected == 0 {
			return models.NotFound("key")
		}
		return done.Error
	})
}

// TouchKey notes that a key was used.
func (s *Store) TouchKey(ctx context.Context, id string, at time.Time) error {
	return s.writeRelaxed(ctx, func(tx *gorm.DB) error {
		return tx.Exec("UPDATE keys SET last_used_at = ? WHERE id = ?", micros(at), id).Error
	})
}
