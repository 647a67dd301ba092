package store

import (
	"context"
	"time"

	"gorm.io/gorm"
)

// OpenAt is Open on a machine whose clock is local.
func OpenAt(ctx context.Context, o Options, local func() time.Time) (*Store, error) {
	return open(ctx, o, local)
}

// Trace calls note with every statement and its parameters, from now on; nothing may run yet.
func (s *Store) Trace(note func(sql string, vars []any)) error {
	pools := []*gorm.DB{s.db}
	if s.reader != s.db {
		pools = append(pools, s.reader)
	}
	trace := func(db *gorm.DB) { note(db.Statement.SQL.String(), db.Statement.Vars) }
	for _, db := range pools {
		on := db.Callback()
		for _, register := range []func(string, func(*gorm.DB)) error{
			on.Create().Register, on.Query().Register, on.Update().Register, on.Delete().Register, on.Row().Register, on.Raw().Register,
		} {
			if err := register("store:trace", trace); err != nil {
				return err
			}
		}
	}
	return nil
}
