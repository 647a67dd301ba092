package temporaldev

import (
	"context"
	"database/sql"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/server/common/log"
	"go.temporal.io/server/common/metrics"
	persistencesql "go.temporal.io/server/common/persistence/sql"
	"go.temporal.io/server/common/persistence/sql/sqlplugin"
	"go.temporal.io/server/common/resolver"
)

// MaxHeldStarts is how many starts wait for their close.
const MaxHeldStarts = maxHeldStarts

// VisibilityProbe is a visibility file with grouped writes that counts what reaches the file.
type VisibilityProbe struct {
	sqlplugin.DB // the server's own

	grouped                  *visibilityDB
	statements, transactions atomic.Int64
	failure                  atomic.Pointer[error]
}

// OpenVisibility makes an empty file.
func OpenVisibility(t *testing.T) *VisibilityProbe {
	t.Helper()
	cfg := sqlConfig(filepath.Join(t.TempDir(), "visibility.db"))
	require.NoError(t, createVisibilitySchema(cfg, nil))
	db, err := persistencesql.NewSQLDB(sqlplugin.DbKindVisibility, cfg, resolver.NewNoopResolver(),
		log.NewNoopLogger(), metrics.NoopMetricsHandler)
	require.NoError(t, err)
	v := &VisibilityProbe{DB: db}
	v.grouped = &visibilityDB{DB: v, group: &visibilityGroup{db: v}}
	t.Cleanup(func() { require.NoError(t, v.grouped.Close()) })
	return v
}

// BeginTx implements sqlplugin.DB.
func (v *VisibilityProbe) BeginTx(ctx context.Context) (sqlplugin.Tx, error) {
	v.transactions.Add(1)
	tx, err := v.DB.BeginTx(ctx)
	return &probeTx{Tx: tx, probe: v}, err
}

type probeTx struct {
	sqlplugin.Tx

	probe *VisibilityProbe
}

func (p *probeTx) InsertIntoVisibility(ctx context.Context, row *sqlplugin.VisibilityRow) (sql.Result, error) {
	p.probe.statements.Add(1)
	return p.Tx.InsertIntoVisibility(ctx, row)
}

func (p *probeTx) ReplaceIntoVisibility(ctx context.Context, row *sqlplugin.VisibilityRow) (sql.Result, error) {
	p.probe.statements.Add(1)
	return p.Tx.ReplaceIntoVisibility(ctx, row)
}

func (p *probeTx) Commit() error {
	if failure := p.probe.failure.Load(); failure != nil && *failure != nil {
		_ = p.Rollback()
		return *failure
	}
	return p.Tx.Commit()
}

// FailCommits makes commits fail with err; nil ends it.
func (v *VisibilityProbe) FailCommits(err error) { v.failure.Store(&err) }

// Statements is how many inserts and updates were made in transactions.
func (v *VisibilityProbe) Statements() int { return int(v.statements.Load()) }

// Transactions is how many were begun.
func (v *VisibilityProbe) Transactions() int { return int(v.transactions.Load()) }

// Waiting is how many writes wait for their transaction.
func (v *VisibilityProbe) Waiting() int {
	v.grouped.group.mu.Lock()
	defer v.grouped.group.mu.Unlock()
	return len(v.grouped.group.waiting)
}

// RecordStart records the start of a run.
func (v *VisibilityProbe) RecordStart(ctx context.Context, run string, version int64) error {
	_, err := v.grouped.InsertIntoVisibility(ctx, visibilityRow(run, version))
	return err
}

// RecordClose records the close of a run.
func (v *VisibilityProbe) RecordClose(ctx context.Context, run string, version int64) error {
	_, err := v.grouped.ReplaceIntoVisibility(ctx, visibilityRow(run, version))
	return err
}

// RecordBadly records a close that cannot be written.
func (v *VisibilityProbe) RecordBadly(ctx context.Context, run string) error {
	row := visibilityRow(run, 1)
	row.SearchAttributes = &sqlplugin.VisibilitySearchAttributes{"Keyword01": make(chan int)}
	_, err := v.grouped.ReplaceIntoVisibility(ctx, row)
	return err
}

// Delete removes the row of a run.
func (v *VisibilityProbe) Delete(ctx context.Context, run string) error {
	_, err := v.grouped.DeleteFromVisibility(ctx, sqlplugin.VisibilityDeleteFilter{NamespaceID: "namespace", RunID: run})
	return err
}

// Stop ends the grouping.
func (v *VisibilityProbe) Stop() { v.grouped.group.close() }

// Version is that of a run's row, 0 = there is none.
func (v *VisibilityProbe) Version(t *testing.T, run string) int64 {
	t.Helper()
	row, err := v.DB.GetFromVisibility(t.Context(), sqlplugin.VisibilityGetFilter{NamespaceID: "namespace", RunID: run})
	if err == sql.ErrNoRows { //nolint:errorlint // as the plugin returns it
		return 0
	}
	require.NoError(t, err)
	return row.Version
}

func visibilityRow(run string, version int64) *sqlplugin.VisibilityRow {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	return &sqlplugin.VisibilityRow{
		NamespaceID: "namespace", RunID: run, WorkflowTypeName: "type", WorkflowID: "workflow-" + run, TaskQueue: "queue",
		StartTime: at, ExecutionTime: at, Status: 1, Encoding: "proto3", RootWorkflowID: "root", RootRunID: "root",
		Version: version,
	}
}
