package store

import (
	"context"
	"encoding/json"
	"fmt"

	"gorm.io/gorm"

	"github.com/posthorn/posthorn/internal/secret"
	"github.com/posthorn/posthorn/models"
)

// CreateSubscription stores a new subscription unless its application has limit of them already; disabled ones
// count. The application's row is locked, so that parallel creations see each other.
func (s *Store) CreateSubscription(ctx context.Context, sub *models.Subscription, limit int) error {
	if err := s.seal(sub); err != nil {
		return err
	}
	return s.write(ctx, func(tx *gorm.DB) error {
		var locked models.Application
		query := "SELECT * FROM applications WHERE id = ? AND deleted_at IS NULL" + s.forUpdate("applications")
		if err := takeRaw(tx, &locked, query, sub.ApplicationID); err != nil {
			return found(err, "application")
		}
		var count int64
		err := tx.Model(sub).Where("application_id = ? AND deleted_at IS NULL", sub.ApplicationID).Count(&count).Error
		if err != nil {
			return err
		}
		if count >= int64(limit) {
			refusal := models.Errorf(models.CodeSubscriptionLimit, "an application may have %d subscriptions", limit)
			refusal.Limit = limit
			return refusal
		}
		if err := tx.Create(sub).Error; err != nil {
			return err
		}
		return insertPatterns(tx, sub)
	})
}

// Subscription reads one subscription with its secrets; a deleted one is not found.
func (s *Store) Subscription(ctx context.Context, id string) (*models.Subscription, error) {
	var sub models.Subscription
	if err := s.read(ctx).Where("id = ? AND deleted_at IS NULL", id).Take(&sub).Error; err != nil {
		return nil, found(err, "subscription")
	}
	return &sub, s.unseal(&sub)
}

// SubscriptionFilter narrows a list; zero values do not.
type SubscriptionFilter = models.SubscriptionFilter

// Subscriptions lists an application's subscriptions, newest first.
func (s *Store) Subscriptions(ctx context.Context, f SubscriptionFilter, p Page) ([]models.Subscription, string, error) {
	query := s.read(ctx).Where("application_id = ? AND deleted_at IS NULL", f.ApplicationID)
	if f.EventType != "" {
		query = query.Where("id IN (SELECT subscription_id FROM subscription_event_types"+
			" WHERE application_id = ? AND pattern = ?)", f.ApplicationID, f.EventType)
	}
	if f.Status != "" {
		query = query.Where(subscriptionStatusSQL(f.Status))
	}
	rows, next, err := page(query, "id", p.After, p.Limit, func(sub *models.Subscription) string { return sub.ID })
	for i := range rows {
		if err := s.unseal(&rows[i]); err != nil {
			return nil, "", err
		}
	}
	return rows, next, err
}

// subscriptionStatusSQL says in SQL what models.Subscription.Status says in Go.
func subscriptionStatusSQL(status models.SubscriptionStatus) string {
	switch status {
	case models.SubscriptionGone:
		return "gone"
	case models.SubscriptionDisabled:
		return "NOT gone AND NOT enabled"
	case models.SubscriptionUnverified:
		return "NOT gone AND enabled AND NOT verified"
	case models.SubscriptionFailing:
		return "NOT gone AND enabled AND verified AND failing"
	case models.SubscriptionActive:
		return "NOT gone AND enabled AND verified AND NOT failing"
	default:
		return "FALSE"
	}
}

// UpdateSubscription lets change alter the subscription inside the transaction that stores it. When it comes to
// receive again, what was parked for it goes back to the dispatcher in the same transaction, at the rate of a line that
// drains.
func (s *Store) UpdateSubscription(
	ctx context.Context, id string, change func(*models.Subscription) error,
) (*models.Subscription, error) {
	var sub models.Subscription
	err := s.write(ctx, func(tx *gorm.DB) error {
		if err := s.lockParked(tx, "id", id); err != nil {
			return err
		}
		sub = models.Subscription{}
		query := "SELECT * FROM subscriptions WHERE id = ? AND deleted_at IS NULL" + s.forUpdate("subscriptions")
		if err := takeRaw(tx, &sub, query, id); err != nil {
			return found(err, "subscription")
		}
		if err := s.unseal(&sub); err != nil {
			return err
		}
		received := sub.Receives()
		if err := change(&sub); err != nil {
			return err
		}
		if err := s.seal(&sub); err != nil {
			return err
		}
		sub.UpdatedAt = s.now().UTC()
		if err := tx.Save(&sub).Error; err != nil {
			return err
		}
		if err := replacePatterns(tx, &sub); err != nil {
			return err
		}
		if received || !sub.Receives() {
			return nil
		}
		return s.unpark(tx, id)
	})
	if err != nil {
		return nil, err
	}
	return &sub, nil
}

