package storetest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/internal/store"
	"github.com/posthorn/posthorn/models"
)

func jobPace(t *testing.T, w *world) {
	t.Helper()

	t.Run("is the job's rate", func(t *testing.T) {
		app := w.application(t)
		sub := w.subscription(t, app)
		w.fireMany(t, 60, app, sub)
		job := w.startJob(t, app, filtering(models.InvocationFilter{SubscriptionID: sub.ID}), atRate(20))
		owner := w.worker(t)
		require.Len(t, w.step(t, owner, job).Claims, 2)
		step := w.step(t, owner, job)
		require.Empty(t, step.Claims)
		require.False(t, step.Idle, "it waits for its rate")
		w.clock.Advance(300 * time.Millisecond)
		require.Len(t, w.step(t, owner, job).Claims, 6)
		w.clock.Advance(2 * time.Second)
		require.Len(t, w.step(t, owner, job).Claims, 11, "half a second is made up for")
	})

	t.Run("is bounded by what waits for answers", func(t *testing.T) {
		app := w.application(t)
		for range 5 { // one alone may have fewer in flight
			w.fireMany(t, models.MaxJobInFlight/5+10, app, w.subscription(t, app))
		}
		job := w.startJob(t, app, filtering(models.InvocationFilter{}), atRate(models.MaxJobRate))
		owner := w.worker(t)
		var claims []*models.Claim
		for range 20 {
			claims = append(claims, w.step(t, owner, job).Claims...)
			w.clock.Advance(models.JobTick)
			require.NoError(t, w.RenewWorker(t.Context(), owner))
		}
		require.Len(t, claims, models.MaxJobInFlight)
		require.True(t, w.step(t, owner, job).Idle)
		w.end(t, claims[0], w.instant())
		require.Len(t, w.step(t, owner, job).Claims, 1)

		w.clock.Advance(store.Lease)
		heir := w.worker(t)
		require.NotEmpty(t, w.step(t, heir, job).Claims, "what its owner had in flight when it died is started again")
	})

	t.Run("keeps to a subscription's limits", func(t *testing.T) {
		app := w.application(t)
		sub := w.subscription(t, app)
		ids := w.fireMany(t, 5, app, sub, inFlight(2))
		job := w.startJob(t, app, listing(ids...))
		owner := w.worker(t)
		step := w.step(t, owner, job)
		require.Len(t, step.Claims, 2)
		w.clock.Advance(models.JobTick)
		require.Empty(t, w.step(t, owner, job).Claims)
		w.end(t, step.Claims[0], w.instant())
		require.Len(t, w.step(t, owner, job).Claims, 1)
	})
}

func jobCourse(t *testing.T, w *world) {
	t.Helper()

	change := func(t *testing.T, job string, action models.JobAction) *models.JobView {
		t.Helper()
		view, err := w.ChangeJob(t.Context(), job, action)
		require.NoError(t, err)
		return view
	}

	t.Run("stops while paused and goes on where it was", func(t *testing.T) {
		app := w.application(t)
		sub := w.subscription(t, app)
		ids := w.fireMany(t, 30, app, sub)
		job := w.startJob(t, app, filtering(models.InvocationFilter{SubscriptionID: sub.ID}))
		owner := w.worker(t)
		first := w.step(t, owner, job)
		require.Len(t, first.Claims, 10)
		require.Equal(t, models.JobPaused, change(t, job, models.JobPause).State)
		w.clock.Advance(time.Second)
		step := w.step(t, owner, job)
		require.Equal(t, models.JobPaused, step.State)
		require.Empty(t, step.Claims)
		w.end(t, first.Claims[0], w.instant())
		require.Equal(t, 1, w.job(t, job).Succeeded, "what was in flight counts")
		before := w.job(t, job)
		w.clock.Advance(time.Second)
		require.Equal(t, before, change(t, job, models.JobPause), "it is paused already")
		resumed := change(t, job, models.JobResume)
		require.Equal(t, []any{models.JobRunning, new(w.now())}, []any{resumed.State, resumed.DispatchAfter})
		require.NoError(t, w.RenewWorker(t.Context(), owner))
		require.Equal(t, ids[10:30], claimed(w.step(t, owner, job)))
	})

	t.Run("ends when cancelled", func(t *testing.T) {
		app := w.application(t)
		sub := w.subscription(t, app)
		ids := w.fireMany(t, 30, app, sub)
		job := w.startJob(t, app, listing(ids...))
		owner := w.worker(t)
		step := w.step(t, owner, job)
		require.Len(t, step.Claims, 10)
		w.end(t, step.Claims[0], w.instant())
		view := change(t, job, models.JobCancel)
		require.Equal(t, []any{models.JobCancelled, new(w.now()), new(w.now())},
			[]any{view.State, view.FinishedAt, view.DispatchAfter})
		w.clock.Advance(time.Second)
		last := w.step(t, owner, job)
		require.Equal(t, models.JobCancelled, last.State)
		require.Empty(t, last.Claims)
		for _, claim := range step.Claims[1:] {
			w.end(t, claim, w.instant())
		}
		view = w.job(t, job)
		require.Equal(t, []int{30, 10, 0}, progress(view), "what was in flight counts")
		require.Len(t, view.Results, 10)
		require.Zero(t, w.count(t, "SELECT count(*) FROM commands WHERE settled_at IS NULL AND job_id = ?", job))
		for _, action := range []models.JobAction{models.JobPause, models.JobResume, models.JobCancel} {
			_, err := w.ChangeJob(t.Context(), job, action)
			require.Equal(t, models.CodeConflict, models.ErrorCode(err))
		}
	})

	t.Run("leaves nothing behind when its subscription goes", func(t *testing.T) {
		app := w.application(t)
		sub := w.subscription(t, app)
		w.fireMany(t, 30, app, sub)
		job := w.startJob(t, app, filtering(models.InvocationFilter{SubscriptionID: sub.ID}))
		owner := w.worker(t)
		for _, claim := range w.step(t, owner, job).Claims {
			w.end(t, claim, w.instant())
		}
		require.NoError(t, w.DeleteSubscription(t.Context(), sub.ID))
		for range 10 {
			w.clock.Advance(models.JobTick)
			require.Empty(t, w.step(t, owner, job).Claims)
		}
		view := w.job(t, job)
		require.Equal(t, models.JobCompleted, view.State)
		require.Equal(t, []int{30, 10, 20}, progress(view))
	})
}

