package temporaldev

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"

	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/log"
	"go.temporal.io/server/common/metrics"
	"go.temporal.io/server/common/persistence/sql"
	"go.temporal.io/server/common/persistence/sql/sqlplugin"
	sqliteplugin "go.temporal.io/server/common/persistence/sql/sqlplugin/sqlite"
	"go.temporal.io/server/common/resolver"
	sqliteschema "go.temporal.io/server/schema/sqlite"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// storeFiles names the two SQLite files. The schema version is part of the name
// because Temporal does not migrate SQLite: after an upgrade of the schema an
// old file would fail at run time, so a new one begins instead.
type storeFiles struct {
	main       string // histories, mutable state, timers, task queues
	visibility string // what lists and counts read
}

func newStoreFiles(dir string) (storeFiles, error) {
	// Absolute, because the server shares one connection per name: see sqlConfig.
	dir, err := filepath.Abs(dir)
	if err != nil {
		return storeFiles{}, fmt.Errorf("temporal-dev: data folder: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return storeFiles{}, fmt.Errorf("temporal-dev: create the data folder: %w", err)
	}
	return storeFiles{
		main:       filepath.Join(dir, "temporal-v"+sqliteschema.Version+".db"),
		visibility: filepath.Join(dir, "temporal-visibility-v"+sqliteschema.VisibilityVersion+".db"),
	}, nil
}

// sqlConfig returns the server's settings for one file.
//
// All services share one connection per file, which suits SQLite's single
// writer; two files mean two writers, and visibility never delays a workflow.
// The server's plugin keeps that connection until the process ends.
//
// The "main." prefixes only order the pragmas: the driver sorts them, and
// locking_mode has to come before the first access to the file.
func sqlConfig(file string) *config.SQL {
	return &config.SQL{
		PluginName: sqliteplugin.PluginName,
		// The plugin puts the name into a URI as it is.
		DatabaseName: (&url.URL{Path: file}).EscapedPath(),
		MaxConns:     1,
		MaxIdleConns: 1,
		ConnectAttributes: map[string]string{
			"mode": "rwc",
			// Waits for a process that is just ending.
			"busy_timeout": "1000",
			// One process per file: two would steal the shards from each other.
			// It also keeps the WAL's index in memory instead of a shared file.
			"locking_mode": "exclusive",
			// 64 MB; the default of 2 MB is smaller than the working set.
			"main.cache_size":   "-65536",
			"main.journal_mode": "wal",
			// 16 MB between checkpoints, and the file shrinks to that after a burst.
			"wal_autocheckpoint":      "4000",
			"main.journal_size_limit": "16777216",
			// Survives a crash of the process; a power cut may cost the last
			// moments, which our reconciler starts again from our own database.
			"main.synchronous": "normal",
			"temp_store":       "memory",
		},
	}
}

// openAdmin returns a handle on the connection that the server will use too.
func openAdmin(cfg *config.SQL) (sqlplugin.AdminDB, error) {
	db, err := sql.NewSQLAdminDB(sqlplugin.DbKindUnknown, cfg, resolver.NewNoopResolver(),
		log.NewNoopLogger(), metrics.NoopMetricsHandler)
	var busy *sqlite.Error
	if errors.As(err, &busy) && busy.Code()&0xff == sqlite3.SQLITE_BUSY {
		file, _ := url.PathUnescape(cfg.DatabaseName)
		return nil, fmt.Errorf("temporal-dev: %s is in use by another process", file)
	}
	if err != nil {
		return nil, fmt.Errorf("temporal-dev: open %s: %w", cfg.DatabaseName, err)
	}
	return db, nil
}

// checkpoint moves what is in the write-ahead logs into the files themselves,
// so that after a stop the .db files are complete and the next start has
// nothing to replay.
func (f storeFiles) checkpoint() error {
	for _, file := range []string{f.main, f.visibility} {
		db, err := openAdmin(sqlConfig(file))
		if err != nil {
			return err
		}
		err = db.Exec("PRAGMA wal_checkpoint(TRUNCATE)")
		_ = db.Close()
		if err != nil {
			return fmt.Errorf("temporal-dev: checkpoint %s: %w", file, err)
		}
	}
	return nil
}

// prepareStore makes the two files ready for a server: tables, namespace, indexes.
func prepareStore(ctx context.Context, store *config.Persistence, o Options) error {
	for _, name := range []string{store.DefaultStore, store.VisibilityStore} {
		if err := keepStatements(store.DataStores[name].SQL); err != nil {
			return err
		}
	}
	if err := createMainSchema(store.DataStores[store.DefaultStore].SQL); err != nil {
		return err
	}
	columns, err := ensureNamespace(ctx, store, o)
	if err != nil {
		return err
	}
	return createVisibilitySchema(store.DataStores[store.VisibilityStore].SQL, columns)
}
