package storetest

import (
	"bytes"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/internal/store"
	"github.com/posthorn/posthorn/migrations"
)

// Dump is all that a database holds: every row of every table, by table, and the bytes of SQLite's files with its
// write-ahead log, by file. For tests that look for what must not be in it.
func Dump(t *testing.T, s *store.Store) map[string][]byte {
	t.Helper()
	pool, err := s.SQL()
	require.NoError(t, err)
	list := "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'"
	if s.Dialect() == migrations.SQLite {
		list = "SELECT name FROM sqlite_master WHERE type = 'table'"
	}
	dump := map[string][]byte{}
	for _, table := range texts(t, pool, list) {
		dump[table] = dumpTable(t, pool, table)
	}
	require.Greater(t, len(dump), 10)
	if s.Dialect() == migrations.SQLite {
		dumpFiles(t, pool, dump)
	}
	return dump
}

func dumpTable(t *testing.T, pool *sql.DB, table string) []byte {
	t.Helper()
	rows, err := pool.QueryContext(t.Context(), `SELECT * FROM "`+table+`"`)
	require.NoError(t, err)
	defer func() { require.NoError(t, rows.Close()) }()
	columns, err := rows.Columns()
	require.NoError(t, err)
	var out bytes.Buffer
	values, places := make([]any, len(columns)), make([]any, len(columns))
	for i := range values {
		places[i] = &values[i]
	}
	for rows.Next() {
		require.NoError(t, rows.Scan(places...))
		for i, value := range values {
			if raw, isBytes := value.([]byte); isBytes {
				value = string(raw)
			}
			_, _ = fmt.Fprintf(&out, "%s=%v\n", columns[i], value)
		}
	}
	require.NoError(t, rows.Err())
	return out.Bytes()
}

func dumpFiles(t *testing.T, pool *sql.DB, dump map[string][]byte) {
	t.Helper()
	files, err := filepath.Glob(texts(t, pool, "SELECT file FROM pragma_database_list WHERE name = 'main'")[0] + "*")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, name := range files {
		raw, err := os.ReadFile(name)
		require.NoError(t, err)
		dump["file "+filepath.Base(name)] = raw
	}
}

func texts(t *testing.T, pool *sql.DB, query string) (list []string) {
	t.Helper()
	rows, err := pool.QueryContext(t.Context(), query)
	require.NoError(t, err)
	defer func() { require.NoError(t, rows.Close()) }()
	for rows.Next() {
		var text string
		require.NoError(t, rows.Scan(&text))
		list = append(list, text)
	}
	require.NoError(t, rows.Err())
	return list
}

// Holding lists the tables and files of a dump that have the text in them.
func Holding(dump map[string][]byte, text string) (places []string) {
	for place, content := range dump {
		if bytes.Contains(content, []byte(text)) {
			places = append(places, place)
		}
	}
	return places
}
