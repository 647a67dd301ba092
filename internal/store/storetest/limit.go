package storetest

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/models"
)

func limit(t *testing.T, w *world) {
	t.Helper()

	t.Run("is kept among twenty creations at once", func(t *testing.T) {
		app := w.application(t)
		const most = 10
		errs := make([]error, 20)
		atOnce(len(errs), func(i int) {
			sub := w.draftSubscription(app, func(s *models.Subscription) { s.Enabled = i%2 == 0 })
			errs[i] = w.CreateSubscription(t.Context(), sub, most)
		})
		created := 0
		for _, err := range errs {
			if err == nil {
				created++
				continue
			}
			refusal, ok := errors.AsType[*models.Error](err)
			require.True(t, ok, "%v", err)
			require.Equal(t, []any{models.CodeSubscriptionLimit, most}, []any{refusal.Code, refusal.Limit})
		}
		require.Equal(t, most, created)
		require.Equal(t, most, w.count(t, "SELECT count(*) FROM subscriptions WHERE application_id = ?", app.ID))
	})

	t.Run("has a place again after a deletion", func(t *testing.T) {
		app := w.application(t)
		first := w.draftSubscription(app)
		require.NoError(t, w.CreateSubscription(t.Context(), first, 1))
		err := w.CreateSubscription(t.Context(), w.draftSubscription(app), 1)
		require.Equal(t, models.CodeSubscriptionLimit, models.ErrorCode(err))
		require.NoError(t, w.DeleteSubscription(t.Context(), first.ID))
		require.NoError(t, w.CreateSubscription(t.Context(), w.draftSubscription(app), 1))
	})

	t.Run("counts each application for itself", func(t *testing.T) {
		for range 2 {
			require.NoError(t, w.CreateSubscription(t.Context(), w.draftSubscription(w.application(t)), 1))
		}
	})

	t.Run("needs an application", func(t *testing.T) {
		app := w.application(t)
		require.NoError(t, w.DeleteApplication(t.Context(), app.ID))
		for _, owner := range []*models.Application{app, {ID: models.NewID()}} {
			err := w.CreateSubscription(t.Context(), w.draftSubscription(owner), 1)
			require.Equal(t, models.CodeNotFound, models.ErrorCode(err))
		}
	})

	t.Run("does not hold up who publishes", func(t *testing.T) {
		app := w.application(t)
		sub := w.subscription(t, app)
		if w.postgres() { // on SQLite everybody waits for the one writer
			publish := func() error {
				ctx, stop := context.WithTimeout(t.Context(), 5*time.Second)
				defer stop()
				return w.Accept(ctx, app.ID, []*models.Acceptance{w.draft(t, app, []*models.Subscription{sub})})
			}
			_, err := w.UpdateSubscription(t.Context(), sub.ID, func(*models.Subscription) error { return publish() })
			require.NoError(t, err)
			_, err = w.UpdateApplication(t.Context(), app.ID, func(*models.Application) error { return publish() })
			require.NoError(t, err)
		}
		errs := make([]error, 12)
		atOnce(len(errs), func(i int) {
			if i%2 == 0 {
				errs[i] = w.CreateSubscription(t.Context(), w.draftSubscription(app), 100)
				return
			}
			errs[i] = w.Accept(t.Context(), app.ID, []*models.Acceptance{w.draft(t, app, []*models.Subscription{sub})})
		})
		for _, err := range errs {
			require.NoError(t, err)
		}
	})
}

// canary is a secret that must be found nowhere.
const canary = "canary-5e1f8c-never-in-clear"

func secrets(t *testing.T, w *world) {
	t.Helper()
	app := w.application(t)
	secret := models.Secrets{
		Signing: []models.SigningSecret{{Symmetric: "whsec_" + canary, Private: "whsk_" + canary}},
		Headers: []models.Header{{Name: "X-Key", Value: canary}}, SecurityKey: canary,
	}
	sub := w.subscription(t, app, func(s *models.Subscription) { s.Secrets = secret })
	other := w.subscription(t, app, func(s *models.Subscription) { s.Secrets = secret })
	w.update(t, sub, func(s *models.Subscription) { s.Name = new("changed") })

	t.Run("are not in the table", func(t *testing.T) {
		for _, id := range []string{sub.ID, other.ID} {
			sealed := w.sealed(t, id)
			require.NotEmpty(t, sealed)
			require.NotContains(t, string(sealed), "canary")
		}
		require.NotEqual(t, w.sealed(t, sub.ID), w.sealed(t, other.ID))
	})

	t.Run("are not in the files", func(t *testing.T) {
		if w.postgres() {
			t.Skip("its files are the server's; the table has been looked at")
		}
		var file string
		row := w.pool(t).QueryRowContext(t.Context(), "SELECT file FROM pragma_database_list WHERE name = 'main'")
		require.NoError(t, row.Scan(&file))
		files, err := filepath.Glob(file + "*")
		require.NoError(t, err)
		require.NotEmpty(t, files)
		for _, name := range files {
			raw, err := os.ReadFile(name)
			require.NoError(t, err)
			require.NotContains(t, string(raw), "canary", name)
		}
	})

	t.Run("do not open in another row", func(t *testing.T) {
		stolen := w.subscription(t, app)
		w.exec(t, "UPDATE subscriptions SET sealed = (SELECT sealed FROM subscriptions WHERE id = '"+sub.ID+"')"+
			" WHERE id = ?", stolen.ID)
		_, err := w.Subscription(t.Context(), stolen.ID)
		require.Error(t, err)
		require.NotContains(t, err.Error(), "canary")
		require.Equal(t, models.CodeInternal, models.ErrorCode(err))
	})

	t.Run("are not in what prints a subscription as JSON from a list of matches", func(t *testing.T) {
		subs, err := w.MatchingSubscriptions(t.Context(), app.ID, []string{"*"})
		require.NoError(t, err)
		text, err := json.Marshal(subs)
		require.NoError(t, err)
		require.NotContains(t, string(text), "canary")
	})

	t.Run("come back whole", func(t *testing.T) {
		w.clock.Advance(time.Second)
		require.Equal(t, secret, w.find(t, sub.ID).Secrets)
		require.Equal(t, secret, w.claim(t, w.worker(t), w.fire(t, app, sub)).Secrets)
	})
}

func (w *world) sealed(t *testing.T, id string) []byte {
	t.Helper()
	var raw []byte
	query := w.placeholder("SELECT sealed FROM subscriptions WHERE id = ?")
	require.NoError(t, w.pool(t).QueryRowContext(t.Context(), query, id).Scan(&raw))
	return raw
}
