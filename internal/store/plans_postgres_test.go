package store_test

import (
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/internal/store"
	"github.com/posthorn/posthorn/internal/store/storeseed"
	"github.com/posthorn/posthorn/internal/store/storetest"
	"github.com/posthorn/posthorn/internal/testpg"
	"github.com/posthorn/posthorn/models"
)

const (
	// plannedEvents is how many events the large application of the database has on which Postgres plans, others how many
	// another one has, and waitingEvents how many of the large one's are open.
	plannedEvents, otherEvents, waitingEvents = 20_000, 3000, 400
	// dearest is what a statement may cost by Postgres' estimate, besides perRow for each row that it finds: to read a page
	// costs 1 to 4, a row 0.01. To read all invocations costs 1,000.
	dearest, perRow = 700, 5
	// mostSorted is how many rows a statement may sort.
	mostSorted = 2500
)

// postgresPlans explains every statement on tables that are full enough for the planner to care, with the ids of an
// application and a subscription that have most of it.
func postgresPlans(t *testing.T, r *trace) {
	t.Helper()
	clock := storetest.NewClock()
	s := open(t, testpg.URL(t), clock.Now)
	require.NoError(t, s.Migrate(t.Context()))
	pool, err := s.SQL()
	require.NoError(t, err)
	full := fillForPlans(t, s, pool, clock)
	require.Greater(t, len(r.statements), 100, "too few statements: the plans are those of the suite, which is to run before")
	for text, statement := range r.statements {
		args := make([]any, len(statement.vars))
		for i, v := range statement.vars {
			args[i] = full.real(r, v)
		}
		for _, fault := range postgresFaults(postgresPlan(t, pool, statement.sql, args)) {
			if !isAllowed(postgresAllowed(), statement.sql, fault) {
				t.Errorf("%s\n\t%s", fault, text)
			}
		}
	}
}

// plan is a step of Postgres' plan, as EXPLAIN (FORMAT JSON) tells it.
type plan struct {
	Type  string  `json:"Node Type"`     //nolint:tagliatelle // Postgres' names
	Table string  `json:"Relation Name"` //nolint:tagliatelle // Postgres' names
	Rows  float64 `json:"Plan Rows"`     //nolint:tagliatelle // Postgres' names
	Cost  float64 `json:"Total Cost"`    //nolint:tagliatelle // Postgres' names
	Plans []plan  `json:"Plans"`         //nolint:tagliatelle // Postgres' names
}

func postgresPlan(t *testing.T, pool *sql.DB, query string, args []any) plan {
	t.Helper()
	var text string
	err := pool.QueryRowContext(t.Context(), "EXPLAIN (FORMAT JSON) "+query, args...).Scan(&text)
	require.NoError(t, err, query)
	var explained []struct{ Plan plan }
	require.NoError(t, json.Unmarshal([]byte(text), &explained))
	return explained[0].Plan
}

func postgresFaults(p plan) (faults []string) {
	if p.Cost > dearest+perRow*mostRows(p) {
		faults = append(faults, fmt.Sprintf("costs %.0f", p.Cost))
	}
	return append(faults, stepFaults(p)...)
}

// mostRows is how many rows some step gives on: what is found, before it is counted or locked.
func mostRows(p plan) float64 {
	rows := p.Rows
	for _, child := range p.Plans {
		rows = max(rows, mostRows(child))
	}
	return rows
}

// stepFaults looks for steps that read or sort all of a table. (To walk through an index shows in the costs.)
func stepFaults(p plan) (faults []string) {
	switch {
	case p.Type == "Seq Scan" && long(p.Table):
		faults = append(faults, "Seq Scan on "+p.Table)
	case strings.HasSuffix(p.Type, "Sort") && len(p.Plans) == 1 && p.Plans[0].Rows > mostSorted:
		faults = append(faults, fmt.Sprintf("%s of %.0f rows", p.Type, p.Plans[0].Rows))
	}
	for _, child := range p.Plans {
		faults = append(faults, stepFaults(child)...)
	}
	return faults
}

// long tables grow with every event.
func long(table string) bool {
	switch table {
	case "events", "invocations", "attempts", "commands", "event_versions":
		return true
	default:
		return false
	}
}

// filled are rows to look for.
type filled struct {
	ids  map[string][]string // by table
	next map[string]string   // what an id of the suite's has become
}

