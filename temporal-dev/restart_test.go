package temporaldev_test

import (
	"bufio"
	"context"
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	temporaldev "github.com/posthorn/posthorn/temporal-dev"
)

// childDir makes the test binary a server on that folder: see TestMain.
const childDir = "TEMPORALDEV_TEST_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		serveUntilKilled(dir)
	}
	os.Exit(m.Run())
}

func serveUntilKilled(dir string) {
	s, err := temporaldev.Start(context.Background(), options(dir))
	if err != nil {
		panic(err)
	}
	_, _ = fmt.Fprintln(os.Stdout, "address", s.Address())
	select {}
}

// TestRestart starts three times on the same files.
//
//nolint:tparallel // the subtests are in order
func TestRestart(t *testing.T) {
	t.Parallel()
	// A name that has to be escaped in SQLite's file URI.
	o := options(filepath.Join(t.TempDir(), "data #1 50%?"))

	t.Run("a workflow is started", func(t *testing.T) {
		c := dial(t, start(t, o))
		_, err := c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{
			ID:                    "event/1",
			TaskQueue:             taskQueue,
			TypedSearchAttributes: temporal.NewSearchAttributes(eventType().ValueSet("loan.updated")),
		}, echo, "hello")
		require.NoError(t, err)
	})
	require.Subset(t, indexes(t, o.Dir), []string{"default_idx", "by_workflow_id", "by_status", "by_keyword_01"})
	require.NotContains(t, indexes(t, o.Dir), "by_keyword_02")

	o.Retention = 48 * time.Hour
	o.SearchAttributes = attributes()
	o.SearchAttributes[status().GetName()] = enumspb.INDEXED_VALUE_TYPE_KEYWORD
	t.Run("it goes on beside a new search attribute", func(t *testing.T) {
		s := start(t, o)
		c := dial(t, s)
		startWorker(t, c)
		require.Equal(t, "hello", result(t, c, "event/1"))

		run(t, c, client.StartWorkflowOptions{
			ID:                    "event/2",
			TypedSearchAttributes: temporal.NewSearchAttributes(eventType().ValueSet("loan.updated"), status().ValueSet("new")),
		})
		require.Eventually(t, func() bool {
			return len(list(t, c, "PosthornEventType = 'loan.updated'")) == 2 && len(list(t, c, "PosthornStatus = 'new'")) == 1
		}, 5*time.Second, 20*time.Millisecond)

		described, err := c.WorkflowService().DescribeNamespace(t.Context(),
			&workflowservice.DescribeNamespaceRequest{Namespace: s.Namespace()})
		require.NoError(t, err)
		require.Equal(t, o.Retention, described.Config.WorkflowExecutionRetentionTtl.AsDuration())
	})
	require.Contains(t, indexes(t, o.Dir), "by_keyword_02")

	o.SearchAttributes[status().GetName()] = enumspb.INDEXED_VALUE_TYPE_INT
	_, err := temporaldev.Start(t.Context(), o)
	require.ErrorContains(t, err, "search attribute PosthornStatus has type Keyword and cannot change to Int")
}

// indexes names the indexes in the visibility store of a stopped server. This
// process still holds the file, so it looks at a copy.
func indexes(t *testing.T, dir string) (names []string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "temporal-visibility-v*.db"))
	require.NoError(t, err)
	require.Len(t, files, 1)
	content, err := os.ReadFile(files[0])
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "copy.db")
	require.NoError(t, os.WriteFile(file, content, 0o600))

	db, err := sql.Open("sqlite", "file:"+file)
	require.NoError(t, err)
	defer func() { _ = db.Close() }()
	rows, err := db.QueryContext(t.Context(), `SELECT name FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL`)
	require.NoError(t, err)
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var name string
		require.NoError(t, rows.Scan(&name))
		names = append(names, name)
	}
	require.NoError(t, rows.Err())
	return names
}

// TestStartAfterCrash kills a server in another process; while that one lives,
// its folder is refused.
func TestStartAfterCrash(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	address, kill := startChild(t, dir)

	c, err := client.DialContext(t.Context(), client.Options{HostPort: address})
	require.NoError(t, err)
	_, err = c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: "event/1", TaskQueue: taskQueue}, echo, "hello")
	require.NoError(t, err)
	c.Close()

	_, err = temporaldev.Start(t.Context(), options(dir))
	require.ErrorContains(t, err, "is in use by another process")

	kill()
	c = dial(t, start(t, options(dir)))
	startWorker(t, c)
	require.Equal(t, "hello", result(t, c, "event/1"))
}

// startChild starts a server in a process of its own and returns its address
// and how to kill it.
func startChild(t *testing.T, dir string) (address string, kill func()) {
	t.Helper()
	child := exec.CommandContext(t.Context(), os.Args[0])
	// The server would refuse this exporter, and dial one that it knows.
	child.Env = append(os.Environ(), childDir+"="+dir, "OTEL_TRACES_EXPORTER=console")
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, child.Start())
	kill = func() {
		_ = child.Process.Kill()
		_ = child.Wait()
	}
	t.Cleanup(kill)

	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	address, ok := strings.CutPrefix(strings.TrimSpace(line), "address ")
	require.True(t, ok, line)
	return address, kill
}
