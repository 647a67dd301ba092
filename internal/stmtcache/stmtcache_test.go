package stmtcache_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"modernc.org/sqlite"

	"github.com/posthorn/posthorn/internal/stmtcache"
)

// counting is a driver that counts what is prepared and not yet closed.
type counting struct {
	driver.Driver

	prepared, open atomic.Int64
}

// full is what SQLite's connections are.
type full interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.Pinger
	driver.SessionResetter
	driver.Validator
}

type countingConn struct {
	full

	counts *counting
}

type countingStmt struct {
	driver.Stmt
	driver.StmtExecContext
	driver.StmtQueryContext

	counts *counting
}

func (c *counting) Open(dsn string) (driver.Conn, error) {
	opened, err := c.Driver.Open(dsn)
	if err != nil {
		return nil, err
	}
	return countingConn{full: opened.(full), counts: c}, nil
}

func (c countingConn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	s, err := c.full.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	c.counts.prepared.Add(1)
	c.counts.open.Add(1)
	return countingStmt{
		Stmt: s, StmtExecContext: s.(driver.StmtExecContext), StmtQueryContext: s.(driver.StmtQueryContext), counts: c.counts,
	}, nil
}

func (s countingStmt) Close() error {
	s.counts.open.Add(-1)
	return s.Stmt.Close()
}

// open gives a database of one connection, and what it prepares.
func open(t *testing.T, size int) (*sql.DB, *counting) {
	t.Helper()
	registered, err := sql.Open("sqlite", "")
	require.NoError(t, err)
	require.IsType(t, &sqlite.Driver{}, registered.Driver())
	counts := &counting{Driver: registered.Driver()}
	require.NoError(t, registered.Close())
	sql.Register(t.Name(), counts)
	db, err := stmtcache.Open(t.Name(), "file:"+filepath.Join(t.TempDir(), "test.db"), size)
	require.NoError(t, err)
	db.SetMaxOpenConns(1)
	t.Cleanup(func() {
		require.NoError(t, db.Close())
		require.Zero(t, counts.open.Load(), "every statement is closed with its connection")
	})
	_, err = db.ExecContext(t.Context(), "CREATE TABLE t (n INTEGER)")
	require.NoError(t, err)
	return db, counts
}

func insert(t *testing.T, db *sql.DB, n int) {
	t.Helper()
	tx, err := db.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	_, err = tx.ExecContext(t.Context(), "INSERT INTO t (n) VALUES (?)", n)
	require.NoError(t, err)
	require.NoError(t, tx.Commit())
}

func count(t *testing.T, db *sql.DB) (n int) {
	t.Helper()
	require.NoError(t, db.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM t").Scan(&n))
	return n
}

func TestStatementIsPreparedOnceForManyTransactions(t *testing.T) {
	t.Parallel()
	db, counts := open(t, 10)
	before := counts.prepared.Load()
	for n := range 20 {
		insert(t, db, n)
		require.Equal(t, n+1, count(t, db))
	}
	require.EqualValues(t, 2, counts.prepared.Load()-before)
}

func TestStatementWhoseRowsAreOpenIsPreparedAgain(t *testing.T) {
	t.Parallel()
	db, _ := open(t, 10)
	for n := range 3 {
		insert(t, db, n)
	}
	tx, err := db.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	defer func() { _ = tx.Rollback() }()
	pairs := 0
	each(t, tx, func() {
		each(t, tx, func() { pairs++ })
	})
	require.Equal(t, 9, pairs)
}

// each calls f for each row, while the rows are open.
func each(t *testing.T, tx *sql.Tx, f func()) {
	t.Helper()
	rows, err := tx.QueryContext(t.Context(), "SELECT n FROM t")
	require.NoError(t, err)
	defer func() { require.NoError(t, rows.Close()) }()
	for rows.Next() {
		f()
	}
	require.NoError(t, rows.Err())
}

func TestStatementUsedLongestAgoGoes(t *testing.T) {
	t.Parallel()
	const size = 3
	db, counts := open(t, size)
	for n := range 10 {
		_, err := db.ExecContext(t.Context(), fmt.Sprintf("INSERT INTO t (n) VALUES (%d)", n))
		require.NoError(t, err)
		require.LessOrEqual(t, counts.open.Load(), int64(size))
	}
	before := counts.prepared.Load()
	_, err := db.ExecContext(t.Context(), "INSERT INTO t (n) VALUES (7)")
	require.NoError(t, err)
	require.Equal(t, before, counts.prepared.Load(), "one of the last three")
}

func TestPragmasTakeEffectEachTime(t *testing.T) {
	t.Parallel()
	db, _ := open(t, 10)
	for range 3 {
		for mode, shown := range map[string]int{"OFF": 0, "NORMAL": 1, "FULL": 2} {
			_, err := db.ExecContext(t.Context(), "pragma synchronous = "+mode)
			require.NoError(t, err)
			var got int
			require.NoError(t, db.QueryRowContext(t.Context(), "PRAGMA synchronous").Scan(&got))
			require.Equal(t, shown, got)
		}
	}
}

func TestStatementSurvivesAChangeOfTheSchema(t *testing.T) {
	t.Parallel()
	db, _ := open(t, 10)
	insert(t, db, 1)
	_, err := db.ExecContext(t.Context(), "ALTER TABLE t ADD COLUMN m INTEGER; CREATE INDEX t_n ON t (n)")
	require.NoError(t, err)
	insert(t, db, 2)
	require.Equal(t, 2, count(t, db))
}

func TestStatementThatFailedRunsAgain(t *testing.T) {
	t.Parallel()
	db, counts := open(t, 10)
	_, err := db.ExecContext(t.Context(), "CREATE UNIQUE INDEX t_n ON t (n)")
	require.NoError(t, err)
	const query = "INSERT INTO t (n) VALUES (?)"
	insert(t, db, 1)
	before := counts.prepared.Load()
	_, err = db.ExecContext(t.Context(), query, 1)
	require.ErrorContains(t, err, "UNIQUE")
	insert(t, db, 2)
	require.Equal(t, before, counts.prepared.Load())
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = db.ExecContext(ended, query, 3)
	require.ErrorIs(t, err, context.Canceled)
	insert(t, db, 3)
	require.Equal(t, 3, count(t, db))
}

func TestUnknownDriverIsNamed(t *testing.T) {
	t.Parallel()
	_, err := stmtcache.Open("nothing", "", 10)
	require.ErrorContains(t, err, "nothing")
}
