package migrations_test

import (
	"database/sql"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite"

	"github.com/posthorn/posthorn/internal/testpg"
	"github.com/posthorn/posthorn/migrations"
)

func dialects() []migrations.Dialect {
	return []migrations.Dialect{migrations.SQLite, migrations.Postgres}
}

// empty is an empty database of the dialect.
func empty(t *testing.T, dialect migrations.Dialect) *sql.DB {
	t.Helper()
	if dialect == migrations.Postgres {
		return connect(t, "pgx", testpg.URL(t))
	}
	db := connect(t, "sqlite", "file:"+filepath.Join(t.TempDir(), "test.db")+"?_pragma=foreign_keys(ON)")
	db.SetMaxOpenConns(1)
	return db
}

func connect(t *testing.T, driver, dsn string) *sql.DB {
	t.Helper()
	db, err := sql.Open(driver, dsn)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return db
}

// versions are those of the dialect's files.
func versions(t *testing.T, dialect migrations.Dialect) int {
	t.Helper()
	files, err := fs.Glob(os.DirFS(string(dialect)), "*.sql")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	return len(files)
}

func TestUpAndDownAndUpAgain(t *testing.T) {
	t.Parallel()
	for _, dialect := range dialects() {
		t.Run(string(dialect), func(t *testing.T) {
			t.Parallel()
			upAndDownAndUpAgain(t, empty(t, dialect), dialect)
		})
	}
}

func upAndDownAndUpAgain(t *testing.T, db *sql.DB, dialect migrations.Dialect) {
	t.Helper()
	n := versions(t, dialect)
	requirePending(t, db, dialect, n)
	for range 2 {
		applied, err := migrations.Up(t.Context(), db, dialect)
		require.NoError(t, err)
		require.Len(t, applied, n)
		require.IsIncreasing(t, append([]int64{0}, applied...))
		requirePending(t, db, dialect, 0)
		again, err := migrations.Up(t.Context(), db, dialect)
		require.NoError(t, err)
		require.Empty(t, again, "there is nothing left to do")

		fill(t, db)
		for left := n - 1; left >= 0; left-- {
			undone, err := migrations.Down(t.Context(), db, dialect)
			require.NoError(t, err)
			require.Equal(t, applied[left], undone)
			requirePending(t, db, dialect, n-left)
		}
		undone, err := migrations.Down(t.Context(), db, dialect)
		require.NoError(t, err)
		require.Zero(t, undone)
		require.Equal(t, []string{"goose_db_version"}, tables(columns(t, db, dialect)), "everything is taken back")
	}
}

func requirePending(t *testing.T, db *sql.DB, dialect migrations.Dialect, want int) {
	t.Helper()
	pending, err := migrations.Pending(t.Context(), db, dialect)
	require.NoError(t, err)
	require.Equal(t, want, pending)
	list, err := migrations.List(t.Context(), db, dialect)
	require.NoError(t, err)
	for i, m := range list {
		if i > 0 { // a number that was never released may be left out
			require.Greater(t, m.Version, list[i-1].Version)
		}
		require.Equal(t, i < len(list)-want, m.Applied, m.Name)
		require.Regexp(t, `^\d{5}_\w+\.sql$`, filepath.Base(m.Name))
	}
}

// fill stores rows that refer to each other, so that the way down has something to stumble over.
func fill(t *testing.T, db *sql.DB) {
	t.Helper()
	const id = "'01963b6e-0000-7000-8000-000000000000'"
	for _, statement := range []string{
		"INSERT INTO applications (id, name, profile, environment, external_id, handshake_key, created_at, updated_at)" +
			" VALUES (" + id + ", 'n', 'p', 'demo', 'e', 'k', 1, 1)",
		"INSERT INTO keys (id, application_id, role, name, prefix, digest, created_at)" +
			" VALUES ('k', " + id + ", 'admin', 'n', 'p', '', 1)",
		"INSERT INTO events (id, application_id, type, wire, payload, occurred_at, digest, created_at)" +
			" VALUES (" + id + ", " + id + ", 't', 'w', '', '', '', 1)",
		"INSERT INTO event_versions (event_id, version, payload) VALUES (" + id + ", '1', '')",
	} {
		_, err := db.ExecContext(t.Context(), statement)
		require.NoError(t, err)
	}
}

func TestManyProcessesMayMigrateAtOnce(t *testing.T) {
	t.Parallel()
	url := testpg.URL(t)
	const processes = 3
	applied := make([][]int64, processes)
	errs := make([]error, processes)
	var group sync.WaitGroup
	for i := range processes {
		db := connect(t, "pgx", url)
		group.Go(func() { applied[i], errs[i] = migrations.Up(t.Context(), db, migrations.Postgres) })
	}
	group.Wait()
	require.Equal(t, make([]error, processes), errs)
	require.Len(t, slices.Concat(applied...), versions(t, migrations.Postgres), "each migration was applied once")
}

func TestTheDialectsHaveTheSameSchema(t *testing.T) {
	t.Parallel()
	found := map[migrations.Dialect][]string{}
	indexes := map[migrations.Dialect][]string{}
	for _, dialect := range dialects() {
		db := empty(t, dialect)
		_, err := migrations.Up(t.Context(), db, dialect)
		require.NoError(t, err)
		found[dialect] = columns(t, db, dialect)
		indexes[dialect] = names(t, db, map[migrations.Dialect]string{
			migrations.SQLite:   "SELECT name FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL",
			migrations.Postgres: "SELECT indexname FROM pg_indexes WHERE schemaname = 'public' AND indexname !~ '_(pkey|key)$'",
		}[dialect])
	}
	require.Equal(t, found[migrations.SQLite], found[migrations.Postgres])
	require.Equal(t, indexes[migrations.SQLite], indexes[migrations.Postgres])
	require.Greater(t, len(found[migrations.SQLite]), 100, "the comparison looks at something")
}

// columns are `table.column`, with ` NOT NULL` where it is so.
func columns(t *testing.T, db *sql.DB, dialect migrations.Dialect) []string {
	t.Helper()
	list := names(t, db, map[migrations.Dialect]string{
		migrations.SQLite: `SELECT m.name || '.' || c.name || CASE WHEN c."notnull" OR c.pk THEN ' NOT NULL' ELSE '' END
			FROM sqlite_master m JOIN pragma_table_info(m.name) c WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%'`,
		migrations.Postgres: `SELECT table_name || '.' || column_name || CASE is_nullable WHEN 'NO' THEN ' NOT NULL' ELSE '' END
			FROM information_schema.columns WHERE table_schema = 'public'`,
	}[dialect])
	return slices.DeleteFunc(list, func(column string) bool {
		return strings.HasPrefix(column, "goose_") && !strings.HasPrefix(column, "goose_db_version.id")
	})
}

func tables(columns []string) []string {
	var list []string
	for _, column := range columns {
		table, _, _ := strings.Cut(column, ".")
		if !slices.Contains(list, table) {
			list = append(list, table)
		}
	}
	return list
}

func names(t *testing.T, db *sql.DB, query string) []string {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), query)
	require.NoError(t, err)
	defer func() { require.NoError(t, rows.Close()) }()
	var list []string
	for rows.Next() {
		var name string
		require.NoError(t, rows.Scan(&name))
		list = append(list, name)
	}
	require.NoError(t, rows.Err())
	slices.Sort(list)
	return list
}
