//go:build record

package workflows_test

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/models"
	"github.com/posthorn/posthorn/workflows"
)

func jobPlays() map[string]func(*recorder) string {
	return map[string]func(*recorder) string{
		"job_completed": playJobCompleted,
		"job_paused":    playJobPaused,
		"job_cancelled": playJobCancelled,
	}
}

// jobRow is a job with nothing to send.
type jobRow struct {
	state atomic.Value
	asked atomic.Int32
}

func (j *jobRow) ClaimJob(context.Context, string, string) (*models.JobStep, error) {
	j.asked.Add(1)
	return &models.JobStep{State: j.state.Load().(models.JobState)}, nil
}

// playJob runs a job from the state on, does something once a step was made, and waits for the end.
func (r *recorder) playJob(state models.JobState, do func(j *jobRow)) string {
	r.t.Helper()
	j := &jobRow{}
	j.state.Store(state)
	r.acts.Jobs = j
	run, err := r.client.SignalWithStartWorkflow(r.t.Context(), r.options().ID, workflows.SignalChanged, nil,
		r.options(), workflows.RedeliverJobName, workflows.RedeliverJobInput{Job: r.path})
	require.NoError(r.t, err)
	r.asked(j, 1)
	do(j)
	require.NoError(r.t, run.Get(r.t.Context(), nil))
	return run.GetRunID()
}

func (r *recorder) asked(j *jobRow, times int32) {
	r.t.Helper()
	require.Eventually(r.t, func() bool { return j.asked.Load() >= times }, 20*time.Second, time.Millisecond)
}

func playJobCompleted(r *recorder) string {
	return r.playJob(models.JobRunning, func(j *jobRow) {
		r.asked(j, 102) // the first step has handed back, the second asks
		j.state.Store(models.JobCompleted)
	})
}

func playJobPaused(r *recorder) string {
	return r.playJob(models.JobPaused, func(j *jobRow) {
		r.signal(workflows.SignalChanged, nil)
		r.asked(j, 2)
		j.state.Store(models.JobRunning)
		r.signal(workflows.SignalChanged, nil)
		r.asked(j, 4)
		j.state.Store(models.JobCompleted)
	})
}

func playJobCancelled(r *recorder) string {
	return r.playJob(models.JobPaused, func(j *jobRow) {
		j.state.Store(models.JobCancelled)
		r.signal(workflows.SignalChanged, nil)
	})
}
