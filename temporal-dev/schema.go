package temporaldev

import (
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/persistence"
	"go.temporal.io/server/common/persistence/sql/sqlplugin"
	"go.temporal.io/server/schema"
)

const (
	mainSchema       = "sqlite/v3/temporal/schema.sql"
	visibilitySchema = "sqlite/v3/visibility/schema.sql"
)

// createMainSchema creates the tables of the main store in an empty file.
func createMainSchema(cfg *config.SQL) error {
	return withAdmin(cfg, func(db sqlplugin.AdminDB) error {
		statements, err := loadSchema(mainSchema)
		if err != nil {
			return err
		}
		return createTables(db, "executions", statements)
	})
}

// createVisibilitySchema creates the tables of the visibility store in an empty
// file, and in any file exactly the indexes that queries on the given columns
// need.
//
// The server's schema has 58 secondary indexes, one for every attribute that
// could exist, and every one contains the close time: each start and each close
// of a workflow rewrites all of them.
func createVisibilitySchema(cfg *config.SQL, columns []string) error {
	return withAdmin(cfg, func(db sqlplugin.AdminDB) error {
		statements, err := loadSchema(visibilitySchema)
		if err != nil {
			return err
		}
		tables, indexes := splitIndexes(statements)
		if err := createTables(db, "executions_visibility", tables); err != nil {
			return err
		}
		return inTransaction(db, chooseIndexes(indexes, columns))
	})
}

func withAdmin(cfg *config.SQL, f func(sqlplugin.AdminDB) error) error {
	db, err := openAdmin(cfg)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	if err := f(db); err != nil {
		return fmt.Errorf("temporal-dev: create the schema of %s: %w", cfg.DatabaseName, err)
	}
	return nil
}

// loadSchema reads a schema of the linked server version, one statement each.
func loadSchema(name string) ([]string, error) {
	file, err := schema.Assets().Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	return persistence.LoadAndSplitQueryFromReaders([]io.Reader{file})
}

// createTables runs the statements unless the table is there already.
func createTables(db sqlplugin.AdminDB, table string, statements []string) error {
	tables, err := db.ListTables("")
	if err != nil || slices.Contains(tables, table) {
		return err
	}
	return inTransaction(db, statements)
}

// inTransaction runs all statements or, after an error or a crash, none. The
// handle has a single connection, so BEGIN and COMMIT meet on it.
func inTransaction(db sqlplugin.AdminDB, statements []string) error {
	for _, s := range slices.Concat([]string{"BEGIN IMMEDIATE"}, statements, []string{"COMMIT"}) {
		if err := db.Exec(s); err != nil {
			_ = db.Exec("ROLLBACK")
			return fmt.Errorf("%.60q: %w", s, err)
		}
	}
	return nil
}

// index is one statement like
//
//	CREATE INDEX by_status ON executions_visibility (namespace_id, status, …)
//
// column is "" for the default index, which begins with the close time.
type index struct{ name, column, rest string }

var createIndex = regexp.MustCompile(`(?s)^\s*CREATE INDEX (\w+)\s+(ON executions_visibility \(namespace_id, (\w*).*)$`)

func splitIndexes(statements []string) (tables []string, indexes []index) {
	for _, s := range statements {
		m := createIndex.FindStringSubmatch(s)
		if m == nil {
			tables = append(tables, s)
			continue
		}
		indexes = append(indexes, index{name: m[1], column: m[3], rest: m[2]})
	}
	return tables, indexes
}

// chooseIndexes returns the statements that leave the wanted indexes and no
// others. Besides the columns of our attributes these are what the UI lists and
// filters by. An index on an attribute holds only the rows that have it.
func chooseIndexes(indexes []index, columns []string) []string {
	// The lists of schedules and of batch jobs; our workflows do not set it.
	columns = slices.Concat(columns, []string{"TemporalNamespaceDivision"})
	statements := make([]string, 0, len(indexes))
	for _, ix := range indexes {
		create := "CREATE INDEX IF NOT EXISTS " + ix.name + " " + strings.TrimSuffix(ix.rest, ";")
		switch ix.column {
		case "", "workflow_id", "workflow_type_name", "status": // never NULL
			statements = append(statements, create)
		default:
			if slices.Contains(columns, ix.column) {
				statements = append(statements, create+" WHERE "+ix.column+" IS NOT NULL")
			} else {
				statements = append(statements, "DROP INDEX IF EXISTS "+ix.name)
			}
		}
	}
	return statements
}
