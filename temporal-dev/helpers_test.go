package temporaldev_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
	"google.golang.org/grpc"

	temporaldev "github.com/posthorn/posthorn/temporal-dev"
)

const taskQueue = "temporaldev"

func eventType() temporal.SearchAttributeKeyKeyword {
	return temporal.NewSearchAttributeKeyKeyword("PosthornEventType")
}

func status() temporal.SearchAttributeKeyKeyword {
	return temporal.NewSearchAttributeKeyKeyword("PosthornStatus")
}

func subscription() temporal.SearchAttributeKeyKeywordList {
	return temporal.NewSearchAttributeKeyKeywordList("PosthornSubscription")
}

// attributes are what most tests register.
func attributes() map[string]enumspb.IndexedValueType {
	return map[string]enumspb.IndexedValueType{
		eventType().GetName():    enumspb.INDEXED_VALUE_TYPE_KEYWORD,
		subscription().GetName(): enumspb.INDEXED_VALUE_TYPE_KEYWORD_LIST,
	}
}

// start starts a server and stops it when the test and its subtests have ended.
func start(t *testing.T, o temporaldev.Options) *temporaldev.Server {
	t.Helper()
	s, err := temporaldev.Start(t.Context(), o)
	require.NoError(t, err)
	t.Cleanup(func() { stop(t, s) })
	return s
}

func stop(t *testing.T, s *temporaldev.Server) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 30*time.Second)
	defer cancel()
	require.NoError(t, s.Stop(ctx))
}

// dial connects as Posthorn does.
func dial(t *testing.T, s *temporaldev.Server) client.Client {
	t.Helper()
	return dialWith(t, s, s.DialOption())
}

// dialWith connects as any client does.
func dialWith(t *testing.T, s *temporaldev.Server, options ...grpc.DialOption) client.Client {
	t.Helper()
	c, err := client.DialContext(t.Context(), client.Options{
		HostPort:  s.Address(),
		Namespace: s.Namespace(),
		Logger:    log.NewStructuredLogger(slog.New(slog.DiscardHandler)),
		ConnectionOptions: client.ConnectionOptions{
			GrpcCompression: &client.GrpcCompressionNone{}, DialOptions: options,
		},
	})
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c
}

func startWorker(t *testing.T, c client.Client) {
	t.Helper()
	w := worker.New(c, taskQueue, worker.Options{})
	w.RegisterWorkflow(echo)
	w.RegisterWorkflow(retried)
	w.RegisterActivity(new(retries))
	require.NoError(t, w.Start())
	t.Cleanup(w.Stop)
}

// run runs the echo workflow on "hello" and returns its result.
func run(t *testing.T, c client.Client, o client.StartWorkflowOptions) string {
	t.Helper()
	o.TaskQueue = taskQueue
	r, err := c.ExecuteWorkflow(t.Context(), o, echo, "hello")
	require.NoError(t, err)
	return result(t, c, r.GetID())
}

// result waits for the workflow to close.
func result(t *testing.T, c client.Client, id string) (s string) {
	t.Helper()
	require.NoError(t, c.GetWorkflow(t.Context(), id, "").Get(t.Context(), &s))
	return s
}

// list returns the ids of the workflows that the query finds.
func list(t *testing.T, c client.Client, query string) (ids []string) {
	t.Helper()
	found, err := c.ListWorkflow(t.Context(), &workflowservice.ListWorkflowExecutionsRequest{Query: query})
	require.NoError(t, err, query)
	for _, e := range found.Executions {
		ids = append(ids, e.Execution.WorkflowId)
	}
	return ids
}

// get asks the web UI, with another host name if host is set.
func get(t *testing.T, url, host string) (status int, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	require.NoError(t, err)
	req.Host = host
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return res.StatusCode, string(b)
}

// options are those of a quiet server on free ports.
func options(dir string) temporaldev.Options {
	return temporaldev.Options{
		Dir:              dir,
		Address:          "127.0.0.1:0",
		UIAddress:        "localhost:0",
		SearchAttributes: attributes(),
		Logger:           slog.New(slog.DiscardHandler),
	}
}

// echo and retried are the workflows of these tests.
func echo(_ workflow.Context, s string) (string, error) { return s, nil }

func retried(ctx workflow.Context) (attempts []time.Time, err error) {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{StartToCloseTimeout: 10 * time.Second})
	err = workflow.ExecuteActivity(ctx, (&retries{}).Retry).Get(ctx, &attempts)
	return attempts, err
}

// retries is an activity that asks for a retry after 20 ms, some times, and
// then says when it was called.
type retries struct{ attempts []time.Time }

func (r *retries) Retry(ctx context.Context) ([]time.Time, error) {
	r.attempts = append(r.attempts, time.Now())
	if activity.GetInfo(ctx).Attempt < 8 {
		return nil, temporal.NewApplicationErrorWithOptions("again", "", temporal.ApplicationErrorOptions{
			NextRetryDelay: 20 * time.Millisecond,
			Category:       temporal.ApplicationErrorCategoryBenign,
		})
	}
	return r.attempts, nil
}