// verifyAll makes an application's unverified subscriptions verified ones, and gives what was parked for them back to
// the dispatcher as UpdateSubscription does.
func (s *Store) verifyAll(tx *gorm.DB, applicationID string) error {
	if err := s.lockParked(tx, "application_id", applicationID); err != nil {
		return err
	}
	var unverified []models.Subscription
	query := "SELECT * FROM subscriptions WHERE application_id = ? AND deleted_at IS NULL AND NOT verified ORDER BY id"
	if err := tx.Raw(query+s.forUpdate("subscriptions"), applicationID).Scan(&unverified).Error; err != nil {
		return err
	}
	for i := range unverified {
		sub := &unverified[i]
		err := tx.Exec("UPDATE subscriptions SET verified = ?, updated_at = ? WHERE id = ?", true, micros(s.now()), sub.ID).Error
		if err != nil {
			return err
		}
		if sub.Verified = true; !sub.Receives() {
			continue
		}
		if err := s.unpark(tx, sub.ID); err != nil {
			return err
		}
	}
	return nil
}

// DeleteSubscription ends a subscription and cancels its open invocations; both stay readable by their history.
func (s *Store) DeleteSubscription(ctx context.Context, id string) error {
	return s.write(ctx, func(tx *gorm.DB) error {
		if err := s.lockOpen(tx, "subscription_id", id); err != nil {
			return err
		}
		if err := s.lockToDelete(tx, "id", id); err != nil {
			return err
		}
		done := tx.Exec("UPDATE subscriptions SET deleted_at = ? WHERE id = ? AND deleted_at IS NULL", micros(s.now()), id)
		if done.Error != nil {
			return done.Error
		}
		if done.RowsAffected == 0 {
			return models.NotFound("subscription")
		}
		if err := tx.Exec("DELETE FROM subscription_event_types WHERE subscription_id = ?", id).Error; err != nil {
			return err
		}
		return s.cancelOpen(tx, "subscription_id", id, models.ReasonSubscriptionDeleted)
	})
}

// lockToDelete waits for those who have seen the subscriptions whose column (id or application_id) has the value, and
// may claim a redelivery, or accept an event, for them; see round.deleted. Nobody does once the deletion has answered.
func (s *Store) lockToDelete(tx *gorm.DB, column, value string) error {
	if !s.postgres() {
		return nil
	}
	return tx.Exec("SELECT count(*) FROM (SELECT 1 FROM subscriptions WHERE "+column+" = ? ORDER BY id FOR UPDATE) AS locked",
		value).Error
}

// MatchingSubscriptions reads the subscriptions of an application that receive now and list one of the patterns,
// oldest first.
func (s *Store) MatchingSubscriptions(
	ctx context.Context, applicationID string, patterns []string,
) ([]models.Subscription, error) {
	var subs []models.Subscription
	err := s.read(ctx).
		Where("id IN (SELECT subscription_id FROM subscription_event_types WHERE application_id = ? AND pattern IN ?)",
			applicationID, patterns).
		Where("deleted_at IS NULL AND enabled AND verified AND NOT gone").
		Omit("sealed").Order("id").Find(&subs).Error
	return subs, translate(err)
}

func replacePatterns(tx *gorm.DB, sub *models.Subscription) error {
	if err := tx.Exec("DELETE FROM subscription_event_types WHERE subscription_id = ?", sub.ID).Error; err != nil {
		return err
	}
	return insertPatterns(tx, sub)
}

func insertPatterns(tx *gorm.DB, sub *models.Subscription) error {
	rows := make([]map[string]any, 0, len(sub.EventTypes))
	for _, pattern := range sub.EventTypes {
		rows = append(rows, map[string]any{
			"application_id": sub.ApplicationID, "pattern": pattern, "subscription_id": sub.ID,
		})
	}
	if len(rows) == 0 {
		return nil
	}
	return tx.Table("subscription_event_types").Create(rows).Error
}

// sealedAs binds a subscription's secrets to their row: a ciphertext copied to another does not open.
func sealedAs(applicationID, id string) secret.AD {
	return secret.AD{Table: "subscriptions", Column: "sealed", Tenant: applicationID, Row: id}
}

// seal makes a subscription ready to be stored.
func (s *Store) seal(sub *models.Subscription) error {
	if sub.EventTypes == nil {
		sub.EventTypes = []string{} // GORM would store nil as NULL
	}
	plain, err := json.Marshal(sub.Secrets)
	if err != nil {
		return fmt.Errorf("encode secrets: %w", err)
	}
	sub.Sealed, err = s.keyring.Seal(plain, sealedAs(sub.ApplicationID, sub.ID))
	return err
}

func (s *Store) unseal(sub *models.Subscription) error {
	secrets, err := s.openSecrets(sub.ApplicationID, sub.ID, sub.Sealed)
	sub.Secrets = secrets
	return err
}

func (s *Store) openSecrets(applicationID, id string, sealed []byte) (models.Secrets, error) {
	var secrets models.Secrets
	plain, err := s.keyring.Open(sealed, sealedAs(applicationID, id))
	if err != nil {
		return secrets, fmt.Errorf("open secrets of subscription %s: %w", id, err)
	}
	if err := json.Unmarshal(plain, &secrets); err != nil {
		return secrets, fmt.Errorf("decode secrets of subscription %s: %w", id, err)
	}
	return secrets, nil
}
