package models

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestJobStates(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		state   JobState
		started bool
		action  JobAction
		want    JobState
	}{
		{JobPending, false, JobPause, JobPaused},
		{JobPending, false, JobResume, JobPending},
		{JobPending, false, JobCancel, JobCancelled},
		{JobRunning, true, JobPause, JobPaused},
		{JobRunning, true, JobResume, JobRunning},
		{JobRunning, true, JobCancel, JobCancelled},
		{JobPaused, false, JobPause, JobPaused},
		{JobPaused, false, JobResume, JobPending},
		{JobPaused, true, JobResume, JobRunning},
		{JobPaused, true, JobCancel, JobCancelled},
	} {
		job := Job{State: test.state}
		if test.started {
			job.StartedAt = &time.Time{}
		}
		state, err := job.After(test.action)
		require.NoError(t, err)
		require.Equal(t, test.want, state, "%+v", test)
	}
	for _, state := range []JobState{JobCompleted, JobCancelled} {
		for _, action := range []JobAction{JobPause, JobResume, JobCancel} {
			job := Job{State: state}
			_, err := job.After(action)
			require.Equal(t, CodeConflict, ErrorCode(err))
		}
	}
}

// send asks at the given intervals and spends whatever it gets; it returns how much that was.
func send(j *Job, start time.Time, every time.Duration, times int) int {
	sent := 0
	for i := range times {
		now := start.Add(time.Duration(i) * every)
		n := j.Credit(now)
		j.Spend(now, n)
		sent += n
	}
	return sent
}

func TestJobKeepsItsRate(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	for _, rate := range []int{1, 2, 7, 50, 200, 1000} {
		for _, every := range []time.Duration{JobTick, 137 * time.Millisecond, 450 * time.Millisecond} {
			ticks := int(10*time.Second/every) + 1
			sent := send(&Job{Rate: rate}, start, every, ticks)
			require.InDelta(t, 10*rate, sent, float64(rate)/2+1, "%d per second, asked every %s", rate, every)
		}
	}
}

func TestJobMakesUpForHalfASecondAtMost(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	job := &Job{Rate: 200}
	require.Equal(t, 20, job.Credit(start), "the first step is one tick's worth")
	job.Spend(start, 20)
	require.Zero(t, job.Credit(start))
	require.Equal(t, 101, job.Credit(start.Add(time.Hour)))
	slow := &Job{Rate: 1, PacedAt: &start}
	require.Equal(t, 1, slow.Credit(start.Add(time.Hour)))
	require.Zero(t, slow.Credit(start.Add(time.Second-time.Nanosecond)))
	used := *slow.PacedAt
	slow.Spend(start.Add(time.Hour), 0)
	require.Equal(t, used, *slow.PacedAt, "nothing was spent")
}
