//go:build record

package workflows_test

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/client"
	sdklog "go.temporal.io/sdk/log"
	sdkworker "go.temporal.io/sdk/worker"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/posthorn/posthorn/activities"
	"github.com/posthorn/posthorn/models"
	temporaldev "github.com/posthorn/posthorn/temporal-dev"
	"github.com/posthorn/posthorn/worker"
	"github.com/posthorn/posthorn/workflows"
)

// recorder runs Deliver on a real server, with the gate and the receiver in memory.
type recorder struct {
	t        *testing.T
	client   client.Client
	worker   sdkworker.Worker
	acts     *activities.Activities
	gate     *gate
	receiver *receiver
	// path is the history's name and makes ids its own.
	path string
}

// TestRecord writes the histories that testdata lacks; see testdata/README.md. One that is there stays as it is.
func TestRecord(t *testing.T) {
	server, err := temporaldev.Start(t.Context(), temporaldev.Options{
		Dir: t.TempDir(), Address: "127.0.0.1:0", UIAddress: temporaldev.UIOff,
		SearchAttributes: workflows.SearchAttributes(), Logger: slog.New(slog.DiscardHandler),
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, server.Stop(context.Background())) }) //nolint:usetesting // t.Context has ended
	c, err := client.DialContext(t.Context(), client.Options{
		HostPort: server.Address(), Identity: "posthorn-test",
		Logger: sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler)),
	})
	require.NoError(t, err)
	t.Cleanup(c.Close)
	recordAll(t, c, plays())
	recordAll(t, c, jobPlays())
	recordAll(t, c, retentionPlays())
	recordAll(t, c, erasePlays())
}

func recordAll(t *testing.T, c client.Client, plays map[string]func(*recorder) string) {
	t.Helper()
	for path, play := range plays {
		t.Run(path, func(t *testing.T) {
			file := historyFile(path)
			if _, err := os.Stat(file); err == nil {
				t.Skip("recorded already")
			}
			r := newRecorder(t, c, path)
			id := play(r)
			r.write(id, file)
		})
	}
}

func newRecorder(t *testing.T, c client.Client, path string) *recorder {
	t.Helper()
	r := &recorder{
		t: t, client: c, path: path, gate: newGate(time.Now), receiver: &receiver{now: time.Now, scripts: map[string]script{}},
	}
	r.acts = &activities.Activities{
		Gatekeeper: r.gate, Sender: r.receiver, Observer: observer{}, Owner: "owner", Wake: func() {}, Now: time.Now,
		Logger: slog.New(slog.DiscardHandler),
	}
	r.startWorker()
	t.Cleanup(func() { r.worker.Stop() })
	return r
}

func (r *recorder) startWorker() {
	r.worker = worker.New(r.client, r.acts, worker.Options{})
	require.NoError(r.t, r.worker.Start())
}

func (r *recorder) add(id string, policy models.RetryPolicy, answer script) {
	r.gate.rows[id] = &row{id: id, status: models.StatusPending, spec: &models.Spec{Retry: policy}}
	r.receiver.scripts[id] = answer
}

func (r *recorder) options() client.StartWorkflowOptions {
	return client.StartWorkflowOptions{
		ID: workflows.EventWorkflowID(r.path, 0), TaskQueue: workflows.TaskQueue, EnableEagerStart: true,
		WorkflowTaskTimeout: workflows.WorkflowTaskTimeout,
	}
}

func (r *recorder) start(in workflows.DeliverInput) client.WorkflowRun {
	r.t.Helper()
	run, err := r.client.ExecuteWorkflow(r.t.Context(), r.options(), workflows.DeliverName, in)
	require.NoError(r.t, err)
	return run
}

// play starts the workflow, does something once every invocation waits in its backoff, and waits for the end.
func (r *recorder) play(do func(), ids ...string) string {
	r.t.Helper()
	run := r.start(workflows.DeliverInput{Invocations: ids})
	if do != nil {
		r.waiting(run)
		do()
	}
	require.NoError(r.t, run.Get(r.t.Context(), nil))
	return run.GetRunID()
}

// waiting returns when activities wait for their next attempts.
func (r *recorder) waiting(run client.WorkflowRun) {
	r.t.Helper()
	require.Eventually(r.t, func() bool {
		described, err := r.client.DescribeWorkflowExecution(r.t.Context(), run.GetID(), run.GetRunID())
		require.NoError(r.t, err)
		for _, pending := range described.GetPendingActivities() {
			if pending.GetState() != enumspb.PENDING_ACTIVITY_STATE_SCHEDULED || pending.GetAttempt() < 2 {
				return false
			}
		}
		return len(described.GetPendingActivities()) > 0
	}, 10*time.Second, 20*time.Millisecond)
}

func (r *recorder) signal(name string, arg any) {
	r.t.Helper()
	require.NoError(r.t, r.client.SignalWorkflow(r.t.Context(), r.options().ID, "", name, arg))
}

func (r *recorder) redeliver(command, invocation string) {
	r.gate.command(command, invocation)
	r.signal(workflows.SignalRedeliver, workflows.RedeliverSignal{Invocation: invocation, Command: command})
}

// write stores the history of one run without the name of the machine it was recorded on.
func (r *recorder) write(runID, file string) {
	r.t.Helper()
	events := r.client.GetWorkflowHistory(r.t.Context(), r.options().ID, runID, false,
		enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	history := &historypb.History{}
	for events.HasNext() {
		event, err := events.Next()
		require.NoError(r.t, err)
		queue := event.GetWorkflowTaskScheduledEventAttributes().GetTaskQueue()
		if queue.GetKind() == enumspb.TASK_QUEUE_KIND_STICKY {
			queue.Name = "sticky"
		}
		history.Events = append(history.Events, event)
	}
	text, err := protojson.MarshalOptions{Indent: " "}.Marshal(history)
	require.NoError(r.t, err)
	host, err := os.Hostname()
	require.NoError(r.t, err)
	require.NotContains(r.t, string(text), host)
	require.NoError(r.t, os.WriteFile(file, append(text, '\n'), 0o644))
	r.t.Logf("%s: %d events", filepath.Base(file), len(history.GetEvents()))
}
