package storetest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/internal/store"
	"github.com/posthorn/posthorn/models"
)

// jobClaimCases are those of what a job claims.
func jobClaimCases() []group {
	return []group{
		{"carry a list out and tell of each", jobCarriesListOut},
		{"take a filter in the order of acceptance, each once, and none that came later", jobTakesFilterInOrder},
		{"leave out what no longer matches", jobLeavesOutNoMatch},
		{"wait for another attempt in flight", jobWaitsForOtherAttempt},
		{"grant a dead worker's again, and no live one's", jobGrantsDeadWorkersAgain},
		{"never go to two workers", jobNeverGoesToTwo},
		{"send the workflow of what they deliver word of it", jobTellsWaitingWorkflow},
	}
}

func jobCarriesListOut(t *testing.T, w *world) {
	app := w.application(t)
	sub, unverified := w.subscription(t, app), w.subscription(t, app)
	good, bad := w.settled(t, app, sub, models.StatusFailed), w.settled(t, app, sub, models.StatusSucceeded)
	abandoned := w.settled(t, app, sub, models.StatusAbandoned)
	unproven := w.settled(t, app, unverified, models.StatusFailed)
	w.update(t, unverified, func(s *models.Subscription) { s.Verified = false })
	versionless := w.settled(t, app, sub, models.StatusCancelled)
	w.exec(t, "UPDATE invocations SET reason = '"+models.ReasonVersionMissing+"' WHERE id = ?", versionless)
	job := w.startJob(t, app, listing(unproven, bad, "x", good, abandoned, versionless))
	owner := w.worker(t)

	step := w.step(t, owner, job)
	require.ElementsMatch(t, []string{good, bad}, claimed(step))
	require.Equal(t, models.JobRunning, step.State)
	require.Equal(t, []int{5, 0, 3}, progress(w.job(t, job)), "the refused ones")
	for _, claim := range step.Claims {
		require.False(t, claim.Awaited)
		if claim.InvocationID == good {
			w.end(t, claim, w.delivered())
		} else {
			w.end(t, claim, w.refused(500))
		}
	}
	require.Equal(t, models.JobCompleted, w.step(t, owner, job).State)
	view := w.job(t, job)
	require.Equal(t, []int{5, 1, 4}, progress(view))
	require.Equal(t, []models.JobResult{
		{ID: unproven, Outcome: models.RedeliveryRefused},
		{ID: bad, Outcome: models.RedeliveryFailed},
		{ID: "x", Outcome: models.RedeliveryNotFound},
		{ID: good, Outcome: models.RedeliverySucceeded},
		{ID: abandoned, Outcome: models.RedeliveryRefused},
		{ID: versionless, Outcome: models.RedeliveryRefused},
	}, view.Results)
	require.Equal(t, []any{new(w.now()), (*time.Time)(nil)}, []any{view.FinishedAt, view.DispatchAfter})
	require.Equal(t, models.StatusSucceeded, w.invocation(t, good).Status)
	require.Equal(t, models.StatusSucceeded, w.invocation(t, bad).Status, "failure leaves it as it was")
	log := w.attempts(t, good)
	require.Equal(t, models.TriggerRedeliver, log[len(log)-1].Trigger)
}

func jobTakesFilterInOrder(t *testing.T, w *world) {
	app := w.application(t)
	sub := w.subscription(t, app)
	ids := w.fireMany(t, 250, app, sub)
	job := w.startJob(t, app, filtering(models.InvocationFilter{SubscriptionID: sub.ID}), atRate(1000))
	w.fireMany(t, 3, app, sub)
	owner := w.worker(t)
	var got []string
	for range 10 {
		step := w.step(t, owner, job)
		for _, claim := range step.Claims {
			got = append(got, claim.InvocationID)
			w.end(t, claim, w.instant())
		}
		w.clock.Advance(models.JobTick)
	}
	require.Equal(t, ids, got)
	require.Equal(t, []int{250, 250, 0}, progress(w.job(t, job)))
	require.Equal(t, models.JobCompleted, w.job(t, job).State)
}

func jobLeavesOutNoMatch(t *testing.T, w *world) {
	app := w.application(t)
	sub := w.subscription(t, app)
	first, second := w.settled(t, app, sub, models.StatusFailed), w.settled(t, app, sub, models.StatusFailed)
	job := w.startJob(t, app, filtering(models.InvocationFilter{Status: models.StatusFailed}))
	owner := w.worker(t)
	w.end(t, w.redeliver(t, owner, second), w.delivered())
	step := w.step(t, owner, job)
	require.Equal(t, []string{first}, claimed(step))
	w.end(t, step.Claims[0], w.delivered())
	require.Equal(t, models.JobCompleted, w.step(t, owner, job).State)
	require.Equal(t, []int{1, 1, 0}, progress(w.job(t, job)), "matched is what it was for, in the end")
}

