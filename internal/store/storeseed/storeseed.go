// Package storeseed fills a database with what traffic leaves behind: events that were delivered long ago, and events
// whose time has not come. A few SQL statements make a million of them within minutes. Benchmarks and tests of query
// plans use it; nothing else does.
package storeseed

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/posthorn/posthorn/migrations"
	"github.com/posthorn/posthorn/models"
)

// Amounts say how much to store, and for whom.
type Amounts struct {
	// Stored events have been delivered at the first attempt, one invocation and one log entry each: 1 in 1,000 has failed,
	// 1 in 10,000 is of the type TypeRare. They spread over the 28 days before an hour ago.
	Stored int
	// Waiting events were accepted within the last hour and are due in a day.
	Waiting int
	// First is added to the number that is in each id; two Fills of one database differ in it by more than their amounts.
	First int
	// Application and Subscription are the ids of what all of them belong to.
	Application, Subscription string
	// Now is the time by which they are old; times are stored in whole microseconds.
	Now time.Time
}

// What can be looked for in what Fill has stored.
const (
	Type     = "history.common"
	TypeRare = "history.rare"
	// Entities is how many entity ids there are: "entity-0" and so on, in turns.
	Entities = 1000
)

const (
	storedFor = 28 * 24 * time.Hour
	recent    = time.Hour
	// perTransaction keeps the write-ahead logs small.
	perTransaction = 50_000
)

// Fill stores the amounts. Nobody else may write to a SQLite file meanwhile; on Postgres it ends with ANALYZE, as
// autovacuum would a minute later.
func Fill(ctx context.Context, db *sql.DB, dialect migrations.Dialect, a Amounts) error {
	if !models.IsID(a.Application) || !models.IsID(a.Subscription) {
		return errors.New("storeseed: application and subscription must be ids")
	}
	spec, err := storeSpec(ctx, db, dialect)
	if err != nil {
		return fmt.Errorf("storeseed: %w", err)
	}
	f := filler{dialect: dialect, amounts: a, spec: spec}
	for from := 0; from < a.Stored+a.Waiting; from += perTransaction {
		if err := f.fill(ctx, db, from, min(from+perTransaction, a.Stored+a.Waiting)); err != nil {
			return fmt.Errorf("storeseed: %w", err)
		}
	}
	if dialect == migrations.Postgres {
		_, err = db.ExecContext(ctx, "ANALYZE")
	}
	return err
}

// storeSpec stores what the invocations were accepted under, and returns its digest.
func storeSpec(ctx context.Context, db *sql.DB, dialect migrations.Dialect) ([]byte, error) {
	spec := models.Spec{
		Success: models.Success2xx(), Timeout: models.Duration(10 * time.Second), On410: models.On410Gone,
		Retry: models.RetryPolicy{Kind: models.RetryFixed, Interval: models.Duration(time.Hour), MaxAttempts: 3},
	}
	stored, err := spec.Store()
	if err != nil {
		return nil, err
	}
	query := "INSERT INTO specs (digest, body) VALUES (?, ?) ON CONFLICT DO NOTHING"
	if dialect == migrations.Postgres {
		query = "INSERT INTO specs (digest, body) VALUES ($1, $2) ON CONFLICT DO NOTHING"
	}
	_, err = db.ExecContext(ctx, query, stored.Digest, stored.Body)
	return stored.Digest, err
}

// filler writes the statements.
type filler struct {
	dialect migrations.Dialect
	amounts Amounts
	spec    []byte
}

func (f *filler) fill(ctx context.Context, db *sql.DB, from, to int) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	for _, statement := range []string{eventsSQL, invocationsSQL, attemptsSQL} {
		if _, err := tx.ExecContext(ctx, f.expand(statement, from, to)); err != nil {
			return errors.Join(err, tx.Rollback())
		}
	}
	return tx.Commit()
}