// real gives a parameter of the suite's as one of a row that is there, where it is an id.
func (f *filled) real(r *trace, v any) any {
	if valuer, ok := v.(driver.Valuer); ok {
		value, err := valuer.Value()
		if err != nil {
			return v
		}
		v = value
	}
	value := reflect.ValueOf(v)
	if value.Kind() == reflect.Pointer && !value.IsNil() && value.Elem().Kind() == reflect.String {
		v = value.Elem().String()
	}
	id, ok := v.(string)
	if !ok {
		return v
	}
	kind, known := r.kinds[id]
	if !known || len(f.ids[kind]) == 0 {
		return v
	}
	if f.next[id] == "" {
		f.next[id] = f.ids[kind][len(f.next)%len(f.ids[kind])]
	}
	return f.next[id]
}

// fillForPlans stores a large application and many small ones, and reads some of the ids.
func fillForPlans(t *testing.T, s *store.Store, pool *sql.DB, clock *storetest.Clock) *filled {
	t.Helper()
	app, sub := applicationWithSubscription(t, s, clock)
	other, othersSub := applicationWithSubscription(t, s, clock)
	amounts := storeseed.Amounts{Stored: plannedEvents, Waiting: waitingEvents, Application: app, Subscription: sub, Now: clock.Now()}
	require.NoError(t, storeseed.Fill(t.Context(), pool, s.Dialect(), amounts))
	amounts = storeseed.Amounts{Stored: otherEvents, First: 1 << 20, Application: other, Subscription: othersSub, Now: clock.Now()}
	require.NoError(t, storeseed.Fill(t.Context(), pool, s.Dialect(), amounts))
	replacer := strings.NewReplacer("{app}", app, "{sub}", sub, "{other}", other)
	for _, statement := range moreForPlans() {
		_, err := pool.ExecContext(t.Context(), replacer.Replace(statement))
		require.NoError(t, err, statement)
	}
	f := &filled{ids: map[string][]string{"applications": {app}, "subscriptions": {sub}}, next: map[string]string{}}
	for table, condition := range map[string]string{
		"events": "application_id = '{app}'", "invocations": "application_id = '{app}'", "commands": "job_id IS NULL",
		"jobs": "application_id = '{app}'", "erasures": "application_id = '{app}'", "ordering_keys": "subscription_id = '{sub}'",
	} {
		f.ids[table] = idsOf(t.Context(), t, pool, "SELECT id FROM "+table+" WHERE "+replacer.Replace(condition)+" LIMIT 300")
		require.NotEmpty(t, f.ids[table], table)
	}
	return f
}

func applicationWithSubscription(t *testing.T, s *store.Store, clock *storetest.Clock) (app, sub string) {
	t.Helper()
	a := &models.Application{ID: models.NewID(), Profile: "standard", CreatedAt: clock.Now(), UpdatedAt: clock.Now()}
	require.NoError(t, s.CreateApplication(t.Context(), a))
	u := &models.Subscription{
		ID: models.NewID(), ApplicationID: a.ID, EventTypes: []string{"*"}, Enabled: true, Verified: true, CreatedAt: clock.Now(),
	}
	require.NoError(t, s.CreateSubscription(t.Context(), u, 1))
	return a.ID, u.ID
}

