package store

import (
	"context"
	"strconv"
	"time"

	"gorm.io/gorm"

	"github.com/posthorn/posthorn/models"
)

// Event reads one event with its payload, or those of all its versions, in the order of their names.
func (s *Store) Event(ctx context.Context, id string) (*models.Event, error) {
	var e models.Event
	if err := s.read(ctx).Where("id = ?", id).Take(&e).Error; err != nil {
		return nil, found(err, "event")
	}
	if len(e.Payload) > 0 { // no JSON value is empty
		return &e, nil
	}
	e.Payload = []byte{}
	err := s.read(ctx).Where("event_id = ?", id).Order("version").Find(&e.Versions).Error
	return &e, translate(err)
}

// EventFor reads one event with the payload for those who pinned the version, in Payload; empty when it has none.
func (s *Store) EventFor(ctx context.Context, id string, version *string) (*models.Event, error) {
	e, err := eventFor(s.read(ctx), id, version)
	if err != nil {
		return nil, found(err, "event")
	}
	return e, nil
}

func eventFor(tx *gorm.DB, id string, version *string) (*models.Event, error) {
	var e models.Event
	if err := takeRaw(tx, &e, "SELECT * FROM events WHERE id = ?", id); err != nil {
		return nil, err
	}
	if len(e.Payload) > 0 || version == nil {
		return &e, nil
	}
	err := tx.Where("event_id = ? AND version = ?", id, *version).Limit(1).Find(&e.Versions).Error
	if len(e.Versions) == 1 {
		e.Payload = e.Versions[0].Payload
	}
	e.Versions = nil
	return &e, err
}

// Events lists an application's events, newest first. Payloads by version are in none of them: one event may have
// 20 of 1 MiB each.
func (s *Store) Events(ctx context.Context, f models.EventFilter, p Page) ([]models.Event, string, error) {
	query := s.read(ctx).Where("application_id = ?", f.ApplicationID)
	if !f.WithPayload {
		query = query.Omit("payload")
	}
	if f.Type != "" {
		query = query.Where("type = ?", f.Type)
	}
	if f.EntityID != "" {
		query = query.Where("entity_id = ?", f.EntityID)
	}
	query = between(query, "created_at", f.After, f.Before)
	if f.Undelivered {
		query = query.Where("(EXISTS (SELECT 1 FROM invocations WHERE event_id = events.id AND status <> 'succeeded')" +
			" OR NOT EXISTS (SELECT 1 FROM invocations WHERE event_id = events.id))")
	}
	rows, next, err := eventPage(query, !f.After.IsZero() || !f.Before.IsZero(), p)
	for i := range rows {
		if f.WithPayload && rows[i].Payload == nil { // SQLite's driver gives no bytes as nil
			rows[i].Payload = []byte{}
		}
	}
	return rows, next, err
}

// eventPage reads them in the order of their acceptance, or of the time that bounds them.
func eventPage(query *gorm.DB, byTime bool, p Page) ([]models.Event, string, error) {
	if byTime {
		return pageByTime(query, "events", "seq", p.After, p.Limit,
			func(e *models.Event) (time.Time, string) { return e.CreatedAt, strconv.FormatInt(e.Seq, 10) })
	}
	before, err := strconv.ParseInt(p.After, 10, 64)
	if p.After != "" && err != nil {
		return nil, "", errBadCursor()
	}
	return page(query, "seq", before, p.Limit, func(e *models.Event) string { return strconv.FormatInt(e.Seq, 10) })
}

// EventInvocations lists the invocations that an event led to, oldest first.
func (s *Store) EventInvocations(ctx context.Context, eventID string) ([]InvocationView, error) {
	var rows []InvocationView
	err := s.read(ctx).Table("invocations").Select(invocationColumns).Joins(joinSubscription).
		Where("invocations.event_id = ?", eventID).Order("invocations.id").Find(&rows).Error
	return rows, translate(err)
}

// CancelEvent cancels what has not been delivered of an event; attempts in flight may still arrive.
func (s *Store) CancelEvent(ctx context.Context, id string) error {
	now := micros(s.now())
	return s.write(ctx, func(tx *gorm.DB) error {
		done := tx.Exec("UPDATE events SET cancelled_at = COALESCE(cancelled_at, ?) WHERE id = ?", now, id)
		if done.Error != nil {
			return done.Error
		}
		if done.RowsAffected == 0 {
			return models.NotFound("event")
		}
		keys, err := s.lockKeys(tx, "event_id = ? AND "+openSQL, id)
		if err != nil {
			return err
		}
		var open []models.Invocation
		query := "SELECT * FROM invocations WHERE event_id = ? AND " + openSQL + " ORDER BY id" + s.forUpdate("invocations")
		if err := tx.Raw(query, id).Scan(&open).Error; err != nil {
			return err
		}
		for i := range open {
			if err := s.cancelOne(tx, &open[i], keys, models.ReasonEventCancelled); err != nil {
				return err
			}
		}
		return nil
	})
}

// between keeps what has a time from after on and before before; zero times do not narrow.
func between(query *gorm.DB, column string, after, before time.Time) *gorm.DB {
	if !after.IsZero() {
		query = query.Where(column+" >= ?", micros(after))
	}
	if !before.IsZero() {
		query = query.Where(column+" < ?", micros(before))
	}
	return query
}
