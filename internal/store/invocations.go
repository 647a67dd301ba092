package store

import (
	"context"
	"time"

	"gorm.io/gorm"

	"github.com/posthorn/posthorn/models"
)

// InvocationView is an invocation with what its subscription adds to it.
type InvocationView = models.InvocationView

const (
	// openSQL is no IN: SQLite makes a temporary table for one of three, at each use outside of a WHERE.
	openSQL = "(status = 'pending' OR status = 'queued' OR status = 'retrying')"
	// openOfManySQL finds what is open of a subscription or an application with a long history: its second half is the
	// condition of their indexes.
	openOfManySQL    = openSQL + " AND " + undeliveredSQL
	undeliveredSQL   = "status <> 'succeeded'"
	joinSubscription = "JOIN subscriptions s ON s.id = invocations.subscription_id"
	// pausedSQL says in SQL when an open invocation waits for its subscription; deleted ones have none open.
	pausedSQL         = "(NOT s.enabled OR NOT s.verified OR s.gone)"
	invocationColumns = "invocations.*, " + pausedSQL + " AS paused"
)

// Invocation reads one invocation.
func (s *Store) Invocation(ctx context.Context, id string) (*InvocationView, error) {
	var v InvocationView
	err := s.read(ctx).Table("invocations").Select(invocationColumns).Joins(joinSubscription).
		Where("invocations.id = ?", id).Take(&v).Error
	if err != nil {
		return nil, found(err, "invocation")
	}
	return &v, nil
}

// Invocations lists an application's invocations, newest first.
func (s *Store) Invocations(ctx context.Context, f models.InvocationFilter, p Page) ([]InvocationView, string, error) {
	query := matching(s.read(ctx).Select(invocationColumns), f)
	if !f.After.IsZero() || !f.Before.IsZero() {
		query = between(query, "invocations.created_at", f.After, f.Before)
		return pageByTime(query, "invocations", "id", p.After, p.Limit,
			func(v *InvocationView) (time.Time, string) { return v.CreatedAt, v.ID })
	}
	return page(query, "invocations.id", p.After, p.Limit, func(v *InvocationView) string { return v.ID })
}

// matching narrows a query to the invocations that the filter names, whenever they were accepted.
func matching(query *gorm.DB, f models.InvocationFilter) *gorm.DB {
	query = query.Table("invocations").Joins(joinSubscription).Where("invocations.application_id = ?", f.ApplicationID)
	for column, value := range map[string]string{
		"invocations.subscription_id": f.SubscriptionID,
		"invocations.event_type":      f.EventType,
	} {
		if value != "" {
			query = query.Where(column+" = ?", value)
		}
	}
	// Those of one event, or entity, and those that are paused, are few and looked up first: SQLite would rather walk
	// through all of the application's, which are in the order that is asked for.
	if f.EventID != "" {
		query = query.Where("invocations.id IN (SELECT id FROM invocations WHERE event_id = ?)", f.EventID)
	}
	if f.EntityID != "" {
		query = query.Where("invocations.id IN (SELECT i.id FROM events e CROSS JOIN invocations i WHERE i.event_id = e.id"+
			" AND e.application_id = ? AND e.entity_id = ?)", f.ApplicationID, f.EntityID)
	}
	switch {
	case f.Status == models.StatusPaused:
		query = query.Where("invocations.id IN (SELECT i.id FROM subscriptions s CROSS JOIN invocations i"+
			" WHERE i.subscription_id = s.id AND s.application_id = ? AND "+pausedSQL+" AND "+openOfManySQL+")", f.ApplicationID)
	case f.Status.Open():
		query = query.Where("status = ? AND "+undeliveredSQL+" AND NOT "+pausedSQL, f.Status)
	case f.Status == models.StatusSucceeded:
		query = query.Where("status = 'succeeded'")
	case f.Status != "":
		query = query.Where("status = ? AND "+undeliveredSQL, f.Status)
	}
	switch f.Receipt {
	case models.ReceiptNone:
		query = query.Where("status <> 'succeeded' AND attempts = 0")
	case models.ReceiptTaken:
		query = query.Where("status = 'succeeded'")
	case models.ReceiptRefused:
		query = query.Where("status <> 'succeeded' AND attempts > 0")
	}
	if f.WithoutTests {
		query = query.Where("event_id IS NOT NULL")
	}
	return query
}

// Attempts lists an invocation's log, oldest first.
func (s *Store) Attempts(ctx context.Context, invocationID string) ([]models.Attempt, error) {
	var rows []models.Attempt
	err := s.read(ctx).Where("invocation_id = ?", invocationID).Order("number").Find(&rows).Error
	return rows, translate(err)
}

// AttemptsAfter lists at most limit entries of an invocation's log behind the given number, oldest first.
func (s *Store) AttemptsAfter(ctx context.Context, invocationID string, number, limit int) ([]models.Attempt, error) {
	var rows []models.Attempt
	err := s.read(ctx).Where("invocation_id = ? AND number > ?", invocationID, number).
		Order("number").Limit(limit).Find(&rows).Error
	return rows, translate(err)
}

// Outcomes lists at most limit entries of an invocation's log behind the given number, oldest first, without what was
// said: no headers, no response body.
func (s *Store) Outcomes(ctx context.Context, invocationID string, number, limit int) ([]models.Attempt, error) {
	var rows []models.Attempt
	err := s.read(ctx).Omit("request_headers", "response_headers", "response_body").
		Where("invocation_id = ? AND number > ?", invocationID, number).Order("number").Limit(limit).Find(&rows).Error
	return rows, translate(err)
}

// Spec reads the Spec that an invocation was accepted under.
func (s *Store) Spec(ctx context.Context, digest []byte) (*models.Spec, error) {
	spec, err := s.spec(s.read(ctx), digest)
	return spec, translate(err)
}

// CreateTest stores a test of a subscription, due at once.
func (s *Store) CreateTest(ctx context.Context, i *models.Invocation, spec models.StoredSpec) error {
	return s.write(ctx, func(tx *gorm.DB) error {
		if err := s.storeSpecs(tx, []models.StoredSpec{spec}); err != nil {
			return err
		}
		return tx.Create(i).Error
	})
}
