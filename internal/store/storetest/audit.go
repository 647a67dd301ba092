package storetest

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/internal/store"
	"github.com/posthorn/posthorn/models"
)

// entry is an audit entry of an application; "" = of the deployment.
func (w *world) entry(application, action string) *models.AuditEntry {
	e := &models.AuditEntry{
		ID: models.NewID(), Actor: models.ActorOperator, Role: models.RoleOperator, Action: action,
		SubjectType: "application", SubjectID: application, CreatedAt: w.now(),
	}
	if application != "" {
		e.ApplicationID = &application
	}
	return e
}

// entries are those of an application, newest first.
func (w *world) entries(t *testing.T, application string) []models.AuditEntry {
	t.Helper()
	list, next, err := w.AuditEntries(t.Context(), models.AuditFilter{ApplicationID: application}, store.Page{Limit: 500})
	require.NoError(t, err)
	require.Empty(t, next)
	return list
}

func audit(t *testing.T, w *world) {
	t.Helper()
	rename := func(ctx context.Context, id string, refusal error) error {
		_, err := w.UpdateApplication(ctx, id, func(a *models.Application) error {
			a.Name = "renamed"
			return refusal
		})
		return err
	}

	t.Run("is read back as it was stored", func(t *testing.T) {
		app := w.application(t)
		full := w.entry(app.ID, "rename")
		full.Actor, full.Role, full.SubjectType, full.SubjectID = "key", models.RoleAdmin, "event_type", "viva/λ"
		full.RemoteAddress, full.RequestID = "2001:db8::1", "request-1"
		full.Detail = json.RawMessage(`{"name" : "Ωμέγα\u0000"}`)
		require.NoError(t, rename(models.WithAudit(t.Context(), full), app.ID, nil))
		plain := w.entry(app.ID, "rename")
		require.NoError(t, rename(models.WithAudit(t.Context(), plain), app.ID, nil))
		require.Equal(t, []models.AuditEntry{*plain, *full}, w.entries(t, app.ID))
		require.NoError(t, rename(t.Context(), app.ID, nil))
		require.Len(t, w.entries(t, app.ID), 2, "what is not audited has no entry")
	})

	t.Run("outlives what it is about", func(t *testing.T) {
		app := w.application(t)
		require.NoError(t, w.DeleteApplication(models.WithAudit(t.Context(), w.entry(app.ID, "delete")), app.ID))
		require.Len(t, w.entries(t, app.ID), 1)
	})

	t.Run("has nothing of what was refused", func(t *testing.T) {
		app := w.application(t)
		ctx := func() context.Context { return models.WithAudit(t.Context(), w.entry(app.ID, "refused")) }
		require.Error(t, rename(ctx(), app.ID, errors.New("no")))
		require.Error(t, w.RevokeKey(ctx(), "unknown"))
		require.Error(t, w.DeleteSubscription(ctx(), models.NewID()))
		require.Error(t, w.Cancel(ctx(), models.NewID()))
		require.Error(t, w.CancelEvent(ctx(), models.NewID()))
		_, err := w.Redeliver(ctx(), models.NewID(), false)
		require.Error(t, err)
		require.Error(t, w.CreateApplication(ctx(), app))
		require.Empty(t, w.entries(t, app.ID))
	})

	t.Run("is stored with the change or not at all, as the change is", func(t *testing.T) {
		app := w.application(t)
		ctx := models.WithAudit(t.Context(), w.entry(app.ID, "rename"))
		require.NoError(t, w.TouchKey(ctx, "unknown", w.now()), "a note of no weight is no change")
		require.Empty(t, w.entries(t, app.ID))
		require.NoError(t, rename(ctx, app.ID, nil))
		require.Error(t, w.DeleteApplication(ctx, app.ID), "the entry is there already")
		_, err := w.Application(t.Context(), app.ID)
		require.NoError(t, err, "no entry, no change")
		require.Len(t, w.entries(t, app.ID), 1)
	})
}

