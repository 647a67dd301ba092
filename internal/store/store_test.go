package store_test

import (
	"net/url"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/internal/secret"
	"github.com/posthorn/posthorn/internal/store"
	"github.com/posthorn/posthorn/internal/store/storetest"
	"github.com/posthorn/posthorn/internal/testpg"
)

func TestSQLite(t *testing.T) { //nolint:tparallel // the plans come after the suite
	t.Parallel()
	statements := newTrace()
	t.Run("suite", func(t *testing.T) { //nolint:paralleltest // the plans come after it
		storetest.Run(t, func(t *testing.T, now func() time.Time) *store.Store {
			t.Helper()
			return statements.open(t, "sqlite:"+filepath.Join(t.TempDir(), "posthorn ?%&#.db"), now)
		})
	})
	t.Run("plans", func(t *testing.T) { sqlitePlans(t, statements) })
}

func TestPostgres(t *testing.T) { //nolint:tparallel // as TestSQLite
	t.Parallel()
	statements := newTrace()
	t.Run("suite", func(t *testing.T) { //nolint:paralleltest // the plans come after it
		storetest.Run(t, func(t *testing.T, now func() time.Time) *store.Store {
			t.Helper()
			return statements.open(t, testpg.URL(t), now)
		})
	})
	t.Run("plans", func(t *testing.T) { postgresPlans(t, statements) })
}

func open(t *testing.T, url string, now func() time.Time) *store.Store {
	t.Helper()
	keyring, err := secret.NewKeyring(secret.GenerateMasterKey())
	require.NoError(t, err)
	s, err := store.Open(t.Context(), store.Options{URL: url, Keyring: keyring, Now: now, MaxConnections: 12})
	require.NoError(t, err)
	t.Cleanup(s.Close)
	return s
}

func TestOpenSaysWhatIsWrongAndNoPassword(t *testing.T) {
	t.Parallel()
	const password = "hunter2"
	for name, c := range map[string]struct{ url, want string }{
		"no URL":             {"", "sqlite: or postgres://"},
		"another database":   {"mysql://user:" + password + "@localhost/db", "sqlite: or postgres://"},
		"not a URL":          {"postgres://user:" + password + "@local host:54%zz/db", "cannot be parsed"},
		"a bad port":         {"postgres://user:" + password + "@localhost:port/db", "cannot be parsed"},
		"a raw slash":        {"postgres://user:" + password + "/more@localhost/db", "cannot be parsed"},
		"a raw colon":        {"postgres://user:" + password + ":more@localhost:54%zz/db", "cannot be parsed"},
		"a bad setting":      {"postgres://user:" + password + "@localhost/db?sslmode=maybe", "sslmode"},
		"in the query":       {"postgres://localhost/db?sslmode=maybe&user=user&password=" + password, "sslmode"},
		"nobody there":       {"postgres://user:" + password + "@127.0.0.1:1/db?connect_timeout=1", "database unavailable"},
		"no such folder":     {"sqlite:" + filepath.Join(t.TempDir(), "absent", "posthorn.db"), "open database"},
		"a folder as a file": {"sqlite:" + t.TempDir(), "open database"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := store.Open(t.Context(), store.Options{URL: c.url})
			require.ErrorContains(t, err, c.want)
			require.NotContains(t, err.Error(), password)
		})
	}
}

func TestOpenFindsNoDatabaseOfThatName(t *testing.T) {
	t.Parallel()
	server, err := url.Parse(testpg.URL(t))
	require.NoError(t, err)
	server.Path = "/posthorn_absent"
	_, err = store.Open(t.Context(), store.Options{URL: server.String()})
	require.ErrorContains(t, err, "posthorn_absent")
}
