package temporaldev

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/log"
	"go.temporal.io/server/common/metrics"
	persistencesql "go.temporal.io/server/common/persistence/sql"
	"go.temporal.io/server/common/persistence/sql/sqlplugin"
	sqliteplugin "go.temporal.io/server/common/persistence/sql/sqlplugin/sqlite"
	"go.temporal.io/server/common/resolver"
)

// visibilityPlugin is the name of the server's SQLite plugin with grouped writes to visibility.
const visibilityPlugin = "sqlite-grouped-visibility"

const (
	// groupInterval is how long a write to visibility waits for others to share its transaction.
	groupInterval = 100 * time.Millisecond
	// startHold is how long the record of a start waits for that of the close, which has all that it has. Lists show a
	// running workflow that much later.
	startHold = time.Second
	// maxHeldStarts bounds those that wait: each keeps one of the server's workers for visibility
	// (history.visibilityProcessorSchedulerWorkerCount), and closes need some too.
	maxHeldStarts = 256
	// groupTimeout bounds one transaction.
	groupTimeout = 10 * time.Second
)

// registerVisibilityPlugin makes the plugin known to the server; before any server runs, since its register is a map.
//
//nolint:gochecknoglobals // once in the process, as that register
var registerVisibilityPlugin = sync.OnceFunc(func() {
	persistencesql.RegisterPlugin(visibilityPlugin, groupingPlugin{})
})

// groupingPlugin implements sqlplugin.Plugin on the server's own plugin for SQLite.
type groupingPlugin struct{}

// CreateDB implements sqlplugin.Plugin. Like the server's own, what it returns is a sqlplugin.DB and a
// sqlplugin.AdminDB.
func (groupingPlugin) CreateDB(
	kind sqlplugin.DbKind, cfg *config.SQL, r resolver.ServiceResolver, l log.Logger, m metrics.Handler,
) (sqlplugin.GenericDB, error) {
	db, err := persistencesql.NewSQLDB(kind, plainPlugin(cfg), r, l, m)
	if err != nil {
		return nil, err //nolint:wrapcheck // this plugin is to be unseen
	}
	admin, ok := db.(sqlplugin.AdminDB)
	if !ok {
		return nil, errors.Join(fmt.Errorf("temporal-dev: %T is no AdminDB", db), db.Close())
	}
	return &visibilityDB{DB: db, AdminCRUD: admin, versions: admin, group: &visibilityGroup{db: db}}, nil
}

// GetVisibilityQueryConverter implements sqlplugin.Plugin.
func (groupingPlugin) GetVisibilityQueryConverter() sqlplugin.VisibilityQueryConverter {
	converter, err := persistencesql.GetPluginVisibilityQueryConverter(sqliteplugin.PluginName)
	if err != nil {
		return nil // cannot be: its import registers it
	}
	return converter
}

// plainPlugin is cfg with the server's own plugin.
func plainPlugin(cfg *config.SQL) *config.SQL {
	plain := *cfg
	plain.PluginName = sqliteplugin.PluginName
	return &plain
}

// versions is what a sqlplugin.AdminDB has beside a sqlplugin.DB and AdminCRUD.
type versions interface {
	ExpectedVersion() string
	VerifyVersion() error
}

// visibilityDB is a handle whose writes to visibility share transactions. They return when theirs is committed, so
// nothing is less durable than on its own.
type visibilityDB struct {
	sqlplugin.DB
	sqlplugin.AdminCRUD
	versions

	group *visibilityGroup
}

// InsertIntoVisibility implements sqlplugin.Visibility: it records a start.
func (v *visibilityDB) InsertIntoVisibility(ctx context.Context, row *sqlplugin.VisibilityRow) (sql.Result, error) {
	return v.group.do(ctx, &visibilityWrite{
		run: visibilityRun{row.NamespaceID, row.RunID}, version: row.Version, isStart: true,
		exec: func(ctx context.Context, db sqlplugin.TableCRUD) (sql.Result, error) {
			return db.InsertIntoVisibility(ctx, row)
		},
	})
}

// ReplaceIntoVisibility implements sqlplugin.Visibility: it records a close or new search attributes.
func (v *visibilityDB) ReplaceIntoVisibility(ctx context.Context, row *sqlplugin.VisibilityRow) (sql.Result, error) {
	return v.group.do(ctx, &visibilityWrite{
		run: visibilityRun{row.NamespaceID, row.RunID}, version: row.Version, isWhole: true,
		exec: func(ctx context.Context, db sqlplugin.TableCRUD) (sql.Result, error) {
			return db.ReplaceIntoVisibility(ctx, row)
		},
	})
}

// DeleteFromVisibility implements sqlplugin.Visibility: the retention has passed.
func (v *visibilityDB) DeleteFromVisibility(
	ctx context.Context, filter sqlplugin.VisibilityDeleteFilter,
) (sql.Result, error) {
	return v.group.do(ctx, &visibilityWrite{
		run: visibilityRun{filter.NamespaceID, filter.RunID},
		exec: func(ctx context.Context, db sqlplugin.TableCRUD) (sql.Result, error) {
			return db.DeleteFromVisibility(ctx, filter)
		},
	})
}

// Close implements sqlplugin.GenericDB.
func (v *visibilityDB) Close() error {
	v.group.close()
	return v.DB.Close() //nolint:wrapcheck // this plugin is to be unseen
}
