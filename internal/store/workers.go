package store

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"gorm.io/gorm"
)

// Lease is how long a worker's claims live after it last renewed itself. It renews each second; four are past any
// pause that is not an outage.
const Lease = 4 * time.Second

// RenewWorker tells that the worker with this boot id is alive, and forgets workers that have not been for an hour.
func (s *Store) RenewWorker(ctx context.Context, id string) error {
	var now time.Time
	err := s.writeRelaxed(ctx, func(tx *gorm.DB) error {
		now = s.now() // not when it came to wait for the writer: a lease counts from what is stored
		return renewWorker(tx, id, now)
	})
	if err == nil {
		s.touch.renewed(id, now)
	}
	return err
}

func renewWorker(tx *gorm.DB, id string, now time.Time) error {
	done := tx.Exec("UPDATE workers SET renewed_at = ? WHERE id = ?", micros(now), id)
	if done.Error != nil || done.RowsAffected > 0 {
		return done.Error
	}
	if err := tx.Exec("DELETE FROM workers WHERE renewed_at < ?", micros(now.Add(-time.Hour))).Error; err != nil {
		return err
	}
	return tx.Exec("INSERT INTO workers (id, started_at, renewed_at) VALUES (?, ?, ?)", id, micros(now), micros(now)).Error
}

// RetireOthers takes out every worker that this SQLite file has known: one process at a time has the file, so they are
// dead, and what they claimed need not wait until their leases end. On Postgres they may live elsewhere, and stay.
func (s *Store) RetireOthers(ctx context.Context) error {
	if s.postgres() {
		return nil
	}
	return s.writeRelaxed(ctx, func(tx *gorm.DB) error { return tx.Exec("DELETE FROM workers").Error })
}

// RetireWorker takes a worker out that has settled or given back all its claims.
func (s *Store) RetireWorker(ctx context.Context, id string) error {
	return s.writeRelaxed(ctx, func(tx *gorm.DB) error {
		return tx.Exec("DELETE FROM workers WHERE id = ?", id).Error
	})
}

// touch knows whether the workers of this process were able to renew themselves lately. Where they were not, because the
// database was down, or the process stopped, the others may have been in the same case: nobody is taken for dead
// before there was time to hear from them again. The zero value is ready.
type touch struct {
	mu sync.Mutex
	// last is when each worker renewed itself, back when it did after more than a lease.
	last, back map[string]time.Time
}

func (t *touch) renewed(id string, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.last == nil {
		t.last, t.back = map[string]time.Time{}, map[string]time.Time{}
	}
	if last, ok := t.last[id]; ok && now.Sub(last) >= Lease {
		t.back[id] = now
	}
	t.last[id] = now
}

// lostWithin reports whether the worker has been out of touch with the database so long ago or since.
func (t *touch) lostWithin(d time.Duration, id string, now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	last, known := t.last[id]
	if !known {
		return false
	}
	back, was := t.back[id]
	return now.Sub(last) >= Lease || was && now.Sub(back) < d
}

// anyLostWithin is lostWithin for all workers of this process, of which there is one outside of tests.
func (t *touch) anyLostWithin(d time.Duration, now time.Time) bool {
	t.mu.Lock()
	ids := slices.Collect(maps.Keys(t.last))
	t.mu.Unlock()
	return slices.ContainsFunc(ids, func(id string) bool { return t.lostWithin(d, id, now) })
}

// living bounds the claims that live: their workers were renewed, and they were made, after these times.
type living struct{ renewed, claimed time.Time }

// living is what a worker takes for alive; "" = all those of this process. One that was out of touch takes everybody
// for alive until there was time to hear from them, and no claim for too old until there was time to settle it: its
// request may have been answered while the database was away.
func (s *Store) living(asker string, now time.Time) living {
	lost := func(d time.Duration) bool { return s.touch.lostWithin(d, asker, now) }
	if asker == "" {
		lost = func(d time.Duration) bool { return s.touch.anyLostWithin(d, now) }
	}
	l := living{renewed: now.Add(-Lease), claimed: now.Add(-maxClaim)}
	if lost(Lease) {
		l.renewed = time.Time{}
	}
	if lost(maxClaim) {
		l.claimed = time.Time{}
	}
	return l
}

// alive reads the workers whose claims live in the eyes of one of them, and until when they do unless they are renewed.
func (s *Store) alive(tx *gorm.DB, asker string) (map[string]time.Time, error) {
	var rows []struct {
		ID        string
		RenewedAt int64
	}
	now := s.now()
	since := s.living(asker, now).renewed
	lost := since.IsZero()
	err := tx.Raw("SELECT id, renewed_at FROM workers WHERE renewed_at > ?", micros(since)).Scan(&rows).Error
	live := make(map[string]time.Time, len(rows))
	for _, row := range rows {
		live[row.ID] = fromMicros(row.RenewedAt).Add(Lease)
		if lost {
			live[row.ID] = now.Add(Lease)
		}
	}
	return live, err
}

// setting reads a named value; "" when it was never set.
func setting(tx *gorm.DB, name string) (string, error) {
	var value string
	err := takeRaw(tx, &value, "SELECT value FROM settings WHERE name = ?", name)
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return "", nil
	}
	return value, err
}

func setSetting(tx *gorm.DB, name, value string) error {
	return tx.Exec("INSERT INTO settings (name, value) VALUES (?, ?)"+
		" ON CONFLICT (name) DO UPDATE SET value = excluded.value", name, value).Error
}

// AdoptNamespace makes every open row undispatched when the Temporal namespace is another than last time: its
// workflows are gone with the old one. It reports whether that was so.
func (s *Store) AdoptNamespace(ctx context.Context, uuid string) (changed bool, err error) {
	err = s.write(ctx, func(tx *gorm.DB) error {
		last, err := setting(tx, "temporal_namespace")
		if err != nil {
			return err
		}
		changed = last != uuid && last != ""
		if last == uuid {
			return nil
		}
		now := micros(s.now())
		err = tx.Exec("UPDATE invocations SET dispatch_after = ? WHERE next_attempt_at IS NOT NULL"+
			" AND status IN ('pending', 'retrying') AND dispatch_after IS NULL AND NOT parked", now).Error
		if err != nil {
			return err
		}
		err = tx.Exec("UPDATE commands SET dispatch_after = ? WHERE settled_at IS NULL AND job_id IS NULL", now).Error
		if err != nil {
			return err
		}
		if err := tx.Exec("UPDATE jobs SET dispatch_after = ? WHERE finished_at IS NULL", now).Error; err != nil {
			return err
		}
		return setSetting(tx, "temporal_namespace", uuid)
	})
	return changed, err
}
