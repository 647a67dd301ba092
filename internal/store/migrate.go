package store

import (
	"context"

	"github.com/posthorn/posthorn/migrations"
)

// Migrate brings the schema up to date.
func (s *Store) Migrate(ctx context.Context) error {
	_, err := s.MigrateUp(ctx)
	return err
}

// MigrateUp is Migrate that tells the versions it applied.
func (s *Store) MigrateUp(ctx context.Context) ([]int64, error) {
	pool, err := s.SQL()
	if err != nil {
		return nil, err
	}
	return migrations.Up(ctx, pool, s.dialect)
}

// MigrateDown takes back the newest migration and returns its version; 0 when there is none.
func (s *Store) MigrateDown(ctx context.Context) (int64, error) {
	pool, err := s.SQL()
	if err != nil {
		return 0, err
	}
	return migrations.Down(ctx, pool, s.dialect)
}

// Migrations tells which migrations the database has.
func (s *Store) Migrations(ctx context.Context) ([]migrations.Status, error) {
	pool, err := s.SQL()
	if err != nil {
		return nil, err
	}
	return migrations.List(ctx, pool, s.dialect)
}

// PendingMigrations tells how many migrations the database lacks.
func (s *Store) PendingMigrations(ctx context.Context) (int, error) {
	pool, err := s.SQL()
	if err != nil {
		return 0, err
	}
	return migrations.Pending(ctx, pool, s.dialect)
}
