package workflows_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"
	sdklog "go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"github.com/posthorn/posthorn/activities"
	"github.com/posthorn/posthorn/models"
	"github.com/posthorn/posthorn/workflows"
)

// retentionWorld runs Retention in Temporal's test environment, on so many batches that each remove something or not.
type retentionWorld struct {
	t   *testing.T
	env *testsuite.TestWorkflowEnvironment
	// batches are what is still to be removed, one after the other; at counts those that were.
	batches []int
	at      int
	// errs fail the next batches; times are when batches were made.
	errs  []error
	times []time.Time
}

func newRetentionWorld(t *testing.T, batches ...int) *retentionWorld {
	t.Helper()
	suite := testsuite.WorkflowTestSuite{}
	suite.SetLogger(sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler)))
	w := &retentionWorld{t: t, env: suite.NewTestWorkflowEnvironment(), batches: batches}
	w.env.RegisterWorkflowWithOptions(workflows.Retention, workflow.RegisterOptions{Name: workflows.RetentionName})
	w.env.RegisterActivityWithOptions(w.purge, activity.RegisterOptions{Name: workflows.ActivityPurge})
	return w
}

func (w *retentionWorld) purge(_ context.Context, in activities.PurgeInput) (*activities.PurgeResult, error) {
	if in.From.CreatedAt != int64(w.at) {
		return nil, errors.New("another batch")
	}
	if len(w.errs) > 0 {
		err := w.errs[0]
		w.errs = w.errs[1:]
		return nil, err
	}
	w.times = append(w.times, w.env.Now())
	result := &activities.PurgeResult{Removed: w.batches[w.at]}
	if w.at++; w.at < len(w.batches) {
		result.Next = &models.PurgeCursor{Phase: models.PurgeEvents, CreatedAt: int64(w.at)}
	}
	return result, nil
}

func (w *retentionWorld) run(in workflows.RetentionInput) (int, error) {
	w.env.ExecuteWorkflow(workflows.RetentionName, in)
	require.True(w.t, w.env.IsWorkflowCompleted())
	if err := w.env.GetWorkflowError(); err != nil {
		return 0, err
	}
	var result workflows.RetentionResult
	require.NoError(w.t, w.env.GetWorkflowResult(&result))
	return result.Removed, nil
}

func TestRetentionGoesOnUntilNothingIsLeft(t *testing.T) {
	t.Parallel()
	w := newRetentionWorld(t, 3, 0, 2, 0)

	removed, err := w.run(workflows.RetentionInput{})

	require.NoError(t, err)
	require.Equal(t, 5, removed)
	require.Equal(t, 4, w.at)
	require.GreaterOrEqual(t, w.times[1].Sub(w.times[0]), 100*time.Millisecond, "it leaves others room")
	require.Less(t, w.times[2].Sub(w.times[1]), 100*time.Millisecond, "but not after it removed nothing")
}

func TestRetentionTriesAFailedBatchAgain(t *testing.T) {
	t.Parallel()
	w := newRetentionWorld(t, 1)
	for range 5 {
		w.errs = append(w.errs, errors.New("no database"))
	}

	removed, err := w.run(workflows.RetentionInput{})

	require.NoError(t, err)
	require.Equal(t, 1, removed)
}

func TestLongRoundContinuesAsNewWhereItWas(t *testing.T) {
	t.Parallel()
	batches := make([]int, 501)
	batches[7], batches[500] = 4, 1
	w := newRetentionWorld(t, batches...)

	_, err := w.run(workflows.RetentionInput{Removed: 2})

	var again *workflow.ContinueAsNewError
	require.ErrorAs(t, err, &again)
	require.Equal(t, workflows.RetentionName, again.WorkflowType.Name)
	var in workflows.RetentionInput
	require.NoError(t, converter.GetDefaultDataConverter().FromPayloads(again.Input, &in))
	require.Equal(t, workflows.RetentionInput{
		From: models.PurgeCursor{Phase: models.PurgeEvents, CreatedAt: 500}, Removed: 6,
	}, in)
}

func TestCancelledRoundEnds(t *testing.T) {
	t.Parallel()
	w := newRetentionWorld(t, 1, 1, 1)
	w.env.RegisterDelayedCallback(w.env.CancelWorkflow, 50*time.Millisecond)

	_, err := w.run(workflows.RetentionInput{})

	var cancelled *temporal.CanceledError
	require.ErrorAs(t, err, &cancelled)
	require.Equal(t, 1, w.at)
}
