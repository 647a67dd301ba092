package storetest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/models"
)

// gateCases are those of the gate for any invocation.
func gateCases() []group {
	return []group{
		{"grants all that sending takes", gateGrantsAll},
		{"grants a test from its Spec", gateGrantsTest},
		{"says how long to wait", gateTellsTheWait},
		{"holds while the owner lives", gateHoldsWhileOwnerLives},
		{"holds through an outage of the database, however long it was", gateHoldsThroughOutage},
		{"is closed for what is settled", gateIsClosedForSettled},
		{"parks what is queued behind others", gateParksQueued},
		{"tells the last error", gateTellsLastError},
		{"answers for each of many", gateAnswersForMany},
		{"gives no answer for what is absent", gateIsSilentOnAbsent},
	}
}

func gateGrantsAll(t *testing.T, w *world) {
	app := w.application(t)
	expires := w.in(time.Hour)
	secret := models.Secrets{
		Signing: []models.SigningSecret{{Symmetric: "whsec_new"}, {Symmetric: "whsec_old", ExpiresAt: &expires}},
		Headers: []models.Header{{Name: "X-CaSe", Value: "<ü>"}}, SecurityKey: "key",
	}
	sub := w.subscription(t, app, func(s *models.Subscription) { s.Version, s.Secrets = new("2021-11-18.1"), secret })
	a := w.draft(t, app, []*models.Subscription{sub}, func(a *models.Acceptance) {
		a.Event.OccurredAt = "yesterday"
		a.Event.Payload = []byte(poison["no JSON, no UTF-8"])
	})
	w.accept(t, app, a)
	moved := "https://elsewhere.example"
	w.update(t, sub, func(s *models.Subscription) { s.URL = moved })
	id := a.Invocations[0].ID
	owner := w.worker(t)
	accepted := w.now()
	w.clock.Advance(time.Second)

	got := w.claim(t, owner, id)
	want := &models.Claim{
		Token: got.Token, InvocationID: id, Number: 1, Trigger: models.TriggerScheduled, ApplicationID: app.ID,
		SubscriptionID: sub.ID, Tenant: app.ExternalID, EventID: a.Event.ID, EventType: "loan.updated",
		Wire: `"LOAN"`, OccurredAt: "yesterday", AcceptedAt: accepted, Payload: a.Event.Payload,
		Version: "2021-11-18.1", URL: moved, Secrets: secret, Spec: got.Spec,
	}
	require.Equal(t, want, got)
	require.NotEmpty(t, got.Token)
	stored, err := got.Spec.Store()
	require.NoError(t, err)
	require.Equal(t, spec(t), stored)

	row := w.invocation(t, id)
	require.Equal(t, []any{&got.Token, &owner, w.now()}, []any{row.ClaimToken, row.ClaimOwner, *row.ClaimedAt})
	require.Zero(t, row.Attempts, "an attempt counts when it is settled")
}

func gateGrantsTest(t *testing.T, w *world) {
	app := w.application(t)
	sub := w.subscription(t, app)
	i := invocationOf(&models.Event{ApplicationID: app.ID, Type: "webhook.test"}, sub, spec(t), w.now())
	i.EventID = nil
	require.NoError(t, w.CreateTest(t.Context(), i, spec(t)))
	c := w.claim(t, w.worker(t), i.ID)
	require.Equal(t, models.TriggerTest, c.Trigger)
	require.Equal(t, []any{"", `"test"`, `{"type":"webhook.test"}`}, []any{c.EventID, c.Wire, string(c.Payload)})
	require.Equal(t, i.CreatedAt, c.AcceptedAt)
}

func gateTellsTheWait(t *testing.T, w *world) {
	app := w.application(t)
	later := w.in(90 * time.Second)
	a := w.draft(t, app, []*models.Subscription{w.subscription(t, app)}, func(a *models.Acceptance) {
		a.Invocations[0].NextAttemptAt = &later
	})
	w.accept(t, app, a)
	id, owner := a.Invocations[0].ID, w.worker(t)
	g := w.ask(t, owner, id)
	require.Equal(t, []any{models.VerdictNotDue, 90 * time.Second}, []any{g.Verdict, g.Wait})
	w.clock.Advance(90*time.Second - time.Microsecond)
	require.Equal(t, time.Microsecond, w.ask(t, owner, id).Wait)
	w.clock.Advance(time.Microsecond)
	w.claim(t, owner, id)
}

