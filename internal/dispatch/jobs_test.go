package dispatch_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"

	"github.com/posthorn/posthorn/internal/dispatch"
	"github.com/posthorn/posthorn/models"
	"github.com/posthorn/posthorn/workflows"
)

func aJob() []models.JobDispatch {
	return []models.JobDispatch{{ID: "j", ApplicationID: "app", Matched: 7}}
}

func TestJobsAreStartedOrToldOfAChange(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(nil)
		w.jobs = aJob()

		w.run(t, moment)

		require.Len(t, w.signalled, 1)
		s := w.signalled[0]
		require.Equal(t, []any{"job/j", workflows.SignalChanged, nil}, []any{s.workflowID, s.name, s.arg})
		require.Equal(t, workflows.RedeliverJobName, s.workflow)
		require.Equal(t, workflows.RedeliverJobInput{Job: "j"}, s.job)
		require.Equal(t, []any{"job/j", workflows.TaskQueue, workflows.WorkflowTaskTimeout, false},
			[]any{s.options.ID, s.options.TaskQueue, s.options.WorkflowTaskTimeout, s.options.EnableEagerStart})
		require.Equal(t, enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE, s.options.WorkflowIDReusePolicy)
		require.Equal(t, "redelivery of 7 invocations", s.options.StaticSummary)
		application, _ := s.options.TypedSearchAttributes.GetKeyword(workflows.SearchApplication)
		require.Equal(t, "app", application)
		require.Equal(t, []string{"j"}, w.markedJobs)
	})
}

func TestJobsOfANamespaceWithoutSearchAttributesGetNone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(func(o *dispatch.Options) { o.Unsearchable = true })
		w.jobs = aJob()

		w.run(t, moment)

		require.Zero(t, w.signalled[0].options.TypedSearchAttributes.Size())
	})
}

func TestAJobThatTemporalDidNotTakeIsTriedAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(nil)
		w.jobs = aJob()
		w.temporalErr = errDown
		time.AfterFunc(1500*time.Millisecond, func() {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.temporalErr = nil
		})

		w.run(t, time.Second)
		require.Empty(t, w.markedJobs)
		w.run(t, 5*time.Second)

		require.Equal(t, []string{"j"}, w.markedJobs)
	})
}
