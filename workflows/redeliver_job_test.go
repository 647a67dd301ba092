package workflows_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	sdklog "go.temporal.io/sdk/log"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"github.com/posthorn/posthorn/activities"
	"github.com/posthorn/posthorn/models"
	"github.com/posthorn/posthorn/workflows"
)

// jobWorld runs RedeliverJob in Temporal's test environment, on a job whose steps take ten seconds.
type jobWorld struct {
	t   *testing.T
	env *testsuite.TestWorkflowEnvironment
	// state is the job's row; steps counts what was done on it.
	state models.JobState
	steps int
	// atStep are run at the start of the n-th step, from 1.
	atStep map[int]func()
	// errs fail the next steps.
	errs []error
}

func newJobWorld(t *testing.T) *jobWorld {
	t.Helper()
	suite := testsuite.WorkflowTestSuite{}
	suite.SetLogger(sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler)))
	w := &jobWorld{
		t: t, env: suite.NewTestWorkflowEnvironment(), state: models.JobRunning, atStep: map[int]func(){},
	}
	w.env.RegisterWorkflowWithOptions(workflows.RedeliverJob, workflow.RegisterOptions{Name: workflows.RedeliverJobName})
	w.env.RegisterActivityWithOptions(w.step, activity.RegisterOptions{Name: workflows.ActivityRedeliverStep})
	return w
}

func (w *jobWorld) step(_ context.Context, in activities.RedeliverStepInput) (*activities.RedeliverStepResult, error) {
	if in.Job != "j" {
		return nil, errors.New("another job")
	}
	w.steps++
	if len(w.errs) > 0 {
		err := w.errs[0]
		w.errs = w.errs[1:]
		return nil, err
	}
	if do := w.atStep[w.steps]; do != nil {
		do()
	}
	return &activities.RedeliverStepResult{State: w.state}, nil
}

// change alters the row and tells the workflow, as the dispatcher does.
func (w *jobWorld) change(state models.JobState) {
	w.state = state
	w.env.SignalWorkflow(workflows.SignalChanged, nil)
}

func (w *jobWorld) run() error {
	w.env.ExecuteWorkflow(workflows.RedeliverJobName, workflows.RedeliverJobInput{Job: "j"})
	require.True(w.t, w.env.IsWorkflowCompleted())
	return w.env.GetWorkflowError()
}

func TestJobGoesOnUntilItIsCompleted(t *testing.T) {
	t.Parallel()
	w := newJobWorld(t)
	w.atStep[3] = func() { w.state = models.JobCompleted }

	require.NoError(t, w.run())

	require.Equal(t, 3, w.steps)
}

func TestPausedJobWaitsForAChange(t *testing.T) {
	t.Parallel()
	w := newJobWorld(t)
	w.atStep[2] = func() { w.state = models.JobPaused }
	w.env.RegisterDelayedCallback(func() {
		require.Equal(t, 2, w.steps, "it went on while paused")
		w.change(models.JobRunning)
	}, 100*time.Hour)
	w.atStep[4] = func() { w.state = models.JobCompleted }

	require.NoError(t, w.run())

	require.Equal(t, 4, w.steps)
}

func TestPausedJobThatIsPausedAgainGoesOnWaiting(t *testing.T) {
	t.Parallel()
	w := newJobWorld(t)
	w.state = models.JobPaused
	w.env.RegisterDelayedCallback(func() { w.change(models.JobPaused) }, time.Hour)
	w.env.RegisterDelayedCallback(func() { w.change(models.JobCancelled) }, 2*time.Hour)

	require.NoError(t, w.run())

	require.Equal(t, 3, w.steps)
}

func TestJobThatIsCancelledDuringAStepEnds(t *testing.T) {
	t.Parallel()
	w := newJobWorld(t)
	w.atStep[2] = func() { w.change(models.JobCancelled) }

	require.NoError(t, w.run())

	require.Equal(t, 2, w.steps)
}

// A job that is resumed while the step that saw it paused returns must not wait for another signal.
func TestChangeDuringAStepIsNotLost(t *testing.T) {
	t.Parallel()
	w := newJobWorld(t)
	w.state = models.JobPaused
	w.atStep[1] = func() { w.env.SignalWorkflow(workflows.SignalChanged, nil) }
	w.atStep[2] = func() { w.state = models.JobCompleted }

	require.NoError(t, w.run())

	require.Equal(t, 2, w.steps)
}

// Each step reads the row: it has seen whatever the signals before it told of.
func TestChangesBeforeAStepAreSeenByIt(t *testing.T) {
	t.Parallel()
	w := newJobWorld(t)
	w.state = models.JobPaused
	w.env.RegisterDelayedCallback(func() {
		w.env.SignalWorkflowSkippingWorkflowTask(workflows.SignalChanged, nil)
		w.env.SignalWorkflow(workflows.SignalChanged, "what it carries does not matter")
	}, time.Hour)
	w.env.RegisterDelayedCallback(func() {
		require.Equal(t, 2, w.steps)
		w.change(models.JobCompleted)
	}, 2*time.Hour)

	require.NoError(t, w.run())

	require.Equal(t, 3, w.steps)
}

func TestFailedStepIsTriedAgain(t *testing.T) {
	t.Parallel()
	w := newJobWorld(t)
	w.errs = []error{errors.New("no database"), errors.New("no database")}
	w.state = models.JobCompleted

	require.NoError(t, w.run())

	require.Equal(t, 3, w.steps)
}

func TestLongJobContinuesAsNew(t *testing.T) {
	t.Parallel()
	for _, state := range []models.JobState{models.JobRunning, models.JobPaused} {
		w := newJobWorld(t)
		w.state = state
		w.atStep[1] = func() { w.env.SetContinueAsNewSuggested(true) }
		w.env.RegisterDelayedCallback(func() { w.change(models.JobRunning) }, time.Hour)

		var again *workflow.ContinueAsNewError
		require.ErrorAs(t, w.run(), &again)

		require.Equal(t, workflows.RedeliverJobName, again.WorkflowType.Name)
		require.Equal(t, 1, w.steps)
	}
}

func TestCancelledWorkflowOfAPausedJobEnds(t *testing.T) {
	t.Parallel()
	w := newJobWorld(t)
	w.state = models.JobPaused
	w.env.RegisterDelayedCallback(w.env.CancelWorkflow, time.Hour)

	err := w.run()

	require.ErrorIs(t, err, workflow.ErrCanceled)
	require.Equal(t, 1, w.steps)
}
