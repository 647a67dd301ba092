package workflows_test

import (
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	sdklog "go.temporal.io/sdk/log"
	sdkworker "go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/posthorn/posthorn/workflows"
)

// recordedPaths are the ways through Deliver that have a history; see testdata/README.md.
func recordedPaths() []string {
	return []string{
		"success", "retried", "exhausted", "redelivered", "cancelled", "superseded", "parked", "brought_back", "slow",
		"restarted", "signalled_after_close", "unsearchable", "fifo_head", "fifo_run", "fifo_redelivered", "overtaken",
	}
}

// recordedJobPaths are those of RedeliverJob.
func recordedJobPaths() []string {
	return []string{"job_completed", "job_paused", "job_cancelled"}
}

// recordedRetentionPaths are those of Retention.
func recordedRetentionPaths() []string { return []string{"retention"} }

// recordedErasePaths are those of Erase.
func recordedErasePaths() []string { return []string{"erase"} }

func historyFile(path string) string { return filepath.Join("testdata", path+".json") }

func replay(t *testing.T, deliver any, file string) error {
	t.Helper()
	return replayOf(workflows.DeliverName, deliver, file)
}

func replayOf(name string, fn any, file string) error {
	replayer := sdkworker.NewWorkflowReplayer()
	replayer.RegisterWorkflowWithOptions(fn, workflow.RegisterOptions{Name: name})
	return replayer.ReplayWorkflowHistoryFromJSONFile(
		sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler)), file)
}

// TestF19_RecordedHistoriesReplay fails when today's Deliver would do something else than the one that started a
// workflow which is still open somewhere. The histories are what is right then: keep the old way behind
// workflow.GetVersion.
func TestF19_RecordedHistoriesReplay(t *testing.T) {
	t.Parallel()
	for _, path := range recordedPaths() {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			require.FileExists(t, historyFile(path))
			require.NoError(t, replay(t, workflows.Deliver, historyFile(path)))
		})
	}
	for _, path := range recordedJobPaths() {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			require.FileExists(t, historyFile(path))
			require.NoError(t, replayOf(workflows.RedeliverJobName, workflows.RedeliverJob, historyFile(path)))
		})
	}
	for _, path := range recordedRetentionPaths() {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			require.FileExists(t, historyFile(path))
			require.NoError(t, replayOf(workflows.RetentionName, workflows.Retention, historyFile(path)))
		})
	}
	for _, path := range recordedErasePaths() {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			require.FileExists(t, historyFile(path))
			require.NoError(t, replayOf(workflows.EraseName, workflows.Erase, historyFile(path)))
		})
	}
}

func everyRecordedPath() []string {
	return slices.Concat(recordedPaths(), recordedJobPaths(), recordedRetentionPaths(), recordedErasePaths())
}

func TestEveryHistoryIsReplayed(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(historyFile("*"))
	require.NoError(t, err)
	recorded := make([]string, 0, len(files))
	for _, file := range files {
		recorded = append(recorded, strings.TrimSuffix(filepath.Base(file), ".json"))
	}
	require.ElementsMatch(t, everyRecordedPath(), recorded)
}

func TestReplayNoticesAChangedWorkflow(t *testing.T) {
	t.Parallel()
	variants := map[string]any{
		"an activity more": func(ctx workflow.Context, in workflows.DeliverInput) error {
			options := workflow.ActivityOptions{StartToCloseTimeout: time.Second}
			workflow.ExecuteActivity(workflow.WithActivityOptions(ctx, options), workflows.ActivityAttempt)
			return workflows.Deliver(ctx, in)
		},
		"a timer before the end": func(ctx workflow.Context, in workflows.DeliverInput) error {
			if err := workflows.Deliver(ctx, in); err != nil {
				return err
			}
			return workflow.Sleep(ctx, time.Minute)
		},
		"the search attributes gone": func(ctx workflow.Context, in workflows.DeliverInput) error {
			in.Unsearchable = !in.Unsearchable
			return workflows.Deliver(ctx, in)
		},
	}
	for name, variant := range variants {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, path := range recordedPaths() {
				require.Error(t, replay(t, variant, historyFile(path)), path)
			}
		})
	}
}

func TestReplayNoticesAChangedJob(t *testing.T) {
	t.Parallel()
	sleepy := func(ctx workflow.Context, in workflows.RedeliverJobInput) error {
		if err := workflow.Sleep(ctx, time.Second); err != nil {
			return err
		}
		return workflows.RedeliverJob(ctx, in)
	}
	for _, path := range recordedJobPaths() {
		require.Error(t, replayOf(workflows.RedeliverJobName, sleepy, historyFile(path)), path)
	}
}

func TestReplayNoticesAChangedRetention(t *testing.T) {
	t.Parallel()
	impatient := func(ctx workflow.Context, in workflows.RetentionInput) (*workflows.RetentionResult, error) {
		if err := workflow.Sleep(ctx, time.Second); err != nil {
			return nil, err
		}
		return workflows.Retention(ctx, in)
	}
	for _, path := range recordedRetentionPaths() {
		require.Error(t, replayOf(workflows.RetentionName, impatient, historyFile(path)), path)
	}
}

func TestHistoriesNameNoMachine(t *testing.T) {
	t.Parallel()
	for _, path := range everyRecordedPath() {
		text, err := os.ReadFile(historyFile(path))
		require.NoError(t, err)
		for line := range strings.Lines(string(text)) {
			if strings.Contains(line, `"identity"`) {
				require.Contains(t, line, `"posthorn-test"`, path)
			}
		}
	}
}
