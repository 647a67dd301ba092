package storetest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/models"
)

// draftJob is a job of the application at 100 redeliveries per second.
func (w *world) draftJob(app *models.Application, changes ...func(*models.Job)) *models.Job {
	job := &models.Job{
		ID: models.NewID(), ApplicationID: app.ID, Rate: 100, CreatedAt: w.now(), UpdatedAt: w.now(),
	}
	for _, change := range changes {
		change(job)
	}
	return job
}

func listing(ids ...string) func(*models.Job) { return func(j *models.Job) { j.IDs = ids } }

// filtering completes the filter with the job's application.
func filtering(f models.InvocationFilter) func(*models.Job) {
	return func(j *models.Job) {
		f.ApplicationID = j.ApplicationID
		j.Filter = &f
	}
}

func dry(j *models.Job) { j.DryRun = true }

// startJob stores a job and returns its id.
func (w *world) startJob(t *testing.T, app *models.Application, changes ...func(*models.Job)) string {
	t.Helper()
	job := w.draftJob(app, changes...)
	require.NoError(t, w.CreateJob(t.Context(), job))
	return job.ID
}

func (w *world) job(t *testing.T, id string) *models.JobView {
	t.Helper()
	view, err := w.Job(t.Context(), id)
	require.NoError(t, err)
	return view
}

// step asks what the job may send.
func (w *world) step(t *testing.T, owner, job string) *models.JobStep {
	t.Helper()
	step, err := w.ClaimJob(t.Context(), owner, job)
	require.NoError(t, err)
	for _, claim := range step.Claims {
		require.Equal(t, models.TriggerRedeliver, claim.Trigger)
		require.Equal(t, job, w.jobOf(t, claim.RedeliveryID))
	}
	return step
}

func (w *world) jobOf(t *testing.T, command string) string {
	t.Helper()
	var id string
	query := w.placeholder("SELECT job_id FROM commands WHERE id = ?")
	require.NoError(t, w.pool(t).QueryRowContext(t.Context(), query, command).Scan(&id))
	return id
}

// claimed are the invocations that a step granted.
func claimed(step *models.JobStep) []string {
	ids := make([]string, 0, len(step.Claims))
	for _, claim := range step.Claims {
		ids = append(ids, claim.InvocationID)
	}
	return ids
}

// progress is matched, succeeded and failed.
func progress(v *models.JobView) []int { return []int{v.Matched, v.Succeeded, v.Failed} }

func jobs(t *testing.T, w *world) {
	t.Helper()

	t.Run("of ids match those of the application", func(t *testing.T) {
		app, _, id := w.fired(t)
		_, _, foreign := w.fired(t)
		unknown := models.NewID()
		job := w.draftJob(app, listing(unknown, id, "nonsense", foreign))
		require.NoError(t, w.CreateJob(t.Context(), job))
		view := w.job(t, job.ID)
		require.Equal(t, *job, view.Job, "it reads back as it was stored")
		require.Equal(t, []int{1, 0, 0}, progress(view))
		require.Equal(t, models.JobPending, view.State)
		require.Equal(t, new(w.now()), view.DispatchAfter)
		require.Equal(t, []models.JobResult{
			{ID: unknown, Outcome: models.RedeliveryNotFound},
			{ID: "nonsense", Outcome: models.RedeliveryNotFound},
			{ID: foreign, Outcome: models.RedeliveryNotFound},
		}, view.Results)
		require.Empty(t, w.takeCommands(t, 10), "its commands are not the dispatcher's")
	})

	t.Run("of a filter match what there is", func(t *testing.T) {
		app := w.application(t)
		sub, other := w.subscription(t, app), w.subscription(t, app)
		w.settled(t, app, sub, models.StatusFailed)
		early := w.now()
		w.clock.Advance(time.Minute)
		w.settled(t, app, other, models.StatusFailed)
		w.fire(t, app, sub)
		w.fired(t) // another application's
		for n, f := range map[int][]models.InvocationFilter{
			1: {
				{Status: models.StatusFailed, SubscriptionID: sub.ID},
				{Status: models.StatusPending},
				{Before: early.Add(time.Microsecond)},
			},
			2: {{Status: models.StatusFailed}, {SubscriptionID: sub.ID}, {After: early.Add(time.Microsecond)}},
			3: {{EventType: "loan.updated"}},
			0: {{EventType: "loan.closed"}, {Status: models.StatusPaused}},
		} {
			for _, filter := range f {
				view := w.job(t, w.startJob(t, app, filtering(filter)))
				require.Equal(t, n, view.Matched, "%+v", filter)
				require.Nil(t, view.Results)
				filter.ApplicationID = app.ID
				require.Equal(t, &filter, view.Filter)
			}
		}
	})

	t.Run("that are for nothing, or dry, are completed at once", func(t *testing.T) {
		app, _, id := w.fired(t)
		for name, change := range map[string][]func(*models.Job){
			"dry list":     {listing(id, "x"), dry},
			"dry filter":   {filtering(models.InvocationFilter{EventType: "loan.updated"}), dry},
			"empty list":   {listing("x")},
			"empty filter": {filtering(models.InvocationFilter{EventType: "loan.closed"})},
		} {
			job := w.startJob(t, app, change...)
			view := w.job(t, job)
			require.Equal(t, models.JobCompleted, view.State, name)
			require.Equal(t, []*time.Time{new(w.now()), new(w.now()), nil},
				[]*time.Time{view.StartedAt, view.FinishedAt, view.DispatchAfter})
			require.Zero(t, w.commandsOf(t, id), name)
			require.Equal(t, models.JobCompleted, w.step(t, w.worker(t), job).State)
			_, err := w.ChangeJob(t.Context(), job, models.JobPause)
			require.Equal(t, models.CodeConflict, models.ErrorCode(err))
		}
		view := w.job(t, w.startJob(t, app, listing(id, "x"), dry))
		require.Equal(t, []models.JobResult{{ID: "x", Outcome: models.RedeliveryNotFound}}, view.Results)
		require.Equal(t, 1, view.Matched)
	})

	t.Run("are not found when there is none", func(t *testing.T) {
		_, err := w.Job(t.Context(), models.NewID())
		require.Equal(t, models.CodeNotFound, models.ErrorCode(err))
		_, err = w.ClaimJob(t.Context(), w.worker(t), models.NewID())
		require.Equal(t, models.CodeNotFound, models.ErrorCode(err))
		_, err = w.ChangeJob(t.Context(), models.NewID(), models.JobCancel)
		require.Equal(t, models.CodeNotFound, models.ErrorCode(err))
	})
}
