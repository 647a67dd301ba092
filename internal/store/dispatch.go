package store

import (
	"context"
	"time"

	"gorm.io/gorm"

	"github.com/posthorn/posthorn/models"
)

// dispatchLease is how long a row that a dispatcher took stays its own: a crash between take and mark costs so much.
const dispatchLease = 3 * time.Second

// takeFor is how long one TakeDispatches goes on when failing subscriptions do not take what it finds.
const takeFor = dispatchLease / 3

// TakeDispatches takes up to limit invocations that are due for the dispatcher, oldest first. Each stays the
// caller's for dispatchLease; MarkDispatched, or the claim of its attempt, ends that. What a subscription does not take
// now goes to the end of its line instead; see holdBack.
func (s *Store) TakeDispatches(ctx context.Context, limit int) ([]models.Dispatch, error) {
	var rows []models.Dispatch
	for now := s.now(); ; {
		var found []taken
		var left []models.Dispatch
		err := s.writeRelaxed(ctx, func(tx *gorm.DB) (err error) {
			if found, err = s.take(tx, now, limit-len(rows)); err == nil {
				left, err = s.holdBack(tx, now, found)
			}
			return err
		})
		if err != nil {
			return rows, err
		}
		all := len(found) == limit-len(rows) && len(left) < len(found) // there may be more behind those held back
		if rows = append(rows, left...); !all || s.now().Sub(now) > takeFor {
			return rows, nil
		}
	}
}

// taken is a row that the dispatcher took. Loose is set for what is neither in a queue nor a test, First for what was
// never attempted.
type taken struct {
	models.Dispatch

	Loose, First bool
}

func (s *Store) take(tx *gorm.DB, now time.Time, limit int) (rows []taken, err error) {
	err = tx.Raw("UPDATE invocations SET dispatch_after = ? WHERE id IN (SELECT id FROM invocations"+
		" WHERE dispatch_after <= ? ORDER BY dispatch_after, id LIMIT ?"+s.skipLocked()+")"+
		" RETURNING id AS invocation_id, application_id, subscription_id, event_id, event_type, workflow_id,"+
		" dispatch_after AS lease, COALESCE(next_attempt_at, created_at) AS due, overdue,"+
		" slot IS NOT NULL AS lined,"+
		" position IS NULL AND event_id IS NOT NULL AS loose, first_attempt_at IS NULL AS first",
		micros(now.Add(dispatchLease)), micros(now), limit).Scan(&rows).Error
	return rows, err
}

// MarkDispatched ends the dispatcher's hold on what its workflows have got; rows that changed hands since are left.
func (s *Store) MarkDispatched(ctx context.Context, lease time.Time, ids []string) error {
	return s.writeRelaxed(ctx, func(tx *gorm.DB) error {
		return tx.Exec("UPDATE invocations SET dispatch_after = NULL WHERE id IN ? AND dispatch_after = ?",
			ids, micros(lease)).Error
	})
}

// MoveDispatches gives rows, by workflow id, to other workflows than those they were accepted with: commands that come
// from now on go there. It returns the invocations that were moved: those that are still the caller's.
func (s *Store) MoveDispatches(ctx context.Context, workflows map[string][]models.Dispatch) (moved []string, err error) {
	err = s.writeRelaxed(ctx, func(tx *gorm.DB) error {
		moved = nil
		leases, err := s.lockLeases(tx, workflows)
		if err != nil {
			return err
		}
		for workflow, rows := range workflows {
			var ids []string
			for _, row := range rows {
				if lease, held := leases[row.InvocationID]; held && lease == micros(row.Lease) {
					ids = append(ids, row.InvocationID)
				}
			}
			if len(ids) == 0 {
				continue
			}
			if err := tx.Exec("UPDATE invocations SET workflow_id = ? WHERE id IN ?", workflow, ids).Error; err != nil {
				return err
			}
			moved = append(moved, ids...)
		}
		return nil
	})
	return moved, err
}

// lockLeases locks the rows, in the order of their ids as everybody does, and reads until when each is whose.
func (s *Store) lockLeases(tx *gorm.DB, workflows map[string][]models.Dispatch) (map[string]int64, error) {
	var ids []string
	for _, rows := range workflows {
		for _, row := range rows {
			ids = append(ids, row.InvocationID)
		}
	}
	var found []struct {
		ID            string
		DispatchAfter int64
	}
	err := tx.Raw("SELECT id, dispatch_after FROM invocations WHERE id IN ? AND dispatch_after IS NOT NULL ORDER BY id"+
		s.forUpdate("invocations"), ids).Scan(&found).Error
	leases := make(map[string]int64, len(found))
	for _, row := range found {
		leases[row.ID] = row.DispatchAfter
	}
	return leases, err
}

