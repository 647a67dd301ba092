package temporaldev

import (
	"fmt"
	"net/url"
	"reflect"

	"github.com/jmoiron/sqlx"
	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/persistence/sql/sqlplugin"

	"github.com/posthorn/posthorn/internal/stmtcache"
)

// preparedStatements bounds the statements that are kept for each file; the server has about two hundred.
const preparedStatements = 500

// keepStatements makes the server keep its statements for the file prepared.
// Its plugin prepares each one anew for each call, which is a fifth of what a
// workflow costs, and it opens the file itself, by the driver's name. But it
// has one handle for each file for as long as the process lives, and that
// handle's pool can be exchanged while nobody uses it. Where a later version of
// the plugin is made differently, the server runs as it is.
func keepStatements(cfg *config.SQL) error {
	return withAdmin(cfg, func(db sqlplugin.AdminDB) error {
		shared := sharedHandle(db)
		if shared == nil || stmtcache.Caches(shared.DB) {
			return nil
		}
		pool, err := stmtcache.Open(shared.DriverName(), dataSource(cfg), preparedStatements)
		if err != nil {
			return err
		}
		pool.SetMaxOpenConns(cfg.MaxConns)
		pool.SetMaxIdleConns(cfg.MaxIdleConns)
		// One after the other: a connection has the file to itself.
		if err := shared.Close(); err != nil {
			return fmt.Errorf("close: %w", err)
		}
		shared.DB = pool
		return nil
	})
}

// sharedHandle is the handle of the plugin that db rests on; nil = not found.
func sharedHandle(db sqlplugin.AdminDB) *sqlx.DB {
	value := reflect.ValueOf(db)
	if value.Kind() != reflect.Pointer || value.Elem().Kind() != reflect.Struct {
		return nil
	}
	field := value.Elem().FieldByName("db")
	if !field.IsValid() || field.Type() != reflect.TypeFor[*sqlx.DB]() {
		return nil
	}
	return (*sqlx.DB)(field.UnsafePointer())
}

// dataSource is the data source name that the plugin makes of the settings.
func dataSource(cfg *config.SQL) string {
	query := url.Values{"_time_format": {"sqlite"}}
	for key, value := range cfg.ConnectAttributes {
		if key == "mode" { // a parameter of the URI, the rest are pragmas
			query.Set(key, value)
			continue
		}
		query.Add("_pragma", key+"="+value)
	}
	return "file:" + cfg.DatabaseName + "?" + query.Encode()
}
