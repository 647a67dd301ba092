package activities_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"

	"github.com/posthorn/posthorn/activities"
	"github.com/posthorn/posthorn/models"
)

// jobs answers ClaimJob in order; the last answer stays.
type jobs struct {
	steps []models.JobStep
	errs  []error
	// asked are the times of the calls, from the first.
	asked []time.Duration
	start time.Time
}

func (j *jobs) ClaimJob(_ context.Context, owner, id string) (*models.JobStep, error) {
	if owner != "owner" || id != "job" {
		panic("asked for " + id + " by " + owner)
	}
	if j.start.IsZero() {
		j.start = time.Now()
	}
	j.asked = append(j.asked, time.Since(j.start))
	if err := next(&j.errs); err != nil {
		return nil, err
	}
	step := j.steps[0]
	if len(j.steps) > 1 {
		j.steps = j.steps[1:]
	}
	return &step, nil
}

// running is a step that grants the commands.
func running(commands ...string) models.JobStep {
	step := models.JobStep{State: models.JobRunning}
	for _, command := range commands {
		gate := redelivery()
		gate.Claim.Token, gate.Claim.RedeliveryID, gate.Claim.InvocationID = command, command, "of "+command
		step.Claims = append(step.Claims, gate.Claim)
	}
	return step
}

func ended(state models.JobState) models.JobStep { return models.JobStep{State: state} }

// step runs the activity once, as Temporal would.
func (w *world) step(j *jobs) (result activities.RedeliverStepResult, err error) {
	w.Jobs = j
	env := environment()
	env.RegisterActivity(w.RedeliverStep)
	value, err := env.ExecuteActivity(w.RedeliverStep, activities.RedeliverStepInput{Job: "job"})
	if err == nil {
		err = value.Get(&result)
	}
	return result, err
}

func TestStepSendsWhatItIsGrantedUntilTheJobHasEnded(t *testing.T) {
	t.Parallel()
	for _, state := range []models.JobState{models.JobCompleted, models.JobCancelled, models.JobPaused} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld()
			j := &jobs{steps: []models.JobStep{running("c1", "c2"), running(), running("c3"), ended(state)}}

			result, err := w.step(j)

			require.NoError(t, err)
			require.Equal(t, state, result.State)
			require.NoError(t, w.Drain(t.Context()))
			require.ElementsMatch(t, []string{"c1", "c2", "c3"}, w.sent)
			require.Len(t, w.settled, 3)
			require.Equal(t, []time.Duration{0, models.JobTick, 2 * models.JobTick, 3 * models.JobTick}, j.asked)
		})
	}
}

func TestStepDoesNotWaitForAnswers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.answer = slowly(time.Minute, "c1")
		started := time.Now()

		_, err := w.step(&jobs{steps: []models.JobStep{running("c1"), ended(models.JobPaused)}})

		require.NoError(t, err)
		require.Equal(t, models.JobTick, time.Since(started))
		require.NoError(t, w.Drain(t.Context()))
		require.Len(t, w.settled, 1, "it went on by itself")
	})
}

func TestStepHandsBackAfterAWhile(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		j := &jobs{steps: []models.JobStep{running()}}
		w.Jobs = j
		env := environment()
		env.RegisterActivity(w.RedeliverStep)
		beats := 0
		env.SetOnActivityHeartbeatListener(func(*activity.Info, converter.EncodedValues) { beats++ })

		value, err := env.ExecuteActivity(w.RedeliverStep, activities.RedeliverStepInput{Job: "job"})

		require.NoError(t, err)
		var result activities.RedeliverStepResult
		require.NoError(t, value.Get(&result))
		require.Equal(t, models.JobRunning, result.State)
		require.Equal(t, activities.RedeliverStepDuration, j.asked[len(j.asked)-1])
		require.NotZero(t, beats) // the SDK sends most of them in batches
	})
}

func TestStepThatCanOnlyWaitAsksLessAndLess(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		idle := running()
		idle.Idle = true
		j := &jobs{steps: []models.JobStep{idle, idle, idle, idle, idle, idle, idle, idle, running("c"), idle, ended(models.JobCompleted)}}

		_, err := w.step(j)

		require.NoError(t, err)
		var waits []time.Duration
		for i := range j.asked[1:] {
			waits = append(waits, j.asked[i+1]-j.asked[i])
		}
		require.Equal(t, 150*time.Millisecond, waits[0])
		require.Equal(t, time.Second, waits[7])
		require.Equal(t, models.JobTick, waits[8], "there was something to send")
	})
}

func TestStepThatIsBlockedByWhatItSendsAsksSoon(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		blocked := running("c")
		blocked.Blocked = true
		idle := running()
		idle.Idle, idle.Blocked = true, true
		j := &jobs{steps: []models.JobStep{blocked, idle, idle, ended(models.JobCompleted)}}

		_, err := w.step(j)

		require.NoError(t, err)
		require.Equal(t, []time.Duration{0, 20 * time.Millisecond, 50 * time.Millisecond, 95 * time.Millisecond}, j.asked)
	})
}

func TestStepOfAnErasedJobEnds(t *testing.T) {
	t.Parallel()
	result, err := newWorld().step(&jobs{errs: []error{models.NotFound("job")}})
	require.NoError(t, err)
	require.True(t, result.State.Ended())
}

func TestStepFailsWithTheDatabase(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		j := &jobs{steps: []models.JobStep{running("c1")}, errs: []error{nil, errors.New("no connection")}}

		_, err := w.step(j)

		require.ErrorContains(t, err, "no connection")
		require.NoError(t, w.Drain(t.Context()))
		require.Len(t, w.settled, 1, "what was granted is sent")
	})
}

func TestStepEndsWithItsWorkerAndLeavesItsRequestsInFlight(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.answer = slowly(10*time.Second, "c1")
		w.Jobs = &jobs{steps: []models.JobStep{running("c1"), running()}}
		env := environment()
		env.RegisterActivity(w.RedeliverStep)
		stop := make(chan struct{})
		env.SetWorkerStopChannel(stop)
		time.AfterFunc(250*time.Millisecond, func() { close(stop) })
		started := time.Now()

		value, err := env.ExecuteActivity(w.RedeliverStep, activities.RedeliverStepInput{Job: "job"})

		require.NoError(t, err)
		var result activities.RedeliverStepResult
		require.NoError(t, value.Get(&result))
		require.Equal(t, models.JobRunning, result.State, "another worker goes on")
		require.Equal(t, 250*time.Millisecond, time.Since(started))
		require.Empty(t, w.settled)
		require.NoError(t, w.Drain(t.Context()))
		require.Len(t, w.settled, 1)
	})
}
