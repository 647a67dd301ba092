// Package testpg gives tests a Postgres database of their own.
//
// With POSTHORN_TEST_DATABASE_URL set, databases are made inside that server. Without it, the first call in a test
// process starts a throw-away cluster from the Postgres programs found on the machine; it ends, and its files go, when
// the process ends, however it ends. So `go test ./...` needs no set-up, and nothing is left behind.
//
// Only tests, the benchmark and the local cluster import this package; a lint rule sees to it.
package testpg

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// EnvURL names the variable with the URL of a running Postgres server whose user may create databases.
const EnvURL = "POSTHORN_TEST_DATABASE_URL"

// namePrefix marks the databases made here: on a server named by [EnvURL] a killed test process leaves its databases
// behind, and this is how a person recognises them.
const namePrefix = "posthorn_test_"

// statementTimeout bounds one CREATE or DROP DATABASE. They take about 50 ms; a machine busy with a compile takes
// longer.
const statementTimeout = time.Minute

// processCluster is the one cluster of this test process, started by the first test that asks for a database.
//
//nolint:gochecknoglobals // testing has no per-process fixture that tests of any package could share: this is one
var processCluster = sync.OnceValues(startCluster)

// URL returns the URL of a fresh, empty database that is dropped when the test ends, with whatever is still connected
// to it. Each call gives another database, so tests may run in parallel.
//
// Where there is no Postgres the test is skipped, and says what to install; with CI=true it fails instead.
func URL(tb testing.TB) string {
	tb.Helper()
	server, name := create(tb)
	tb.Cleanup(func() {
		// The test's own context is cancelled by the time cleanups run. FORCE ends connections that the test left open:
		// a leak is for goleak to find, not for a DROP that fails at random.
		ctx := context.WithoutCancel(tb.Context())
		if err := execute(ctx, server, "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)"); err != nil {
			tb.Errorf("testpg: %v", err)
		}
	})
	return database(server, name)
}

// Shared is URL for a database that several tests of the process use: it is not dropped, but goes with the throw-away
// cluster. On a server named by [EnvURL] it stays behind.
func Shared(tb testing.TB) string {
	tb.Helper()
	return database(create(tb))
}

func create(tb testing.TB) (server *url.URL, name string) {
	tb.Helper()
	server, err := serverURL()
	if errors.Is(err, errNoPostgres) {
		if ci, _ := strconv.ParseBool(os.Getenv("CI")); ci {
			tb.Fatalf("testpg: %v (with CI=true this is a failure, not a skip)", err)
		}
		tb.Skipf("testpg: skipped: %v", err)
	}
	if err != nil {
		tb.Fatalf("testpg: %v", err)
	}
	name = newName()
	// The name is made of lower-case letters, digits and underscores only, so it needs no quoting.
	if err := execute(tb.Context(), server, "CREATE DATABASE "+name); err != nil {
		tb.Fatalf("testpg: %v", err)
	}
	return server, name
}

func database(server *url.URL, name string) string {
	named := *server
	named.Path = "/" + name
	return named.String()
}

// serverURL is the server to make databases in: the one named by the environment, else this process's cluster.
func serverURL() (*url.URL, error) {
	text := os.Getenv(EnvURL)
	if text == "" {
		return processCluster()
	}
	server, err := url.Parse(text)
	if err != nil || (server.Scheme != "postgres" && server.Scheme != "postgresql") {
		// The parse error would repeat the URL, with its password.
		return nil, fmt.Errorf("%s is not a postgres:// URL", EnvURL)
	}
	return server, nil
}

// newName returns a database name that no other test process uses.
func newName() string {
	var random [8]byte
	_, _ = rand.Read(random[:]) // never fails: crypto/rand ends the program instead
	return namePrefix + hex.EncodeToString(random[:])
}

// execute runs one statement on a connection of its own.
func execute(ctx context.Context, server *url.URL, statement string) (err error) {
	ctx, cancel := context.WithTimeout(ctx, statementTimeout)
	defer cancel()
	conn, err := pgx.Connect(ctx, server.String())
	if err != nil {
		return fmt.Errorf("connect to Postgres: %w", err)
	}
	defer func() { err = errors.Join(err, conn.Close(ctx)) }()
	if _, err := conn.Exec(ctx, statement); err != nil {
		return fmt.Errorf("%s: %w", statement, err)
	}
	return nil
}
