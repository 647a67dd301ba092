package worker_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	sdkworker "go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/posthorn/posthorn/activities"
	"github.com/posthorn/posthorn/worker"
	"github.com/posthorn/posthorn/workflows"
)

// registry notes the names under which things are registered.
type registry struct {
	sdkworker.Registry
	workflows, activities []string
}

func (r *registry) RegisterWorkflowWithOptions(_ any, o workflow.RegisterOptions) {
	r.workflows = append(r.workflows, o.Name)
}

func (r *registry) RegisterActivityWithOptions(_ any, o activity.RegisterOptions) {
	r.activities = append(r.activities, o.Name)
}

// Open workflows know these names.
func TestEverythingIsRegisteredUnderItsLastingName(t *testing.T) {
	t.Parallel()
	r := &registry{}

	worker.Register(r, &activities.Activities{})

	require.Equal(t, []string{"Deliver", "RedeliverJob", "Retention", "Erase"}, r.workflows)
	require.ElementsMatch(t, []string{"FirstAttempts", "Attempt", "Redeliver", "RedeliverStep", "Purge", "Erase"}, r.activities)
}

func TestWorkerIsMadeWithoutOptions(t *testing.T) {
	t.Parallel()
	c, err := client.NewLazyClient(client.Options{})
	require.NoError(t, err)
	defer c.Close()

	require.NotPanics(t, func() { worker.New(c, &activities.Activities{}, worker.Options{}) })
}

// A changed name or limit would leave what runs already without a worker, or wedge it.
func TestNamesThatOpenWorkflowsCarryStayTheSame(t *testing.T) {
	t.Parallel()
	require.Equal(t, "posthorn", workflows.TaskQueue)
	require.Equal(t, "event/e", workflows.EventWorkflowID("e", 0))
	require.Equal(t, "event/e/2", workflows.EventWorkflowID("e", 1))
	require.Equal(t, "job/j", workflows.JobWorkflowID("j"))
	require.Equal(t, "invocation/i", workflows.InvocationWorkflowID("i"))
	require.Equal(t, "posthorn-retention", workflows.RetentionID)
}
