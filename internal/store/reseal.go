package store

import (
	"context"
	"fmt"

	"gorm.io/gorm"
)

// Reseal encrypts the secrets of up to limit subscriptions anew, under the first master key, where another key sealed
// them; it goes on behind the subscription named by after, "" = the first. It returns how many it changed and where
// to go on, "" at the end. It may run beside everything else, and be stopped and started again at any moment: a row
// that changed meanwhile is left as it is, and was sealed by the newest key then.
func (s *Store) Reseal(ctx context.Context, after string, limit int) (changed int, next string, err error) {
	var rows []struct {
		ID, ApplicationID string
		Sealed            []byte
	}
	query := s.read(ctx).Table("subscriptions").Select("id", "application_id", "sealed").Order("id").Limit(limit)
	if after != "" {
		query = query.Where("id > ?", after)
	}
	if err := query.Find(&rows).Error; err != nil {
		return 0, "", translate(err)
	}
	for _, row := range rows {
		if !s.keyring.NeedsRotation(row.Sealed) {
			continue
		}
		place := sealedAs(row.ApplicationID, row.ID)
		plain, err := s.keyring.Open(row.Sealed, place)
		if err != nil {
			return changed, "", fmt.Errorf("open secrets of subscription %s: %w", row.ID, err)
		}
		sealed, err := s.keyring.Seal(plain, place)
		if err != nil {
			return changed, "", fmt.Errorf("seal secrets of subscription %s: %w", row.ID, err)
		}
		err = s.write(ctx, func(tx *gorm.DB) error {
			return tx.Exec("UPDATE subscriptions SET sealed = ? WHERE id = ? AND sealed = ?", sealed, row.ID, row.Sealed).Error
		})
		if err != nil {
			return changed, "", err
		}
		changed++
	}
	if len(rows) == limit {
		next = rows[limit-1].ID
	}
	return changed, next, nil
}
