package store

import (
	"context"
	"time"

	"gorm.io/gorm"
)

// WriteTogether runs writes as one group, on SQLite.
func (s *Store) WriteTogether(ctx context.Context, writes ...func(tx *gorm.DB) error) []error {
	group := make([]*pendingWrite, 0, len(writes))
	for _, fn := range writes {
		group = append(group, &pendingWrite{ctx: ctx, fn: fn, done: make(chan struct{})})
	}
	s.committer.commit(group)
	errs := make([]error, 0, len(writes))
	for _, w := range group {
		<-w.done
		errs = append(errs, w.err)
	}
	return errs
}

// Write runs fn in a durable transaction.
func (s *Store) Write(ctx context.Context, fn func(tx *gorm.DB) error) error { return s.write(ctx, fn) }

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
