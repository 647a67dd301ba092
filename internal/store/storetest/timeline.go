package storetest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/models"
)

// timelines are attempts counted by when they began and how long they took.
func timelines(t *testing.T, w *world) {
	t.Helper()
	app, owner := w.application(t), w.worker(t)
	sub, other := w.subscription(t, app), w.subscription(t, app)
	from := w.now()
	attempt := func(sub *models.Subscription, outcome models.AttemptOutcome, took time.Duration) {
		t.Helper()
		c := w.claim(t, owner, w.fire(t, app, sub))
		r := w.took(took)
		r.Outcome, r.StatusCode = outcome, 200
		w.end(t, c, r)
	}
	attempt(sub, models.AttemptSucceeded, 30*time.Millisecond)
	attempt(other, models.AttemptFailed, 3*time.Second)
	w.clock.Advance(time.Minute)
	require.NoError(t, w.RenewWorker(t.Context(), owner))
	attempt(sub, models.AttemptSucceeded, time.Millisecond)
	w.clock.Advance(2 * time.Minute)
	require.NoError(t, w.RenewWorker(t.Context(), owner))
	attempt(sub, models.AttemptSucceeded, time.Millisecond) // after the last part

	got, err := w.Timeline(t.Context(), app.ID, "", from, time.Minute, 3)
	require.NoError(t, err)
	require.Len(t, got.Parts, 3)
	require.Equal(t, []int{1, 1, 0}, []int{got.Parts[0].Succeeded, got.Parts[1].Succeeded, got.Parts[2].Succeeded})
	require.Equal(t, []int{1, 0, 0}, []int{got.Parts[0].Failed, got.Parts[1].Failed, got.Parts[2].Failed})
	require.Equal(t, 50*time.Millisecond, got.Parts[0].Percentile(50))
	require.Equal(t, 5*time.Second, got.Parts[0].Percentile(95))
	require.Equal(t, 5*time.Millisecond, got.Parts[1].Percentile(95))
	require.Zero(t, got.Parts[2].Percentile(95))

	ofOne, err := w.Timeline(t.Context(), app.ID, other.ID, from, time.Minute, 3)
	require.NoError(t, err)
	require.Equal(t, 0, ofOne.Parts[0].Succeeded)
	require.Equal(t, 1, ofOne.Parts[0].Failed)
	foreign, err := w.Timeline(t.Context(), w.application(t).ID, other.ID, from, time.Minute, 3)
	require.NoError(t, err)
	require.Zero(t, foreign.Parts[0].Failed, "another application's subscription")
}

// jobLists are an application's jobs, with their progress.
func jobLists(t *testing.T, w *world) {
	t.Helper()
	app := w.application(t)
	sub := w.subscription(t, app)
	id := w.fire(t, app, sub)
	first := w.startJob(t, app, dry, listing(id))
	second := w.startJob(t, app, listing(id))
	w.startJob(t, w.application(t), dry, listing(id))

	jobs, next, err := w.Jobs(t.Context(), app.ID, models.Page{Limit: 1})
	require.NoError(t, err)
	require.Equal(t, second, jobs[0].ID)
	require.Equal(t, 1, jobs[0].Matched)
	rest, end, err := w.Jobs(t.Context(), app.ID, models.Page{Limit: 1, After: next})
	require.NoError(t, err)
	require.Equal(t, first, rest[0].ID)
	require.Empty(t, end)
	none, _, err := w.Jobs(t.Context(), models.NewID(), models.Page{Limit: 1})
	require.NoError(t, err)
	require.Empty(t, none)

	w.exec(t, "UPDATE commands SET outcome = 'succeeded', settled_at = created_at WHERE job_id = ?", second)
	jobs, _, err = w.Jobs(t.Context(), app.ID, models.Page{Limit: 5})
	require.NoError(t, err)
	require.Equal(t, 1, jobs[0].Succeeded)
	require.Zero(t, jobs[1].Succeeded)
}