func jobWaitsForOtherAttempt(t *testing.T, w *world) {
	app, _, id := w.fired(t)
	owner := w.worker(t)
	scheduled := w.claim(t, owner, id)
	job := w.startJob(t, app, listing(id))
	step := w.step(t, owner, job)
	require.Empty(t, step.Claims)
	require.True(t, step.Idle)
	w.end(t, scheduled, w.unreached())
	step = w.step(t, owner, job)
	require.Equal(t, []string{id}, claimed(step))
	require.Empty(t, w.step(t, owner, job).Claims, "its own attempt is in flight")
	w.end(t, step.Claims[0], w.delivered())
}

func jobGrantsDeadWorkersAgain(t *testing.T, w *world) {
	app := w.application(t)
	sub := w.subscription(t, app)
	ids := w.fireMany(t, 2, app, sub)
	job := w.startJob(t, app, listing(ids...))
	dead := w.worker(t)
	require.Len(t, w.step(t, dead, job).Claims, 2)
	w.clock.Advance(store.Lease - time.Microsecond)
	second := w.worker(t)
	require.Empty(t, w.step(t, second, job).Claims)
	w.clock.Advance(time.Microsecond)
	step := w.step(t, second, job)
	require.ElementsMatch(t, ids, claimed(step))
	require.Equal(t, models.AttemptInterrupted, *w.attempts(t, ids[0])[0].ErrorCode)
	for _, claim := range step.Claims {
		require.Equal(t, 2, claim.Number)
		w.end(t, claim, w.delivered())
	}
	require.Equal(t, models.JobCompleted, w.step(t, second, job).State)
	require.Equal(t, []int{2, 2, 0}, progress(w.job(t, job)))
}

func jobNeverGoesToTwo(t *testing.T, w *world) {
	app := w.application(t)
	sub := w.subscription(t, app)
	ids := w.fireMany(t, 80, app, sub)
	job := w.startJob(t, app, filtering(models.InvocationFilter{SubscriptionID: sub.ID}), atRate(1000))
	owners := []string{w.worker(t), w.worker(t), w.worker(t), w.worker(t)}
	steps := make([]*models.JobStep, len(owners))
	errs := make([]error, len(owners))
	atOnce(len(owners), func(i int) { steps[i], errs[i] = w.ClaimJob(t.Context(), owners[i], job) })
	var got []string
	for i, step := range steps {
		require.NoError(t, errs[i])
		got = append(got, claimed(step)...)
	}
	require.ElementsMatch(t, ids, got)
}

func jobTellsWaitingWorkflow(t *testing.T, w *world) {
	w.quiet(t)
	app := w.application(t)
	sub := w.subscription(t, app)
	waiting, failing := w.settled(t, app, sub, models.StatusRetrying), w.settled(t, app, sub, models.StatusRetrying)
	undispatched := w.fire(t, app, sub)
	w.exec(t, "UPDATE invocations SET dispatch_after = NULL WHERE status = 'retrying' AND application_id = ?", app.ID)
	job := w.startJob(t, app, listing(waiting, failing, undispatched))
	for _, claim := range w.step(t, w.worker(t), job).Claims {
		require.Equal(t, claim.InvocationID != undispatched, claim.Awaited)
		require.Equal(t, job, claim.JobID)
		if claim.InvocationID == failing {
			w.end(t, claim, w.refused(500))
		} else {
			w.end(t, claim, w.delivered())
		}
	}
	rows := w.takeCommands(t, 10)
	require.Len(t, rows, 1)
	require.Equal(t, []any{waiting, models.CommandRedeliver, w.invocation(t, waiting).WorkflowID},
		[]any{rows[0].InvocationID, rows[0].Kind, rows[0].WorkflowID})
	gate := w.askRedelivery(t, w.worker(t), rows[0].ID)
	require.Equal(t, []any{models.VerdictClosed, models.StatusSucceeded}, []any{gate.Verdict, gate.Status})
	require.NoError(t, w.MarkCommand(t.Context(), rows[0]))
	w.clock.Advance(dispatchLease)
	require.Empty(t, w.takeCommands(t, 10))
	require.Equal(t, []int{3, 2, 1}, progress(w.job(t, job)))
}

// instant is a delivery that takes no time.
func (w *world) instant() models.Result {
	return models.Result{StartedAt: w.now(), FinishedAt: w.now(), Outcome: models.AttemptSucceeded, StatusCode: 200}
}

func atRate(perSecond int) func(*models.Job) { return func(j *models.Job) { j.Rate = perSecond } }
