package store_test

import (
	"context"
	"database/sql"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/internal/store"
)

// The conformance suite runs every statement that the store has. The tests of their plans look at each of them once the
// suite has ended: none may read a whole table that grows, or sort it, or walk through a tenant's history, but for those
// in plansAllowed. See plans_sqlite_test.go and plans_postgres_test.go for what each database is asked.

// statement is one that the suite ran.
type statement struct {
	sql  string
	vars []any
}

// trace is what the suite ran, by its text without what only differs in number.
type trace struct {
	mu         sync.Mutex
	statements map[string]statement
	// kinds tells which table the ids are of.
	kinds map[string]string
}

func newTrace() *trace { return &trace{statements: map[string]statement{}, kinds: map[string]string{}} }

var (
	lists       = regexp.MustCompile(`\((?:(?:\?|\$\d+),\s*)+(?:\?|\$\d+)\)`)
	numbered    = regexp.MustCompile(`\$\d+`)
	hasPlan     = regexp.MustCompile(`^(SELECT|UPDATE|DELETE|WITH|INSERT .* SELECT )`)
	withoutRows = regexp.MustCompile(`^SELECT (1$|pg_|CAST\(EXTRACT)`)
)

// note keeps the first of each kind of statement.
func (r *trace) note(sql string, vars []any) {
	if !hasPlan.MatchString(sql) || withoutRows.MatchString(sql) {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	text := numbered.ReplaceAllString(lists.ReplaceAllString(sql, "(…)"), "?")
	if _, known := r.statements[text]; !known {
		r.statements[text] = statement{sql: sql, vars: append([]any(nil), vars...)}
	}
}

// open is a store whose statements are traced.
func (r *trace) open(t *testing.T, url string, now func() time.Time) *store.Store {
	t.Helper()
	s := open(t, url, now)
	require.NoError(t, s.Trace(r.note))
	t.Cleanup(func() { r.noteKinds(t, s) })
	return s
}

// noteKinds reads which table each id of the suite's is of, so that rows of the same table can take its place.
func (r *trace) noteKinds(t *testing.T, s *store.Store) {
	t.Helper()
	pool, err := s.SQL()
	require.NoError(t, err)
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, table := range []string{"ordering_keys", "applications", "subscriptions", "events", "invocations", "commands", "jobs", "erasures"} {
		for _, id := range idsOf(context.WithoutCancel(t.Context()), t, pool, "SELECT id FROM "+table) {
			r.kinds[id] = table
		}
	}
}

// idsOf are what a query gives; none where there is no such table, in a database that was never used.
func idsOf(ctx context.Context, t *testing.T, pool *sql.DB, query string) (ids []string) {
	t.Helper()
	rows, err := pool.QueryContext(ctx, query)
	if err != nil {
		return nil
	}
	defer func() { require.NoError(t, rows.Close()) }()
	for rows.Next() {
		var id string
		require.NoError(t, rows.Scan(&id))
		ids = append(ids, id)
	}
	require.NoError(t, rows.Err())
	return ids
}

// allowed is a statement that may do what others may not.
type allowed struct {
	// sql is a part of its text, plan of what is wrong with it.
	sql, plan string
	why       string
}

func (a allowed) covers(sql, fault string) bool {
	return strings.Contains(sql, a.sql) && strings.Contains(fault, a.plan)
}

func isAllowed(list []allowed, sql, fault string) bool {
	for _, a := range list {
		if a.covers(sql, fault) {
			return true
		}
	}
	return false
}
