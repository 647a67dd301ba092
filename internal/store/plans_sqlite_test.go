package store_test

import (
	"database/sql"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/internal/store/storetest"
)

// sqlitePlans explains every statement on an empty database: nobody ever runs ANALYZE on ours, so SQLite chooses by the
// schema alone, and chooses the same whatever the tables hold.
func sqlitePlans(t *testing.T, r *trace) {
	t.Helper()
	clock := storetest.NewClock()
	s := open(t, "sqlite:"+filepath.Join(t.TempDir(), "posthorn.db"), clock.Now)
	require.NoError(t, s.Migrate(t.Context()))
	pool, err := s.SQL()
	require.NoError(t, err)
	require.Greater(t, len(r.statements), 100, "the suite's statements")
	for text, statement := range r.statements {
		for _, step := range sqlitePlan(t, pool, statement) {
			if fault := sqliteFault(step); fault != "" && !isAllowed(sqliteAllowed(), statement.sql, fault) {
				t.Errorf("%s\n\t%s", fault, text)
			}
		}
	}
}

func sqlitePlan(t *testing.T, pool *sql.DB, s statement) (steps []string) {
	t.Helper()
	rows, err := pool.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+s.sql, s.vars...)
	require.NoError(t, err, s.sql)
	defer func() { require.NoError(t, rows.Close()) }()
	for rows.Next() {
		var id, parent, unused int
		var step string
		require.NoError(t, rows.Scan(&id, &parent, &unused, &step))
		steps = append(steps, step)
	}
	require.NoError(t, rows.Err())
	return steps
}

// scans is a step that reads all of a table or an index. Short tables, and what a subquery gave, may be.
var scans = regexp.MustCompile(`^SCAN (\w+|\()`)

func sqliteFault(step string) string {
	if found := scans.FindStringSubmatch(step); found != nil {
		switch found[1] {
		case "workers", "settings", "sqlite_master", "(", "next", "line", "CONSTANT":
			return ""
		}
		return step
	}
	if strings.HasPrefix(step, "USE TEMP B-TREE FOR ORDER BY") || strings.HasPrefix(step, "USE TEMP B-TREE FOR GROUP BY") {
		return step
	}
	return ""
}

func sqliteAllowed() []allowed {
	return []allowed{}
}
