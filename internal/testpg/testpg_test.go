package testpg

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"runtime"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestEachCallGivesAFreshDatabase(t *testing.T) {
	t.Parallel()
	first, second := connect(t, URL(t)), connect(t, URL(t))
	_, err := first.Exec(t.Context(), "CREATE TABLE things (id int)")
	require.NoError(t, err)

	assert.NotEqual(t, databaseName(t, first), databaseName(t, second))
	_, err = second.Exec(t.Context(), "SELECT id FROM things")
	assert.ErrorContains(t, err, "does not exist", "the second database must not see the first one's table")
}

func TestTheDatabaseIsDroppedWhenTheTestEnds(t *testing.T) {
	other := connect(t, URL(t)) // skips here where there is no Postgres
	var name string
	ok := t.Run("a test with a connection left open", func(t *testing.T) {
		conn, err := pgx.Connect(t.Context(), URL(t))
		require.NoError(t, err)
		name = databaseName(t, conn)
	})
	require.True(t, ok)
	require.NotEmpty(t, name)

	var count int
	err := other.QueryRow(t.Context(), "SELECT count(*) FROM pg_database WHERE datname = $1", name).Scan(&count)
	require.NoError(t, err)
	assert.Zero(t, count)
}

func TestAMissingPostgresIsASkipAndInCIAFailure(t *testing.T) {
	for name, want := range map[string]string{"": "skipped", "false": "skipped", "true": "failed"} {
		t.Run("CI="+name, func(t *testing.T) {
			t.Setenv("CI", name)
			t.Setenv(EnvURL, "")
			found := processCluster
			processCluster = func() (*url.URL, error) { return nil, errNoPostgres }
			t.Cleanup(func() { processCluster = found })

			verdict := &verdictTB{TB: t}
			done := make(chan struct{})
			go func() {
				defer close(done)
				URL(verdict)
			}()
			<-done
			assert.Equal(t, want, verdict.what)
			assert.Contains(t, verdict.why, "apt-get install postgresql")
		})
	}
}

func TestABadURLIsNamedWithoutItsPassword(t *testing.T) {
	t.Setenv(EnvURL, "mysql://user:hunter2@localhost/db")
	_, err := serverURL()
	require.ErrorContains(t, err, EnvURL)
	assert.NotContains(t, err.Error(), "hunter2")
}

// childEnv makes this test binary, started again, the process that TestTheClusterEndsWithAKilledProcess kills.
const childEnv = "TESTPG_KILLED_CHILD"

func TestTheClusterEndsWithAKilledProcess(t *testing.T) {
	if os.Getenv(childEnv) != "" {
		server, err := serverURL()
		require.NoError(t, err)
		fmt.Println(server) //nolint:forbidigo // the parent reads it
		select {}           // until killed
	}
	t.Parallel()
	if _, err := binaries(); errors.Is(err, errNoPostgres) {
		URL(t) // skips, or fails in CI; a server named by the environment is not ours to end
		t.Skip("no Postgres programs: no throw-away cluster to end")
	}

	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestTheClusterEndsWithAKilledProcess$")
	child.Env = append(os.Environ(), childEnv+"=1", EnvURL+"=")
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, child.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	server, err := url.Parse(line[:len(line)-1])
	require.NoError(t, err)
	conn := connect(t, server.String()) // the cluster is up, and a client that hangs on must not keep it
	dir := server.Query().Get("host")
	require.DirExists(t, dir)

	require.NoError(t, child.Process.Kill())
	require.Error(t, child.Wait(), "killed")
	require.Eventually(t, func() bool {
		_, err := os.Stat(dir)
		return errors.Is(err, os.ErrNotExist)
	}, 30*time.Second, 20*time.Millisecond, "the cluster's folder must go")
	assert.Error(t, conn.Ping(t.Context()), "Postgres must be gone")
}

// verdictTB records how a test was ended, in place of ending it.
type verdictTB struct {
	testing.TB

	what, why string
}

func (v *verdictTB) Skipf(format string, args ...any)  { v.end("skipped", format, args) }
func (v *verdictTB) Fatalf(format string, args ...any) { v.end("failed", format, args) }

func (v *verdictTB) end(what, format string, args []any) {
	v.what, v.why = what, fmt.Sprintf(format, args...)
	runtime.Goexit()
}

func connect(t *testing.T, database string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), database)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close(context.WithoutCancel(t.Context())) })
	return conn
}

func databaseName(t *testing.T, conn *pgx.Conn) string {
	t.Helper()
	var name string
	require.NoError(t, conn.QueryRow(t.Context(), "SELECT current_database()").Scan(&name))
	return name
}

func TestAServerOnLoopbackWantsThePassword(t *testing.T) {
	t.Parallel()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	port := listener.Addr().(*net.TCPAddr).Port
	require.NoError(t, listener.Close())
	server, err := NewTCPServer(port, "it's secret")
	if errors.Is(err, errNoPostgres) {
		t.Skip(err)
	}
	require.NoError(t, err)
	t.Cleanup(server.Close)

	conn, err := pgx.Connect(t.Context(), server.URL("postgres").String())
	require.NoError(t, err)
	require.NoError(t, conn.Close(t.Context()))
	wrong := server.URL("postgres")
	wrong.User = url.UserPassword("posthorn", "guessed")
	_, err = pgx.Connect(t.Context(), wrong.String())
	require.ErrorContains(t, err, "password authentication failed")
}
