package storetest

import (
	"crypto/sha256"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/models"
)

// spec is a stored Spec with a fixed retry of an hour, three attempts.
func spec(t *testing.T, changes ...func(*models.Spec)) models.StoredSpec {
	t.Helper()
	s := &models.Spec{
		Success: models.Success2xx(), Timeout: models.Duration(10 * time.Second), On410: models.On410Gone,
		Retry:     models.RetryPolicy{Kind: models.RetryFixed, Interval: models.Duration(time.Hour), MaxAttempts: 3},
		TestEvent: models.TestEvent{Type: `"test"`, Payload: `{"type":"webhook.test"}`},
	}
	for _, change := range changes {
		change(s)
	}
	stored, err := s.Store()
	require.NoError(t, err)
	return stored
}

// draft is an Acceptance of one event for the given subscriptions, due now.
func (w *world) draft(
	t *testing.T, app *models.Application, subs []*models.Subscription, changes ...func(*models.Acceptance),
) *models.Acceptance {
	t.Helper()
	return w.draftUnder(app, spec(t), subs, changes...)
}

func (w *world) draftUnder(
	app *models.Application, under models.StoredSpec, subs []*models.Subscription,
	changes ...func(*models.Acceptance),
) *models.Acceptance {
	now := w.now()
	event := &models.Event{
		ID: models.NewID(), ApplicationID: app.ID, Tenant: app.ExternalID, Type: "loan.updated", Wire: `"LOAN"`,
		Payload: []byte(`{"amount": 100.50}`), CreatedAt: now,
	}
	a := &models.Acceptance{Event: event, Specs: []models.StoredSpec{under}}
	for _, sub := range subs {
		a.Invocations = append(a.Invocations, invocationOf(event, sub, under, now))
	}
	for _, change := range changes {
		change(a)
	}
	digest := sha256.Sum256(event.Payload)
	event.Digest = digest[:]
	for _, i := range a.Invocations {
		i.EventType, i.EntityID = event.Type, event.EntityID
	}
	return a
}

func invocationOf(e *models.Event, sub *models.Subscription, under models.StoredSpec, due time.Time) *models.Invocation {
	return &models.Invocation{
		ID: models.NewID(), ApplicationID: e.ApplicationID, SubscriptionID: sub.ID, EventID: &e.ID, EventType: e.Type, Version: sub.Version,
		Status: models.StatusPending, SpecDigest: under.Digest, URL: sub.URL, NextAttemptAt: &due, DispatchAfter: &due,
		WorkflowID: "event/" + e.ID, CreatedAt: due, UpdatedAt: due,
	}
}

// accept stores the drafts of one request and requires that none was refused.
func (w *world) accept(t *testing.T, app *models.Application, batch ...*models.Acceptance) {
	t.Helper()
	require.NoError(t, w.Accept(t.Context(), app.ID, batch))
	for _, a := range batch {
		require.NoError(t, a.Err)
	}
}

// fire accepts one event for one subscription and returns the invocation's id.
func (w *world) fire(
	t *testing.T, app *models.Application, sub *models.Subscription, changes ...func(*models.Spec),
) string {
	t.Helper()
	a := w.draftUnder(app, spec(t, changes...), []*models.Subscription{sub})
	w.accept(t, app, a)
	return a.Invocations[0].ID
}

// fireMany accepts n events for one subscription in one batch and returns the invocations' ids, oldest first.
func (w *world) fireMany(
	t *testing.T, n int, app *models.Application, sub *models.Subscription, changes ...func(*models.Spec),
) []string {
	t.Helper()
	batch := make([]*models.Acceptance, n)
	ids := make([]string, n)
	for i := range batch {
		batch[i] = w.draftUnder(app, spec(t, changes...), []*models.Subscription{sub})
		ids[i] = batch[i].Invocations[0].ID
	}
	w.accept(t, app, batch...)
	return ids
}

// fired is an application with one subscription and one invocation of it.
func (w *world) fired(t *testing.T) (*models.Application, *models.Subscription, string) {
	t.Helper()
	app := w.application(t)
	sub := w.subscription(t, app)
	return app, sub, w.fire(t, app, sub)
}
