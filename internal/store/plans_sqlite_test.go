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
	require.Greater(t, len(r.statements), 100, "too few statements: the plans are those of the suite, which is to run before")
	for text, statement := range r.statements {
		for _, step := range sqlitePlan(t, pool, statement) {
			if fault := sqliteFault(statement.sql, step); fault != "" && !isAllowed(sqliteAllowed(), statement.sql, fault) {
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

// walks is a step that goes through all that an application, or a subscription, ever had.
var walks = regexp.MustCompile(`USING (COVERING )?INDEX (events|invocations)_by_(application|subscription|time) \((application|subscription)_id=\?\)$`)

// rarer is a condition that few of those may meet, so that looking for them would be walking through all.
var rarer = regexp.MustCompile(`(event_id|entity_id|event_type|\btype|status) (= \?|IN )`)

func sqliteFault(query, step string) string {
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
	if walks.MatchString(step) && rarer.MatchString(query) {
		return step
	}
	return ""
}

// sqliteAllowed are the exceptions, each with its reason.
func sqliteAllowed() []allowed {
	const sorts = "USE TEMP B-TREE"
	return []allowed{
		{"event_id, subscription_id, ordering_key FROM invocations WHERE event_id IN", sorts, "the retention's batch: 2,000 rows at most"},
		{"SELECT * FROM invocations WHERE event_id IN", sorts, "an erasure's batch: 200 rows at most"},
		{"AND sequence < ? AND status IN ('pending', 'retrying')", sorts, "what is open of one entity"},
		{"FROM `event_types` WHERE profile = ?", sorts, "an operator's own types of one profile"},
		{"ROW_NUMBER() OVER (ORDER BY COALESCE(slot, ?), id)", sorts, "one batch of the dispatcher's"},
		{"FROM `keys` WHERE revoked_at IS NULL", sorts, "the keys of one application, or of the operator"},
		{"(finished_at - started_at) / 1000", sorts, "the log of the latest 1,000 invocations"},
		{"FROM (SELECT created_at, event_id, next_attempt_at, first_attempt_at, parked FROM invocations", "SCAN ", "all that is open, by three indexes of nothing else: for the metrics"},
		{"SELECT (started_at - ?) / ? AS part", sorts, "a chart's counts, by part of the time and class of latency"},
		{"invocations.id IN (SELECT i.id FROM events e", sorts, "the invocations of one event or entity"},
		{"invocations.id IN (SELECT i.id FROM subscriptions s", sorts, "what is paused"},
		{"FROM applications WHERE deleted_at < ?", "SCAN applications", "the retention, once an hour: applications are few"},
		{"FROM `applications` WHERE deleted_at IS NULL", "SCAN applications", "newest first, up to a page; few are deleted"},
		{"FROM `audit_entries`", "SCAN audit_entries", "newest first, up to a page"},
		{"UPDATE jobs SET dispatch_after = ? WHERE finished_at IS NULL", "SCAN jobs USING INDEX jobs_open", "all open jobs, when Temporal's namespace is new"},
		{"UPDATE commands SET dispatch_after = ? WHERE settled_at", "SCAN commands USING INDEX commands_open", "all open commands, as above"},
		{"SELECT COUNT(*) FROM invocations WHERE status = 'queued'", "invocations_queued", "counts what is queued, in its own index"},
		{"SELECT DISTINCT ordering_key FROM invocations WHERE status = 'queued'", "invocations_queued", "looks at all queues, every ten minutes"},
		{"FROM subscriptions s CROSS JOIN invocations i", "SCAN s ", "subscriptions are fewer than what is parked for them"},
	}
}