// The statements, with {words} for what expand puts in. Both databases count n from {from} to {to}, without the latter.
const (
	series = `WITH RECURSIVE series (n) AS (SELECT CAST({from} AS bigint) UNION ALL SELECT n + 1 FROM series WHERE n + 1 < {to}) `

	eventsSQL = series + `INSERT INTO events (id, application_id, tenant, type, wire, payload, occurred_at, entity_id,
 digest, not_before, created_at)
 SELECT {id}, {application}, '', {type}, '"' || {type} || '"', {payload}, '', {entity}, {digest},
 CASE WHEN n >= {stored} THEN {due} END, {at} FROM series WHERE TRUE`

	invocationsSQL = series + `INSERT INTO invocations (id, application_id, subscription_id, event_id, event_type, entity_id,
 status, spec_digest, attempts, policy_attempts, url, first_attempt_at, last_attempt_at, next_attempt_at, delivered_at,
 last_status_code, workflow_id, dispatch_after, parked, overdue, created_at, updated_at)
 SELECT {id}, {application}, {subscription}, {id}, {type}, {entity},
 CASE WHEN n >= {stored} THEN 'pending' WHEN n % 1000 = 1 THEN 'failed' ELSE 'succeeded' END, {spec},
 CASE WHEN n < {stored} THEN 1 ELSE 0 END, CASE WHEN n < {stored} THEN 1 ELSE 0 END, 'https://receiver.example/hook',
 CASE WHEN n < {stored} THEN {at} + 5000 END, CASE WHEN n < {stored} THEN {at} + 5000 END,
 CASE WHEN n >= {stored} THEN {due} END, CASE WHEN n < {stored} AND n % 1000 <> 1 THEN {at} + 9000 END,
 CASE WHEN n < {stored} THEN CASE WHEN n % 1000 = 1 THEN 500 ELSE 200 END END, 'event/' || {textid},
 CASE WHEN n >= {stored} THEN {due} END, FALSE, 0, {at}, {at} + CASE WHEN n < {stored} THEN 9000 ELSE 0 END
 FROM series WHERE TRUE`

	attemptsSQL = series + `INSERT INTO attempts (id, invocation_id, subscription_id, number, trigger, started_at, finished_at,
 url, outcome, status_code, request_headers, retry_count, response_headers, response_body, response_truncated)
 SELECT {id}, {id}, {subscription}, 1, 'scheduled', {at} + 5000, {at} + 9000, 'https://receiver.example/hook',
 CASE WHEN n % 1000 = 1 THEN 'failed' ELSE 'succeeded' END, CASE WHEN n % 1000 = 1 THEN 500 ELSE 200 END,
 '[{"name":"Content-Type","value":"application/json"}]', 0, '[]', {payload}, FALSE FROM series WHERE n < {stored}`
)

// payload is what each event carries: 200 bytes.
func payload() []byte { return []byte(`{"pad":"` + strings.Repeat("x", 190) + `"}`) }

func (f *filler) expand(statement string, from, to int) string {
	now := f.amounts.Now.UnixMicro()
	begin, step := f.timeOf()
	at := fmt.Sprintf("(CASE WHEN n < %d THEN %d + n * %d ELSE %d + n END)",
		f.amounts.Stored, begin, step, now-recent.Microseconds())
	text := f.textID(at)
	words := []string{
		"{from}", number(from), "{to}", number(to), "{stored}", number(f.amounts.Stored), "{at}", at,
		"{due}", fmt.Sprintf("(CAST(%d AS bigint) + n)", now+(24*time.Hour).Microseconds()),
		"{type}", fmt.Sprintf("(CASE WHEN n %% 10000 = 7 THEN '%s' ELSE '%s' END)", TypeRare, Type),
		"{entity}", fmt.Sprintf("'entity-' || (n %% %d)", Entities), "{textid}", text, "{id}", f.uuid(text),
		"{application}", f.uuid("'" + f.amounts.Application + "'"), "{subscription}", f.uuid("'" + f.amounts.Subscription + "'"),
		"{payload}", f.blob(payload()), "{digest}", f.blob(f.spec), "{spec}", f.blob(f.spec),
	}
	return strings.NewReplacer(words...).Replace(statement)
}

// timeOf is when the first of the stored events was accepted, and how far apart they are, in microseconds.
func (f *filler) timeOf() (begin, step int64) {
	span := storedFor.Microseconds()
	return f.amounts.Now.Add(-recent - storedFor).UnixMicro(), max(1, span/int64(max(1, f.amounts.Stored)))
}

func number(n int) string { return strconv.Itoa(n) }

// textID is a UUIDv7 of the time and n: like real ones, they rise with time.
func (f *filler) textID(at string) string {
	if f.dialect == migrations.SQLite {
		return fmt.Sprintf("printf('%%08x-%%04x-7000-8000-%%012x', %[1]s / 65536000, %[1]s / 1000 %% 65536, n + %[2]d)", at, f.amounts.First)
	}
	return fmt.Sprintf("(lpad(to_hex(%[1]s / 65536000), 8, '0') || '-' || lpad(to_hex(%[1]s / 1000 %% 65536), 4, '0')"+
		" || '-7000-8000-' || lpad(to_hex(n + %[2]d), 12, '0'))", at, f.amounts.First)
}

func (f *filler) uuid(text string) string {
	if f.dialect == migrations.SQLite {
		return text
	}
	return "CAST(" + text + " AS uuid)"
}

func (f *filler) blob(bytes []byte) string {
	if f.dialect == migrations.SQLite {
		return fmt.Sprintf("X'%x'", bytes)
	}
	return fmt.Sprintf(`'\x%x'::bytea`, bytes)
}