// TakeCommands takes up to limit commands that are due, like TakeDispatches.
func (s *Store) TakeCommands(ctx context.Context, limit int) ([]models.Command, error) {
	var rows []models.Command
	now := s.now()
	err := s.writeRelaxed(ctx, func(tx *gorm.DB) error {
		return tx.Raw("UPDATE commands SET dispatch_after = ? WHERE id IN (SELECT id FROM commands"+
			" WHERE dispatch_after <= ? ORDER BY dispatch_after, id LIMIT ?"+s.skipLocked()+") RETURNING *",
			micros(now.Add(dispatchLease)), micros(now), limit).Scan(&rows).Error
	})
	return rows, err
}

// MarkCommand notes that a command's signal has reached its workflow. A cancel is carried out with that: its row
// was changed when it was accepted.
func (s *Store) MarkCommand(ctx context.Context, c models.Command) error {
	return s.writeRelaxed(ctx, func(tx *gorm.DB) error {
		if c.Kind == models.CommandCancel {
			return s.settleCommand(tx, c.ID, s.now())
		}
		return tx.Exec("UPDATE commands SET dispatch_after = NULL WHERE id = ? AND dispatch_after = ?",
			c.ID, microsOf(c.DispatchAfter)).Error
	})
}

func (s *Store) skipLocked() string {
	if s.postgres() {
		return " FOR NO KEY UPDATE SKIP LOCKED"
	}
	return ""
}

// OverdueAfter is how late an attempt may be before the reconciler looks after it.
const OverdueAfter = 30 * time.Second

// Reconcile gives the dispatcher up to limit rows that nobody seems to work on: attempts overdue by OverdueAfter and
// more for each time they were given already, parked rows whose subscription receives, redeliveries signalled but
// not carried out, jobs that nobody carries on. What it brings up again and again comes less and less often. It returns
// how many.
func (s *Store) Reconcile(ctx context.Context, limit int) (int, error) {
	found := 0
	err := s.writeRelaxed(ctx, func(tx *gorm.DB) error {
		found = 0
		for _, step := range []func(*gorm.DB, int) (int, error){
			s.reviveOverdue, s.reviveParked, s.reviveCommands, s.reviveJobs,
		} {
			n, err := step(tx, limit)
			if err != nil {
				return err
			}
			found += n
		}
		return nil
	})
	return found, err
}

func (s *Store) reviveOverdue(tx *gorm.DB, limit int) (int, error) {
	now := s.now()
	done := tx.Exec("UPDATE invocations SET dispatch_after = ?, overdue = overdue + 1 WHERE id IN ("+
		"SELECT id FROM invocations WHERE next_attempt_at <= CAST(? AS bigint) - CAST(? AS bigint) * overdue AND next_attempt_at <= ?"+
		" AND status IN ('pending', 'retrying') AND dispatch_after IS NULL AND NOT parked"+
		" AND (claim_token IS NULL OR claimed_at < ?"+
		" OR claim_owner NOT IN (SELECT id FROM workers WHERE renewed_at > ?))"+
		" ORDER BY next_attempt_at LIMIT ?"+s.skipLocked()+")",
		micros(now), micros(now.Add(-OverdueAfter)), OverdueAfter.Microseconds(), micros(now.Add(-OverdueAfter)),
		micros(now.Add(-maxClaim)), micros(now.Add(-Lease)), limit)
	return int(done.RowsAffected), done.Error
}

// reviveParked goes by the subscriptions: thousands may be parked for one that is disabled. (SQLite takes a CROSS JOIN in
// the order that it is written in; Postgres takes any.)
func (s *Store) reviveParked(tx *gorm.DB, limit int) (int, error) {
	done := tx.Exec("UPDATE invocations SET dispatch_after = "+revivedAt+","+
		" overdue = overdue + 1, parked = ? WHERE id IN ("+
		"SELECT i.id FROM subscriptions s CROSS JOIN invocations i WHERE i.subscription_id = s.id AND i.parked"+
		" AND s.enabled AND s.verified AND NOT s.gone AND s.deleted_at IS NULL LIMIT ?)",
		micros(s.now()), OverdueAfter.Microseconds(), false, limit)
	return int(done.RowsAffected), done.Error
}

// revivedAt is when the dispatcher gets what the reconciler has found: at once, and later for each time that it was
// given to it already, up to an hour. Its parameters are the time and OverdueAfter, in microseconds.
const revivedAt = "CAST(? AS bigint) + CAST(? AS bigint) * CASE WHEN overdue < 120 THEN overdue ELSE 120 END"

func (s *Store) reviveCommands(tx *gorm.DB, limit int) (int, error) {
	now := s.now()
	done := tx.Exec("UPDATE commands SET dispatch_after = "+revivedAt+", overdue = overdue + 1 WHERE id IN (SELECT id FROM commands"+
		" WHERE settled_at IS NULL AND dispatch_after IS NULL AND job_id IS NULL AND created_at <= ? LIMIT ?)",
		micros(now), OverdueAfter.Microseconds(), micros(now.Add(-OverdueAfter)), limit)
	return int(done.RowsAffected), done.Error
}
