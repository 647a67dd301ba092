package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"

	"gorm.io/gorm"

	"github.com/posthorn/posthorn/models"
)

// eraser carries one batch of an erasure out. It removes as the retention does, whatever the age.
type eraser struct {
	purge

	erasure *models.Erasure
}

// Erase carries an erasure on by one batch of at most limit events, or tests, with all that belongs to them. What is open
// is cancelled first; what has an attempt in flight is left until that is settled. from is the Next of the batch before.
// What a batch removed is in the record with it, so that it may be tried again at any moment. An erasure that is not
// there, or has ended, is done.
func (s *Store) Erase(
	ctx context.Context, id string, from models.ErasureCursor, limit int,
) (models.ErasureStep, error) {
	e := &eraser{purge: purge{store: s, before: math.MaxInt64, limit: limit, unlist: true}}
	var err error
	switch e.erasure, err = s.Erasure(ctx, id); {
	case models.ErrorCode(err) == models.CodeNotFound:
		return models.ErasureStep{Done: true}, nil
	case err != nil:
		return models.ErasureStep{}, err
	case e.erasure.FinishedAt != nil:
		return models.ErasureStep{Done: true}, nil
	}
	if err := e.begin(ctx); err != nil {
		return models.ErasureStep{}, err
	}
	step, err := e.run(ctx, from)
	if errors.Is(err, errBusy) {
		return models.ErasureStep{Next: from, Waiting: true}, nil
	}
	return step, translate(err)
}

// whole reports whether the application itself is to go. Its record has no digest; that of an entity loses the id before
// it ends.
func (e *eraser) whole() bool { return e.erasure.EntityDigest == nil }

func (e *eraser) run(ctx context.Context, from models.ErasureCursor) (models.ErasureStep, error) {
	if !e.whole() && e.erasure.EntityID == nil { // forgotten already
		return e.end(ctx)
	}
	switch from.Phase {
	case "", models.EraseEvents:
		return e.events(ctx, from)
	case models.EraseTests:
		return e.tests(ctx, from)
	case models.EraseRest:
		return e.rest(ctx)
	default:
		return models.ErasureStep{}, fmt.Errorf("unknown phase of an erasure: %q", from.Phase)
	}
}

// begin tells the dispatcher that somebody works on it.
func (e *eraser) begin(ctx context.Context) error {
	now := e.store.now()
	return e.store.writeRelaxed(ctx, func(tx *gorm.DB) error {
		return tx.Exec("UPDATE erasures SET started_at = COALESCE(started_at, ?), dispatch_after = ?"+
			" WHERE id = ? AND finished_at IS NULL", micros(now), micros(now.Add(erasureLease)), e.erasure.ID).Error
	})
}

// errBusy tells that somebody holds what a batch would have to change.
var errBusy = errors.New("held by others")

// remove runs fn in a transaction that leaves nothing of what it deletes in the file, and notes what that was.
func (e *eraser) remove(ctx context.Context, fn func(tx *gorm.DB) error) error {
	return e.store.writeSecurely(ctx, func(tx *gorm.DB) error {
		e.gone = models.ErasureCounts{}
		if err := fn(tx); err != nil || e.gone == (models.ErasureCounts{}) {
			return err
		}
		g := e.gone
		return tx.Exec("UPDATE erasures SET events = events + ?, invocations = invocations + ?, attempts = attempts + ?,"+
			" jobs = jobs + ?, subscriptions = subscriptions + ?, api_keys = api_keys + ? WHERE id = ?",
			g.Events, g.Invocations, g.Attempts, g.Jobs, g.Subscriptions, g.Keys, e.erasure.ID).Error
	})
}

// end completes the record once nothing is left, in SQLite's files neither.
func (e *eraser) end(ctx context.Context) (models.ErasureStep, error) {
	if err := e.store.scrub(ctx); err != nil {
		return models.ErasureStep{}, err
	}
	now := e.store.now().UTC()
	err := e.store.write(ctx, func(tx *gorm.DB) error {
		done := tx.Exec("UPDATE erasures SET finished_at = ?, dispatch_after = NULL WHERE id = ? AND finished_at IS NULL",
			micros(now), e.erasure.ID)
		if done.Error != nil || done.RowsAffected == 0 {
			return done.Error
		}
		var record models.Erasure
		if err := takeRaw(tx, &record, "SELECT * FROM erasures WHERE id = ?", e.erasure.ID); err != nil {
			return err
		}
		return tx.Create(completion(&record, now)).Error
	})
	return models.ErasureStep{Done: true}, err
}

// completion is the end of an erasure as the audit log has it.
func completion(e *models.Erasure, now time.Time) *models.AuditEntry {
	detail, _ := json.Marshal(map[string]int{ //nolint:errchkjson // numbers
		"events": e.Events, "invocations": e.Invocations, "attempts": e.Attempts, "jobs": e.Jobs,
		"subscriptions": e.Subscriptions, "keys": e.Keys,
	})
	return &models.AuditEntry{
		ID: models.NewID(), Actor: models.ActorOperator, Role: models.RoleOperator, ApplicationID: &e.ApplicationID,
		Action: models.ActionCompleteErasure, SubjectType: "erasure", SubjectID: e.ID, Detail: detail, CreatedAt: now,
	}
}

// writeSecurely is write, and on SQLite overwrites what it deletes: a freed page would otherwise keep its old bytes
// until somebody needs it. Postgres' vacuum does as much in its own time.
func (s *Store) writeSecurely(ctx context.Context, fn func(tx *gorm.DB) error) error {
	if s.postgres() {
		return s.write(ctx, fn)
	}
	return s.write(ctx, func(tx *gorm.DB) error {
		if err := tx.Exec("PRAGMA secure_delete = ON").Error; err != nil {
			return err
		}
		return errors.Join(fn(tx), tx.Exec("PRAGMA secure_delete = FAST").Error)
	})
}

// scrub moves SQLite's write-ahead log, in which old pages are, into the database file and empties it. It waits for
// readers up to the busy timeout.
func (s *Store) scrub(ctx context.Context) error {
	if s.postgres() {
		return nil
	}
	var result struct{ Busy, Log, Checkpointed int }
	err := s.committer.do(ctx, &pendingWrite{alone: true, fn: func(db *gorm.DB) error {
		return db.Raw("PRAGMA wal_checkpoint(TRUNCATE)").Scan(&result).Error
	}})
	if err == nil && result.Busy != 0 {
		err = errors.New("the write-ahead log is in use")
	}
	return translate(err)
}