// moreForPlans are statements that fill the other tables, and give some of the invocations the rarer states.
func moreForPlans() []string {
	const (
		some = "FROM generate_series(1, %d) AS n"
		app  = "CASE WHEN n %% 4 = 0 THEN '{app}'::uuid ELSE gen_random_uuid() END"
		at   = "1952000000000000 + n * 100000::bigint"
	)
	row := func(n int, format string) string { return fmt.Sprintf(format+some, n) }
	return []string{
		row(500, "INSERT INTO applications SELECT gen_random_uuid(), 'x', 'standard', 'demo', '', NULL, '', "+at+", "+at+", CASE WHEN n %% 50 = 0 THEN "+at+" END "),
		"INSERT INTO subscriptions SELECT gen_random_uuid(), id, NULL, 'https://x', '[]', NULL, NULL, NULL, TRUE, TRUE, FALSE, 0, NULL, FALSE, '', ''," +
			" 0, created_at, created_at, deleted_at FROM applications, generate_series(1, 3)",
		"INSERT INTO subscription_event_types SELECT application_id, 'x', id FROM subscriptions",
		"INSERT INTO keys SELECT 'k' || n || id, id, 'admin', '', '', '', created_at, NULL, NULL, NULL FROM applications, generate_series(1, 2) AS n",
		row(4000, "INSERT INTO audit_entries SELECT gen_random_uuid(), 'x', 'operator', "+app+", 'x' || n %% 20, 'x', 'x', '', '', '', "+at+" "),
		row(1000, "INSERT INTO erasures (id, application_id, entity_digest, reason, finished_at, created_at) SELECT gen_random_uuid(), "+app+", 'x', '', "+at+", "+at+" "),
		row(1000, "INSERT INTO jobs (id, application_id, state, rate, dry_run, matched, finished_at, created_at, updated_at)"+
			" SELECT gen_random_uuid(), CASE WHEN n %% 4 = 0 THEN '{app}'::uuid ELSE '{other}'::uuid END, 'completed', 10, FALSE, 5, "+at+", "+at+", "+at+" "),
		"INSERT INTO commands (id, invocation_id, kind, workflow_id, settled_at, created_at) SELECT gen_random_uuid(), id, 'redeliver'," +
			" workflow_id, updated_at, created_at FROM invocations WHERE created_at % 8 = 0",
		"INSERT INTO commands (id, invocation_id, kind, workflow_id, settled_at, created_at, job_id, outcome) SELECT gen_random_uuid(), i.id," +
			" 'redeliver', i.workflow_id, i.updated_at, i.created_at, j.id, 'succeeded' FROM (SELECT *, row_number() OVER () AS n FROM invocations" +
			" WHERE created_at % 8 = 1) AS i JOIN (SELECT id, row_number() OVER () AS n FROM jobs) AS j ON j.n = i.n % 1000",
		"INSERT INTO event_versions SELECT id, 'v1', payload FROM events WHERE created_at % 8 = 0",
		"INSERT INTO ordering_keys SELECT DISTINCT subscription_id || '/' || entity_id, subscription_id, 1000 FROM invocations",
		"UPDATE invocations SET ordering_key = subscription_id || '/' || entity_id, position = created_at, sequence = created_at WHERE created_at % 4 = 0",
		"UPDATE invocations SET status = 'queued', next_attempt_at = NULL, dispatch_after = NULL WHERE status = 'pending' AND ordering_key IS NOT NULL",
		"UPDATE invocations SET parked = TRUE, dispatch_after = NULL WHERE status = 'pending' AND created_at % 8 = 1",
		"UPDATE invocations SET slot = dispatch_after WHERE status = 'pending' AND created_at % 8 = 2",
		"UPDATE invocations SET claim_token = 'x', claim_owner = gen_random_uuid(), claimed_at = created_at WHERE status = 'pending' AND created_at % 256 = 3",
		"UPDATE invocations SET event_id = NULL WHERE created_at % 512 = 5",
		"UPDATE ordering_keys SET head = (SELECT id FROM invocations WHERE ordering_key = ordering_keys.id ORDER BY position LIMIT 1) WHERE id LIKE '%9'",
		"VACUUM ANALYZE",
	}
}

// postgresAllowed are the exceptions, each with its reason.
func postgresAllowed() []allowed {
	return []allowed{
		{"(finished_at - started_at) / 1000", "", "the log of the latest 1,000 invocations: a twentieth of this table, little of a long one"},
		{"SELECT (started_at - $1) / $2 AS part", "", "the log of the latest 5,000 invocations: a quarter of this table"},
		{"+invocations.created_at", "", "a job goes by id, past what is outside of its time"},
		{"NOT EXISTS (SELECT 1 FROM invocations WHERE event_id = events.id)", "", "newest first, past what was delivered: docs/performance.md has what that costs"},
		{`SELECT count(*) FROM "invocations" JOIN`, "Seq Scan", "counts what a job is for, once: here nearly all"},
		{"SELECT '' AS status, COUNT(*)", "Seq Scan", "counts all of a subscription's, here nearly all, by their index where there are more"},
		{"DELETE FROM commands WHERE id IN", "Seq Scan on commands", "the retention, 2,000 at a time of all that are old: here most are"},
		{"ORDER BY slot LIMIT", "costs", "200 of a line"},
	}
}
