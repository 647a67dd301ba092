package worker_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"github.com/posthorn/posthorn/internal/observe"
	"github.com/posthorn/posthorn/worker"
)

const given = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

// header is a workflow.HeaderReader and a HeaderWriter.
type header map[string]*commonpb.Payload

func (h header) Set(key string, value *commonpb.Payload) { h[key] = value }

func (h header) Get(key string) (*commonpb.Payload, bool) {
	value, ok := h[key]
	return value, ok
}

func (h header) ForEachKey(func(string, *commonpb.Payload) error) error {
	return errors.New("nobody asks")
}

// seenBy runs a workflow that was started under the trace context, and returns what its activities see of it.
func seenBy(t *testing.T, traceparent string) (local, regular string) {
	t.Helper()
	var suite testsuite.WorkflowTestSuite
	env := suite.NewTestWorkflowEnvironment()
	propagator := worker.TracePropagator()
	env.SetContextPropagators([]workflow.ContextPropagator{propagator})
	h := header{}
	require.NoError(t, propagator.Inject(observe.WithTraceparent(t.Context(), traceparent), h))
	env.SetHeader(&commonpb.Header{Fields: h})
	see := func(ctx context.Context) (string, error) { return observe.Traceparent(ctx), nil }
	env.RegisterActivity(see)
	env.ExecuteWorkflow(func(ctx workflow.Context) error {
		here := workflow.WithLocalActivityOptions(ctx, workflow.LocalActivityOptions{StartToCloseTimeout: time.Minute})
		if err := workflow.ExecuteLocalActivity(here, see).Get(ctx, &local); err != nil {
			return err
		}
		there := workflow.WithActivityOptions(ctx, workflow.ActivityOptions{StartToCloseTimeout: time.Minute})
		return workflow.ExecuteActivity(there, see).Get(ctx, &regular)
	})
	require.NoError(t, env.GetWorkflowError())
	return local, regular
}

func TestActivitiesSeeTheTraceContextThatTheirWorkflowWasStartedIn(t *testing.T) {
	t.Parallel()
	local, regular := seenBy(t, given)
	require.Equal(t, given, local)
	require.Equal(t, given, regular)
	local, regular = seenBy(t, "")
	require.Empty(t, local+regular)
}

func TestATraceContextThatCannotBeReadCountsAsNone(t *testing.T) {
	t.Parallel()
	number, err := converter.GetDefaultDataConverter().ToPayload(7)
	require.NoError(t, err)
	text, err := converter.GetDefaultDataConverter().ToPayload("not a trace context")
	require.NoError(t, err)
	for _, payload := range []*commonpb.Payload{nil, {}, number, text} {
		ctx, err := worker.TracePropagator().Extract(t.Context(), header{"traceparent": payload})
		require.NoError(t, err)
		require.Empty(t, observe.Traceparent(ctx))
	}
}