func jobDispatches(t *testing.T, w *world) {
	t.Helper()

	take := func(t *testing.T) []models.JobDispatch {
		t.Helper()
		rows, err := w.TakeJobs(t.Context(), 10)
		require.NoError(t, err)
		return rows
	}

	t.Run("are leased, marked, and made by every change", func(t *testing.T) {
		w.quiet(t)
		app, _, id := w.fired(t)
		job := w.startJob(t, app, listing(id))
		rows := take(t)
		require.Equal(t, []models.JobDispatch{
			{ID: job, ApplicationID: app.ID, Matched: 1, Lease: w.in(dispatchLease)},
		}, rows)
		require.Empty(t, take(t))
		w.clock.Advance(dispatchLease)
		again := take(t)
		require.Len(t, again, 1)
		require.NoError(t, w.MarkJob(t.Context(), rows[0]), "of the lease that is over")
		require.NotNil(t, w.job(t, job).DispatchAfter)
		require.NoError(t, w.MarkJob(t.Context(), again[0]))
		w.clock.Advance(dispatchLease)
		require.Empty(t, take(t))
		for _, action := range []models.JobAction{models.JobPause, models.JobResume, models.JobCancel} {
			_, err := w.ChangeJob(t.Context(), job, action)
			require.NoError(t, err)
			rows := take(t)
			require.Len(t, rows, 1)
			require.NoError(t, w.MarkJob(t.Context(), rows[0]))
		}
	})

	t.Run("survive a step between taking and marking", func(t *testing.T) {
		w.quiet(t)
		app, _, id := w.fired(t)
		job := w.startJob(t, app, listing(id))
		rows := take(t)
		w.step(t, w.worker(t), job)
		require.NoError(t, w.MarkJob(t.Context(), rows[0]))
		require.Nil(t, w.job(t, job).DispatchAfter)
	})

	t.Run("are made anew for jobs that nobody carries on", func(t *testing.T) {
		w.quiet(t)
		app := w.application(t)
		sub := w.subscription(t, app)
		ids := w.fireMany(t, 3, app, sub)
		running, paused := w.startJob(t, app, listing(ids[0])), w.startJob(t, app, listing(ids[1]))
		w.dispatched(t)
		_, err := w.ChangeJob(t.Context(), paused, models.JobPause)
		require.NoError(t, err)
		for _, row := range take(t) {
			require.NoError(t, w.MarkJob(t.Context(), row))
		}
		w.exec(t, "UPDATE invocations SET next_attempt_at = NULL WHERE application_id = ?", app.ID)
		owner := w.worker(t)
		w.step(t, owner, running)
		w.clock.Advance(store.OverdueAfter - time.Second)
		require.NoError(t, w.RenewWorker(t.Context(), owner))
		w.step(t, owner, running) // there is nothing to do for it, but somebody looks
		w.clock.Advance(store.OverdueAfter - time.Microsecond)
		require.Zero(t, w.reconciled(t))
		w.clock.Advance(time.Microsecond)
		require.Equal(t, 1, w.reconciled(t))
		rows := take(t)
		require.Len(t, rows, 1)
		require.Equal(t, running, rows[0].ID)
		require.Zero(t, w.reconciled(t))
	})

	t.Run("are made anew in another namespace", func(t *testing.T) {
		_, err := w.AdoptNamespace(t.Context(), "before")
		require.NoError(t, err)
		w.quiet(t)
		app := w.application(t)
		ids := w.fireMany(t, 2, app, w.subscription(t, app))
		open, done := w.startJob(t, app, listing(ids[0])), w.startJob(t, app, listing(ids[1]), dry)
		for _, row := range take(t) {
			require.NoError(t, w.MarkJob(t.Context(), row))
		}
		changed, err := w.AdoptNamespace(t.Context(), "after")
		require.NoError(t, err)
		require.True(t, changed)
		rows := take(t)
		require.Len(t, rows, 1)
		require.Equal(t, open, rows[0].ID)
		require.Nil(t, w.job(t, done).DispatchAfter)
		require.Empty(t, w.takeCommands(t, 10), "its commands are the job's own")
	})
}
