// Package migrations holds the database schema as goose migrations, one folder for each dialect.
package migrations

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

//go:embed postgres/*.sql sqlite/*.sql
var files embed.FS

// Dialect names a database.
type Dialect string

// The databases.
const (
	Postgres Dialect = "postgres"
	SQLite   Dialect = "sqlite"
)

// Status is one migration and whether the database has it.
type Status struct {
	Version int64
	Name    string
	Applied bool
}

// Up brings the database to the newest schema. It returns the versions it applied; none when there was nothing to do.
// On Postgres several processes may call it at once: goose's advisory lock lets one of them work.
func Up(ctx context.Context, db *sql.DB, dialect Dialect) ([]int64, error) {
	provider, err := newProvider(db, dialect)
	if err != nil {
		return nil, err
	}
	results, err := provider.Up(ctx)
	if err != nil {
		return nil, fmt.Errorf("migrate up: %w", err)
	}
	versions := make([]int64, 0, len(results))
	for _, r := range results {
		versions = append(versions, r.Source.Version)
	}
	return versions, nil
}

// Down takes back the newest migration and returns its version; 0 when there is none.
func Down(ctx context.Context, db *sql.DB, dialect Dialect) (int64, error) {
	provider, err := newProvider(db, dialect)
	if err != nil {
		return 0, err
	}
	current, err := provider.GetDBVersion(ctx)
	if err != nil || current == 0 {
		return 0, err
	}
	result, err := provider.Down(ctx)
	if err != nil {
		return 0, fmt.Errorf("migrate down: %w", err)
	}
	return result.Source.Version, nil
}

// List tells which migrations the database has.
func List(ctx context.Context, db *sql.DB, dialect Dialect) ([]Status, error) {
	provider, err := newProvider(db, dialect)
	if err != nil {
		return nil, err
	}
	found, err := provider.Status(ctx)
	if err != nil {
		return nil, fmt.Errorf("migration status: %w", err)
	}
	list := make([]Status, 0, len(found))
	for _, m := range found {
		list = append(list, Status{Version: m.Source.Version, Name: m.Source.Path, Applied: m.State == goose.StateApplied})
	}
	return list, nil
}

// Pending returns how many migrations the database lacks.
func Pending(ctx context.Context, db *sql.DB, dialect Dialect) (int, error) {
	list, err := List(ctx, db, dialect)
	pending := 0
	for _, m := range list {
		if !m.Applied {
			pending++
		}
	}
	return pending, err
}

func newProvider(db *sql.DB, dialect Dialect) (*goose.Provider, error) {
	folder, err := fs.Sub(files, string(dialect))
	if err != nil {
		return nil, fmt.Errorf("migrations of %s: %w", dialect, err)
	}
	name, options := goose.DialectSQLite3, []goose.ProviderOption{}
	if dialect == Postgres {
		locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 300)) // asks each second, for 5 minutes
		if err != nil {
			return nil, fmt.Errorf("migration lock: %w", err)
		}
		name, options = goose.DialectPostgres, append(options, goose.WithSessionLocker(locker))
	}
	provider, err := goose.NewProvider(name, db, folder, options...)
	if err != nil {
		return nil, fmt.Errorf("read migrations: %w", err)
	}
	return provider, nil
}
