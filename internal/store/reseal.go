package store

import (
	"context"
	"fmt"
	"slices"

	"gorm.io/gorm"

	"github.com/posthorn/posthorn/models"
)

// Reseal encrypts the secrets of up to limit subscriptions anew, under the first master key, where another key sealed
// them; it goes on behind the subscription named by after, "" = the first. It returns how many it changed and where
// to go on, "" at the end. It may run beside everything else, and be stopped and started again at any moment: a row
// that changed meanwhile is left as it is, and was sealed by the newest key then. The audit entry of ctx is stored with
// what was changed, and says how much and under which key that is now; nothing changed, no entry.
func (s *Store) Reseal(ctx context.Context, after string, limit int) (changed int, next string, err error) {
	var rows []sealedRow
	query := s.read(ctx).Table("subscriptions").Select("id", "application_id", "sealed").Order("id").Limit(limit)
	if after != "" {
		query = query.Where("id > ?", after)
	}
	if err := query.Find(&rows).Error; err != nil {
		return 0, "", translate(err)
	}
	if len(rows) == limit {
		next = rows[limit-1].ID
	}
	old := slices.DeleteFunc(rows, func(row sealedRow) bool { return !s.keyring.NeedsRotation(row.Sealed) })
	if len(old) == 0 {
		return 0, next, nil
	}
	err = s.write(ctx, func(tx *gorm.DB) error {
		changed = 0
		for _, row := range old {
			done, err := s.reseal(tx, row)
			if err != nil {
				return err
			}
			changed += done
		}
		if entry := models.AuditOf(ctx); entry != nil {
			entry.SubjectType, entry.SubjectID = "master_key", s.keyring.PrimaryID()
			entry.Detail = fmt.Appendf(nil, `{"subscriptions":%d}`, changed)
		}
		return nil
	})
	if err != nil { // all of the batch is as it was
		return 0, "", err
	}
	return changed, next, nil
}

// sealedRow is a subscription's secrets as they were read.
type sealedRow struct {
	ID, ApplicationID string
	Sealed            []byte
}

func (s *Store) reseal(tx *gorm.DB, row sealedRow) (int, error) {
	place := sealedAs(row.ApplicationID, row.ID)
	plain, err := s.keyring.Open(row.Sealed, place)
	if err != nil {
		return 0, fmt.Errorf("open secrets of subscription %s: %w", row.ID, err)
	}
	sealed, err := s.keyring.Seal(plain, place)
	if err != nil {
		return 0, fmt.Errorf("seal secrets of subscription %s: %w", row.ID, err)
	}
	done := tx.Exec("UPDATE subscriptions SET sealed = ? WHERE id = ? AND sealed = ?", sealed, row.ID, row.Sealed)
	return int(done.RowsAffected), done.Error
}