func gateHoldsWhileOwnerLives(t *testing.T, w *world) {
	_, _, id := w.fired(t)
	first, second := w.worker(t), w.worker(t)
	w.claim(t, first, id)
	const longest = 2 * time.Minute // of any attempt; then the claim's answer must have got lost
	for range 30 {
		w.pass(t, longest/30-time.Microsecond, first, second)
		require.Equal(t, models.VerdictHeld, w.ask(t, second, id).Verdict)
		require.Equal(t, models.VerdictHeld, w.ask(t, first, id).Verdict, "the owner itself asks no second time")
	}
	require.Empty(t, w.attempts(t, id))
	w.pass(t, 30*time.Microsecond, first, second)
	require.Equal(t, 2, w.claim(t, second, id).Number)
}

func gateHoldsThroughOutage(t *testing.T, w *world) {
	_, _, id := w.fired(t)
	first, second := w.worker(t), w.worker(t)
	c := w.claim(t, first, id)
	w.clock.Advance(time.Hour) // answered long ago, but not to be settled
	require.Equal(t, models.VerdictHeld, w.ask(t, second, id).Verdict)
	for range 10 {
		require.NoError(t, w.RenewWorker(t.Context(), first))
		require.NoError(t, w.RenewWorker(t.Context(), second))
		require.Equal(t, models.VerdictHeld, w.ask(t, second, id).Verdict)
		w.clock.Advance(time.Second)
	}
	w.end(t, c, w.delivered())
	require.Len(t, w.attempts(t, id), 1)
}

func gateIsClosedForSettled(t *testing.T, w *world) {
	app := w.application(t)
	sub := w.subscription(t, app)
	for _, status := range models.InvocationStatuses() {
		if status.Open() {
			continue
		}
		id := w.settled(t, app, sub, status)
		g := w.ask(t, w.worker(t), id)
		require.Equal(t, []any{models.VerdictClosed, status}, []any{g.Verdict, g.Status})
	}
}

func gateParksQueued(t *testing.T, w *world) {
	app := w.application(t)
	id := w.settled(t, app, w.subscription(t, app), models.StatusQueued)
	require.Equal(t, models.VerdictParked, w.ask(t, w.worker(t), id).Verdict)
}

func gateTellsLastError(t *testing.T, w *world) {
	_, _, id := w.fired(t)
	owner := w.worker(t)
	require.Empty(t, w.ask(t, owner, w.mustFire(t)).LastError)
	w.attempt(t, owner, id, w.unreached)
	g := w.ask(t, owner, id)
	require.Equal(t, "connection refused", g.LastError)
	require.Equal(t, models.StatusRetrying, g.Status)
}

func gateAnswersForMany(t *testing.T, w *world) {
	app := w.application(t)
	sub, off := w.subscription(t, app), w.subscription(t, app, func(s *models.Subscription) { s.Enabled = false })
	owner, other := w.worker(t), w.worker(t)
	done, held := w.settled(t, app, sub, models.StatusSucceeded), w.fire(t, app, sub)
	w.claim(t, other, held)
	ids := []string{w.fire(t, app, sub), done, held, w.fire(t, app, off), w.settled(t, app, sub, models.StatusRetrying)}
	require.NoError(t, w.RenewWorker(t.Context(), other))
	want := []models.Verdict{
		models.VerdictGranted, models.VerdictClosed, models.VerdictHeld, models.VerdictParked, models.VerdictNotDue,
	}
	require.Equal(t, want, w.verdicts(t, owner, ids...))
}

func gateIsSilentOnAbsent(t *testing.T, w *world) {
	for _, ids := range [][]string{nil, {models.NewID()}} {
		gates, err := w.Claim(t.Context(), w.worker(t), ids)
		require.NoError(t, err)
		require.Empty(t, gates)
	}
}

// mustFire is fired for cases that care for the invocation only.
func (w *world) mustFire(t *testing.T) string {
	t.Helper()
	_, _, id := w.fired(t)
	return id
}