// Every method that an audited route calls writes the entry of its context.
func auditedMethods(t *testing.T, w *world) {
	t.Helper()
	app, sub, first := w.fired(t)
	second, third := w.fire(t, app, sub), w.fire(t, app, sub)
	thirdEvent := *w.invocation(t, third).EventID
	key, job := w.key(t, &app.ID), w.startJob(t, app, listing(first))
	for action, change := range map[string]func(ctx context.Context) error{
		"CreateApplication": func(ctx context.Context) error {
			other := *app
			other.ID = models.NewID()
			return w.CreateApplication(ctx, &other)
		},
		"CreateKey": func(ctx context.Context) error {
			return w.CreateKey(ctx, &models.Key{ID: models.NewID(), Role: models.RoleMember, Digest: []byte{1}, CreatedAt: w.now()})
		},
		"RevokeKey":    func(ctx context.Context) error { return w.RevokeKey(ctx, key.ID) },
		"PutEventType": func(ctx context.Context) error { return w.PutEventType(ctx, "p", models.EventType{Name: "audited"}) },
		"CreateSubscription": func(ctx context.Context) error {
			return w.CreateSubscription(ctx, w.draftSubscription(app), 1000)
		},
		"UpdateWithoutHandshake": func(ctx context.Context) error {
			_, err := w.UpdateWithoutHandshake(ctx, app.ID, func(*models.Application) error { return nil })
			return err
		},
		"UpdateSubscription": func(ctx context.Context) error {
			_, err := w.UpdateSubscription(ctx, sub.ID, func(*models.Subscription) error { return nil })
			return err
		},
		"Redeliver": func(ctx context.Context) error {
			_, err := w.Redeliver(ctx, first, false)
			return err
		},
		"Cancel":    func(ctx context.Context) error { return w.Cancel(ctx, second) },
		"CreateJob": func(ctx context.Context) error { return w.CreateJob(ctx, w.draftJob(app, listing(first))) },
		"ChangeJob": func(ctx context.Context) error {
			_, err := w.ChangeJob(ctx, job, models.JobPause)
			return err
		},
		"CreateErasure": func(ctx context.Context) error {
			entity := "e"
			return w.CreateErasure(ctx, &models.Erasure{ID: models.NewID(), ApplicationID: app.ID, EntityID: &entity, CreatedAt: w.now()})
		},
		"CancelEvent": func(ctx context.Context) error { return w.CancelEvent(ctx, thirdEvent) },
		"CreateTest": func(ctx context.Context) error {
			test := invocationOf(&models.Event{ApplicationID: app.ID}, sub, spec(t), w.now())
			test.EventID = nil
			return w.CreateTest(ctx, test, spec(t))
		},
	} {
		entry := w.entry(app.ID, action)
		require.NoError(t, change(models.WithAudit(t.Context(), entry)), action)
		require.Equal(t, *entry, w.entries(t, app.ID)[0], action)
	}
	entry := w.entry(app.ID, "DeleteSubscription")
	require.NoError(t, w.DeleteSubscription(models.WithAudit(t.Context(), entry), sub.ID))
	require.Equal(t, *entry, w.entries(t, app.ID)[0])
}

func auditList(t *testing.T, w *world) {
	t.Helper()
	own, other := w.application(t), w.application(t)
	began := w.now()
	var mine []string
	for range 7 {
		w.clock.Advance(time.Second)
		for _, app := range []*models.Application{own, other} {
			entry := w.entry(app.ID, "rename")
			_, err := w.UpdateApplication(models.WithAudit(t.Context(), entry), app.ID,
				func(*models.Application) error { return nil })
			require.NoError(t, err)
			if app == own {
				mine = append(mine, entry.ID)
			}
		}
	}
	newest := reversed(mine)
	all := func(f models.AuditFilter) []string {
		return pages(t, 3, func(p store.Page) ([]models.AuditEntry, string, error) {
			return w.AuditEntries(t.Context(), f, p)
		}, func(e *models.AuditEntry) string { return e.ID }, func() {})
	}
	f := models.AuditFilter{ApplicationID: own.ID}
	require.Equal(t, newest, all(f))
	f.After, f.Before = began.Add(2*time.Second), began.Add(5*time.Second)
	require.Equal(t, newest[3:6], all(f))
	f.Action = "rename"
	require.Equal(t, newest[3:6], all(f))
	f.Action = "other"
	require.Empty(t, all(f))
	denial := w.entry(own.ID, "rename")
	denial.Denied = true
	require.NoError(t, w.NoteDenial(t.Context(), denial))
	require.Equal(t, []string{denial.ID}, all(models.AuditFilter{ApplicationID: own.ID, Denied: true}))
	require.Equal(t, newest, all(models.AuditFilter{ApplicationID: own.ID}))
	require.Len(t, all(models.AuditFilter{After: began.Add(7 * time.Second)}), 2, "of all applications")
}
