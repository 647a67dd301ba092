package store

import (
	"context"
	"errors"
	"time"

	"gorm.io/gorm"
)

// Lease is how long a worker's claims live after it last renewed itself. It renews each second; four are past any
// pause that is not an outage.
const Lease = 4 * time.Second

// RenewWorker tells that the worker with this boot id is alive, and forgets workers that have not been for an hour.
func (s *Store) RenewWorker(ctx context.Context, id string) error {
	now := s.now()
	return s.writeRelaxed(ctx, func(tx *gorm.DB) error {
		done := tx.Exec("UPDATE workers SET renewed_at = ? WHERE id = ?", micros(now), id)
		if done.Error != nil || done.RowsAffected > 0 {
			return done.Error
		}
		if err := tx.Exec("DELETE FROM workers WHERE renewed_at < ?", micros(now.Add(-time.Hour))).Error; err != nil {
			return err
		}
		return tx.Exec("INSERT INTO workers (id, started_at, renewed_at) VALUES (?, ?, ?)", id, micros(now), micros(now)).Error
	})
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

// alive reads the workers whose claims live, and until when they do unless they are renewed.
func (s *Store) alive(tx *gorm.DB) (map[string]time.Time, error) {
	var rows []struct {
		ID        string
		RenewedAt int64
	}
	err := tx.Raw("SELECT id, renewed_at FROM workers WHERE renewed_at > ?", micros(s.now().Add(-Lease))).Scan(&rows).Error
	live := make(map[string]time.Time, len(rows))
	for _, row := range rows {
		live[row.ID] = fromMicros(row.RenewedAt).Add(Lease)
	}
	return live, err
}

// Setting reads a named value; "" when it was never set.
func (s *Store) Setting(ctx context.Context, name string) (string, error) {
	value, err := setting(s.read(ctx), name)
	return value, translate(err)
}

func setting(tx *gorm.DB, name string) (string, error) {
	var value string
	err := takeRaw(tx, &value, "SELECT value FROM settings WHERE name = ?", name)
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return "", nil
	}
	return value, err
}

// SetSetting stores a named value.
func (s *Store) SetSetting(ctx context.Context, name, value string) error {
	return s.write(ctx, func(tx *gorm.DB) error { return setSetting(tx, name, value) })
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
