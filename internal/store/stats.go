package store

import (
	"context"
	"errors"

	"gorm.io/gorm"

	"github.com/posthorn/posthorn/models"
)

// statsInvocations is of how many of the latest invocations the attempts' durations are looked at.
const statsInvocations = 1000

// SubscriptionStats sums a subscription's invocations up.
func (s *Store) SubscriptionStats(ctx context.Context, id string) (*models.SubscriptionStats, error) {
	stats := &models.SubscriptionStats{Counts: map[models.InvocationStatus]int{}}
	if err := s.countInvocations(s.read(ctx), id, stats); err != nil {
		return nil, translate(err)
	}
	err := s.read(ctx).Raw("SELECT (finished_at - started_at) / 1000 FROM attempts WHERE invocation_id IN"+
		" (SELECT id FROM invocations WHERE subscription_id = ? ORDER BY id DESC LIMIT ?) ORDER BY 1",
		id, statsInvocations).Scan(&stats.LatenciesMS).Error
	if err != nil {
		return nil, translate(err)
	}
	return stats, nil
}

// countInvocations counts those that were delivered as what is left of all: only the others have an index by status.
func (s *Store) countInvocations(db *gorm.DB, id string, stats *models.SubscriptionStats) error {
	var rows []struct {
		Status models.InvocationStatus // "" = all
		N      int
		Oldest int64
	}
	err := db.Raw("SELECT '' AS status, COUNT(*) AS n, 0 AS oldest FROM invocations WHERE subscription_id = ?"+
		" UNION ALL SELECT status, COUNT(*), MIN(created_at) FROM invocations"+
		" WHERE subscription_id = ? AND "+undeliveredSQL+" GROUP BY status", id, id).Scan(&rows).Error
	delivered := 0
	for _, row := range rows {
		if row.Status == "" {
			delivered += row.N
			continue
		}
		delivered -= row.N
		stats.Counts[row.Status] = row.N
		oldest := fromMicros(row.Oldest)
		if row.Status.Open() && (stats.OldestOpen == nil || oldest.Before(*stats.OldestOpen)) {
			stats.OldestOpen = &oldest
		}
	}
	if delivered > 0 {
		stats.Counts[models.StatusSucceeded] = delivered
	}
	return err
}

// Queues sums the FIFO queues of all subscriptions up, and what waits for the dispatcher or for its delivery.
func (s *Store) Queues(ctx context.Context) (models.Queues, error) {
	var queues models.Queues
	err := s.read(ctx).Raw("SELECT COUNT(*) FROM invocations WHERE status = 'queued'").Scan(&queues.Depth).Error
	if err != nil {
		return models.Queues{}, translate(err)
	}
	var oldest *int64
	err = s.read(ctx).Raw("SELECT MIN(created_at) FROM ordering_keys JOIN invocations ON invocations.id = head" +
		" WHERE head IS NOT NULL").Scan(&oldest).Error
	if err == nil && oldest != nil {
		queues.HeadAge = max(0, s.now().Sub(fromMicros(*oldest)))
	}
	if err != nil {
		return queues, translate(err)
	}
	return queues, translate(errors.Join(s.undispatched(ctx, &queues), s.undelivered(ctx, &queues)))
}

// openByIndex is what is pending or retrying: what a workflow has, what the dispatcher or a line has, and what is parked
// each have an index. Its age counts unless it was to wait from the start, or waits with a paused subscription.
const openByIndex = "SELECT created_at, event_id, next_attempt_at, first_attempt_at, parked FROM invocations" +
	" WHERE next_attempt_at > 0 AND dispatch_after IS NULL AND NOT parked" +
	" UNION ALL SELECT created_at, event_id, next_attempt_at, first_attempt_at, parked FROM invocations" +
	" WHERE dispatch_after > 0 AND next_attempt_at > 0" +
	" UNION ALL SELECT created_at, event_id, next_attempt_at, first_attempt_at, parked FROM invocations" +
	" WHERE parked AND dispatch_after IS NULL AND next_attempt_at > 0"

// undelivered counts what is pending or retrying, and tells the age of the oldest event among it.
func (s *Store) undelivered(ctx context.Context, queues *models.Queues) error {
	var row struct {
		N      int
		Oldest *int64
	}
	now := s.now()
	err := s.read(ctx).Raw("SELECT COUNT(*) AS n, MIN(CASE WHEN NOT parked AND event_id IS NOT NULL"+
		" AND (next_attempt_at <= ? OR first_attempt_at IS NOT NULL) THEN created_at END) AS oldest"+
		" FROM ("+openByIndex+") AS open", micros(now)).Scan(&row).Error
	queues.Open = row.N
	if row.Oldest != nil {
		queues.UndeliveredAge = max(0, now.Sub(fromMicros(*row.Oldest)))
	}
	return err
}

// undispatched counts what waits for the dispatcher, and what one has taken and not handed on. What waits for its turn
// in its subscription's line does not wait for the dispatcher.
func (s *Store) undispatched(ctx context.Context, queues *models.Queues) error {
	var row struct {
		N      int
		Oldest *int64
	}
	now := s.now()
	err := s.read(ctx).Raw("SELECT COUNT(*) AS n, MIN(COALESCE(next_attempt_at, created_at)) AS oldest FROM invocations"+
		" WHERE dispatch_after <= ? AND NOT parked AND (slot IS NULL OR slot <> dispatch_after)",
		micros(now.Add(dispatchLease))).Scan(&row).Error
	queues.Undispatched = row.N
	if row.Oldest != nil {
		queues.UndispatchedAge = max(0, now.Sub(fromMicros(*row.Oldest)))
	}
	return err
}
