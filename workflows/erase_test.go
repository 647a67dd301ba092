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
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"github.com/posthorn/posthorn/activities"
	"github.com/posthorn/posthorn/models"
	"github.com/posthorn/posthorn/workflows"
)

// erasureWorld runs Erase in Temporal's test environment, on so many batches, of which those given wait.
type erasureWorld struct {
	t       *testing.T
	env     *testsuite.TestWorkflowEnvironment
	batches int
	waiting map[int]bool
	errs    []error
	times   []time.Time
}

func newErasureWorld(t *testing.T, batches int) *erasureWorld {
	t.Helper()
	suite := testsuite.WorkflowTestSuite{}
	suite.SetLogger(sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler)))
	w := &erasureWorld{t: t, env: suite.NewTestWorkflowEnvironment(), batches: batches, waiting: map[int]bool{}}
	w.env.RegisterWorkflowWithOptions(workflows.Erase, workflow.RegisterOptions{Name: workflows.EraseName})
	w.env.RegisterActivityWithOptions(w.erase, activity.RegisterOptions{Name: workflows.ActivityErase})
	return w
}

func (w *erasureWorld) erase(_ context.Context, in activities.EraseInput) (*activities.EraseResult, error) {
	if in.Erasure != "e" || in.From.Seq != int64(len(w.times)) {
		return nil, errors.New("another batch")
	}
	if len(w.errs) > 0 {
		err := w.errs[0]
		w.errs = w.errs[1:]
		return nil, err
	}
	w.times = append(w.times, w.env.Now())
	if len(w.times) == w.batches {
		return &activities.EraseResult{}, nil
	}
	return &activities.EraseResult{
		Next: &models.ErasureCursor{Phase: models.EraseEvents, Seq: int64(len(w.times))}, Waiting: w.waiting[len(w.times)],
	}, nil
}

func (w *erasureWorld) run() error {
	w.env.ExecuteWorkflow(workflows.EraseName, workflows.EraseInput{Erasure: "e"})
	require.True(w.t, w.env.IsWorkflowCompleted())
	return w.env.GetWorkflowError()
}

func TestEraseGoesOnUntilNothingIsLeft(t *testing.T) {
	t.Parallel()
	w := newErasureWorld(t, 4)
	w.waiting[2] = true
	w.errs = []error{errors.New("no database"), errors.New("no database")}

	require.NoError(t, w.run())

	require.Len(t, w.times, 4)
	require.GreaterOrEqual(t, w.times[1].Sub(w.times[0]), 100*time.Millisecond, "it leaves others room")
	require.GreaterOrEqual(t, w.times[2].Sub(w.times[1]), time.Second, "attempts in flight take their time")
}

func TestALongErasureContinuesAsNewWhereItWas(t *testing.T) {
	t.Parallel()
	w := newErasureWorld(t, 501)

	err := w.run()

	var again *workflow.ContinueAsNewError
	require.ErrorAs(t, err, &again)
	var in workflows.EraseInput
	require.NoError(t, converter.GetDefaultDataConverter().FromPayloads(again.Input, &in))
	require.Equal(t, workflows.EraseInput{Erasure: "e", From: models.ErasureCursor{Phase: models.EraseEvents, Seq: 500}}, in)
}
