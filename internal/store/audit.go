package store

import (
	"context"

	"gorm.io/gorm"

	"github.com/posthorn/posthorn/models"
)

// audited is fn and, behind it in the same transaction, the audit entry that ctx carries.
func audited(ctx context.Context, fn func(tx *gorm.DB) error) func(tx *gorm.DB) error {
	entry := models.AuditOf(ctx)
	if entry == nil {
		return fn
	}
	return func(tx *gorm.DB) error {
		if err := fn(tx); err != nil {
			return err
		}
		return tx.Create(entry).Error
	}
}

// NoteDenial stores the entry of a request that changes nothing.
func (s *Store) NoteDenial(ctx context.Context, entry *models.AuditEntry) error {
	return s.write(models.WithAudit(ctx, entry), func(*gorm.DB) error { return nil })
}

// AuditEntries lists who changed what, or else who was denied to, newest first.
func (s *Store) AuditEntries(ctx context.Context, f models.AuditFilter, p Page) ([]models.AuditEntry, string, error) {
	query := s.read(ctx).Where("NOT denied")
	if f.Denied {
		query = s.read(ctx).Where("denied")
	}
	if f.ApplicationID != "" {
		query = query.Where("application_id = ?", f.ApplicationID)
	}
	if f.Action != "" {
		query = query.Where("action = ?", f.Action)
	}
	query = between(query, "created_at", f.After, f.Before)
	return page(query, "id", p.After, p.Limit, func(e *models.AuditEntry) string { return e.ID })
}
