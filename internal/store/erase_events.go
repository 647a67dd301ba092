package store

import (
	"context"
	"slices"

	"gorm.io/gorm"

	"github.com/posthorn/posthorn/models"
)

// cancelBatch is how many invocations one transaction cancels: each takes three statements at most.
const cancelBatch = 200

// events removes the next events, but for those with attempts in flight. An entity's are those accepted before the
// erasure; what was published since is about its future.
func (e *eraser) events(ctx context.Context, from models.ErasureCursor) (models.ErasureStep, error) {
	from.Phase = models.EraseEvents
	rows, err := e.nextEvents(ctx, from.Seq)
	if err != nil {
		return models.ErasureStep{}, err
	}
	if len(rows) == 0 {
		return e.afterEvents(ctx, from)
	}
	if err := e.cancel(ctx, "event_id IN ?", idsOf(rows)); err != nil {
		return models.ErasureStep{}, err
	}
	ended, seen, err := e.ended(e.store.read(ctx), rows)
	if err != nil {
		return models.ErasureStep{}, err
	}
	removed := 0
	if len(ended) > 0 {
		err = e.remove(ctx, func(tx *gorm.DB) error {
			removed, err = e.removeEvents(tx, ended)
			return err
		})
	}
	from.Seq, from.Left = rows[seen-1].CreatedAt, from.Left+seen-removed
	return models.ErasureStep{Next: from}, err
}

// nextEvents reads the next events in the order of acceptance; their CreatedAt is that order.
func (e *eraser) nextEvents(ctx context.Context, after int64) (rows []aged, err error) {
	condition, args := "application_id = ?", []any{e.erasure.ApplicationID}
	if !e.whole() {
		condition += " AND entity_id = ? AND created_at <= ?"
		args = append(args, *e.erasure.EntityID, micros(e.erasure.CreatedAt))
	}
	err = e.store.read(ctx).Raw("SELECT seq AS created_at, id FROM events WHERE "+condition+" AND seq > ? ORDER BY seq LIMIT ?",
		append(args, after, e.limit)...).Scan(&rows).Error
	return rows, err
}

// afterEvents goes round again while something is left, and on to what comes then.
func (e *eraser) afterEvents(ctx context.Context, from models.ErasureCursor) (models.ErasureStep, error) {
	switch {
	case from.Left > 0:
		return models.ErasureStep{Next: models.ErasureCursor{Phase: from.Phase}, Waiting: true}, nil
	case e.whole():
		return models.ErasureStep{Next: models.ErasureCursor{Phase: models.EraseTests}}, nil
	}
	err := e.remove(ctx, func(tx *gorm.DB) error { return e.forgetEntity(tx, *e.erasure.EntityID) })
	if err != nil {
		return models.ErasureStep{}, err
	}
	return e.end(ctx)
}

// forgetEntity removes ordering keys of the entity that no invocation has: an event that was refused leaves one. From
// here on the record holds no more of the entity than its digest.
func (e *eraser) forgetEntity(tx *gorm.DB, entity string) error {
	suffix := "/" + entity
	end, locked := "substr(id, -length(?)) = ?", ""
	if e.store.postgres() {
		end, locked = "right(id, length(CAST(? AS text))) = ?", " ORDER BY "+e.store.keyOrder()+e.store.forUpdate("ordering_keys")
	}
	// Locked first, and looked at by another statement: what one that waits for a lock reads of other tables is from
	// before, when an event that was being accepted had no invocation yet.
	var keys []string
	err := tx.Raw("SELECT id FROM ordering_keys WHERE subscription_id IN (SELECT id FROM subscriptions WHERE application_id = ?)"+
		" AND "+end+locked, e.erasure.ApplicationID, suffix, suffix).Scan(&keys).Error
	if err != nil {
		return err
	}
	if len(keys) > 0 {
		err = tx.Exec("DELETE FROM ordering_keys WHERE id IN ? AND head IS NULL AND NOT EXISTS (SELECT 1 FROM invocations"+
			" WHERE subscription_id = ordering_keys.subscription_id AND ordering_key = ordering_keys.id)", keys).Error
		if err != nil {
			return err
		}
	}
	return tx.Exec("UPDATE erasures SET entity_id = NULL WHERE id = ?", e.erasure.ID).Error
}

// cancel ends what is open of the invocations that the condition names, as a cancellation by hand does: workflows that
// wait are told, queues go on with the next. Redeliveries that were asked for are not carried out.
func (e *eraser) cancel(ctx context.Context, condition string, ids []string) error {
	for n := cancelBatch; n == cancelBatch; {
		err := e.store.write(ctx, func(tx *gorm.DB) (err error) {
			n, err = e.cancelSome(tx, condition+" AND "+openSQL, ids)
			return err
		})
		if err != nil {
			return err
		}
	}
	now := micros(e.store.now())
	return e.store.write(ctx, func(tx *gorm.DB) error {
		return tx.Exec("UPDATE commands SET settled_at = ?, dispatch_after = NULL,"+
			" outcome = CASE WHEN job_id IS NULL THEN outcome ELSE ? END WHERE kind = ? AND settled_at IS NULL"+
			" AND invocation_id IN (SELECT id FROM invocations WHERE "+condition+")",
			now, models.RedeliveryRefused, models.CommandRedeliver, ids).Error
	})
}

func (e *eraser) cancelSome(tx *gorm.DB, condition string, ids []string) (int, error) {
	s := e.store
	keys, err := s.lockKeys(tx, condition, ids)
	if err != nil {
		return 0, err
	}
	var open []models.Invocation
	err = tx.Raw("SELECT * FROM invocations WHERE "+condition+" ORDER BY id LIMIT ?"+s.forUpdate("invocations"),
		ids, cancelBatch).Scan(&open).Error
	for i := range open {
		if err == nil {
			err = s.cancelOne(tx, &open[i], keys, models.ReasonErased)
		}
	}
	return len(open), err
}

// unlistFromJobs takes the invocations out of the lists of the jobs that redelivered them: a job is then as if it had
// not been asked for them. A job that is being worked on is left for later: it waits for the invocations that are
// locked here.
func (p *purge) unlistFromJobs(tx *gorm.DB, ids []string) error {
	const listing = " FROM jobs WHERE ids IS NOT NULL AND id IN (SELECT job_id FROM commands" +
		" WHERE job_id IS NOT NULL AND invocation_id IN ?)"
	var jobs []models.Job
	if err := tx.Raw("SELECT *"+listing+" ORDER BY id"+p.store.skipLocked(), ids).Scan(&jobs).Error; err != nil {
		return err
	}
	var all int64
	err := tx.Raw("SELECT COUNT(*)"+listing, ids).Scan(&all).Error
	if err == nil && int(all) > len(jobs) {
		err = errBusy
	}
	for i := range jobs {
		if err != nil {
			return err
		}
		job := &jobs[i]
		before := len(job.IDs)
		job.IDs = slices.DeleteFunc(job.IDs, func(id string) bool { return slices.Contains(ids, id) })
		job.Matched -= before - len(job.IDs)
		err = tx.Select("ids", "matched").Updates(job).Error
	}
	return err
}
