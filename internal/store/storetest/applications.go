package storetest

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/internal/store"
	"github.com/posthorn/posthorn/models"
)

func applications(t *testing.T, w *world) {
	t.Helper()

	t.Run("read back as they were stored", func(t *testing.T) {
		plain := w.application(t)
		found, err := w.Application(t.Context(), plain.ID)
		require.NoError(t, err)
		require.Equal(t, plain, found)

		full := *plain
		full.ID, full.Overrides = models.NewID(), json.RawMessage(`{"timeout" : "1s",  "name":"Ωμέγα"}`)
		require.NoError(t, w.CreateApplication(t.Context(), &full))
		found, err = w.Application(t.Context(), full.ID)
		require.NoError(t, err)
		require.Equal(t, &full, found)
		err = w.CreateApplication(t.Context(), &full)
		require.Equal(t, models.CodeConflict, models.ErrorCode(err))
	})

	t.Run("are changed inside one transaction", func(t *testing.T) {
		app := w.application(t)
		w.clock.Advance(time.Second)
		errs := make([]error, 8)
		atOnce(len(errs), func(i int) {
			_, errs[i] = w.UpdateApplication(t.Context(), app.ID, func(a *models.Application) error {
				a.Name += "+"
				a.Overrides = json.RawMessage(`{"retry":{}}`)
				return nil
			})
		})
		for _, err := range errs {
			require.NoError(t, err)
		}
		found, err := w.Application(t.Context(), app.ID)
		require.NoError(t, err)
		require.Equal(t, app.Name+"++++++++", found.Name)
		require.Equal(t, []any{w.now(), app.CreatedAt}, []any{found.UpdatedAt, found.CreatedAt})
		cleared, err := w.UpdateApplication(t.Context(), app.ID, func(a *models.Application) error {
			a.Overrides = nil
			return nil
		})
		require.NoError(t, err)
		require.Nil(t, cleared.Overrides)

		refusal := errors.New("no")
		_, err = w.UpdateApplication(t.Context(), app.ID, func(a *models.Application) error {
			a.Name = "never"
			return refusal
		})
		require.ErrorIs(t, err, refusal)
		found, err = w.Application(t.Context(), app.ID)
		require.NoError(t, err)
		require.Equal(t, cleared, found)
	})

	t.Run("come newest first", func(t *testing.T) {
		before := w.count(t, "SELECT count(*) FROM applications WHERE name <> ?", "")
		var ids []string
		for range 7 {
			ids = append(ids, w.application(t).ID)
		}
		id := func(a *models.Application) string { return a.ID }
		list := func(p store.Page) ([]models.Application, string, error) { return w.Applications(t.Context(), p) }
		got := pages(t, 3, list, id, func() {})
		require.Len(t, got, before+7)
		require.Equal(t, reversed(ids), got[:7])
	})

	t.Run("end with everything of theirs", func(t *testing.T) {
		app, other := w.application(t), w.application(t)
		sub, theirs := w.subscription(t, app), w.subscription(t, other)
		pending, retrying := w.fire(t, app, sub), w.settled(t, app, sub, models.StatusRetrying)
		done, untouched := w.settled(t, app, sub, models.StatusSucceeded), w.fire(t, other, theirs)
		key := w.key(t, &app.ID)
		flying := w.claim(t, w.worker(t), w.fire(t, app, sub))
		require.NoError(t, w.DeleteApplication(t.Context(), app.ID))

		_, err := w.Application(t.Context(), app.ID)
		require.Equal(t, models.CodeNotFound, models.ErrorCode(err))
		_, err = w.Subscription(t.Context(), sub.ID)
		require.Equal(t, models.CodeNotFound, models.ErrorCode(err))
		_, err = w.UpdateApplication(t.Context(), app.ID, func(*models.Application) error { return nil })
		require.Equal(t, models.CodeNotFound, models.ErrorCode(err))
		require.Equal(t, models.CodeNotFound, models.ErrorCode(w.DeleteApplication(t.Context(), app.ID)))
		require.Empty(t, w.matching(t, app, "*"))
		revoked, err := w.Key(t.Context(), key.ID)
		require.NoError(t, err)
		require.False(t, revoked.Valid(w.now()))
		for _, id := range []string{pending, retrying, flying.InvocationID} {
			row := w.invocation(t, id)
			require.Equal(t, []any{models.StatusCancelled, new(models.ReasonApplicationDeleted)}, []any{row.Status, row.Reason})
			require.Equal(t, models.VerdictClosed, w.ask(t, w.worker(t), id).Verdict)
		}
		w.end(t, flying, w.delivered())
		require.Equal(t, models.StatusCancelled, w.invocation(t, flying.InvocationID).Status)
		require.Equal(t, models.StatusSucceeded, w.invocation(t, done).Status)
		w.claim(t, w.worker(t), untouched)
	})
}

// key stores a key of an application; nil = of the deployment.
func (w *world) key(t *testing.T, application *string) *models.Key {
	t.Helper()
	k := &models.Key{
		ID: models.NewID(), ApplicationID: application, Role: models.RoleAdmin, Name: "κλειδί", Prefix: "ph_admin_x",
		Digest: []byte{0, 0xff, 7}, CreatedAt: w.now(),
	}
	require.NoError(t, w.CreateKey(t.Context(), k))
	return k
}

func keys(t *testing.T, w *world) {
	t.Helper()
	app := w.application(t)

	t.Run("read back, are touched and revoked", func(t *testing.T) {
		k := w.key(t, &app.ID)
		found, err := w.Key(t.Context(), k.ID)
		require.NoError(t, err)
		require.Equal(t, k, found)
		require.NoError(t, w.TouchKey(t.Context(), k.ID, w.in(time.Minute)))
		require.NoError(t, w.RevokeKey(t.Context(), k.ID))
		found, err = w.Key(t.Context(), k.ID)
		require.NoError(t, err)
		require.Equal(t, []any{new(w.in(time.Minute)), new(w.now())}, []any{found.LastUsedAt, found.RevokedAt})
		require.Equal(t, models.CodeNotFound, models.ErrorCode(w.RevokeKey(t.Context(), k.ID)))
		_, err = w.Key(t.Context(), "unknown' OR 1=1")
		require.Equal(t, models.CodeNotFound, models.ErrorCode(err))
	})

	t.Run("are bounded", func(t *testing.T) {
		full := w.application(t)
		rows := make([]string, models.MaxKeys-1)
		for i := range rows {
			rows[i] = fmt.Sprintf("('%s', '%s', 'member', 'n', 'p', '', 1)", models.NewID(), full.ID)
		}
		rows[0] = strings.Replace(rows[0], "'n'", "?", 1)
		w.exec(t, "INSERT INTO keys (id, application_id, role, name, prefix, digest, created_at) VALUES "+
			strings.Join(rows, ","), "n")
		errs := make([]error, 3)
		draft := func() *models.Key {
			return &models.Key{ID: models.NewID(), ApplicationID: &full.ID, Role: models.RoleMember, Digest: []byte{1}, CreatedAt: w.now()}
		}
		atOnce(len(errs), func(i int) { errs[i] = w.CreateKey(t.Context(), draft()) })
		made := 0
		for _, err := range errs {
			if err == nil {
				made++
				continue
			}
			require.Equal(t, models.CodeConflict, models.ErrorCode(err))
		}
		require.Equal(t, 1, made)
		w.exec(t, "UPDATE keys SET revoked_at = 1 WHERE application_id = ?", full.ID)
		require.NoError(t, w.CreateKey(t.Context(), draft()), "revoked ones do not count")
		require.NoError(t, w.DeleteApplication(t.Context(), full.ID))
		require.Equal(t, models.CodeNotFound, models.ErrorCode(w.CreateKey(t.Context(), draft())))
	})

	t.Run("expire", func(t *testing.T) {
		k := &models.Key{
			ID: "short", Role: models.RoleMember, Digest: []byte{1}, CreatedAt: w.now(), ExpiresAt: new(w.in(time.Hour)),
		}
		require.NoError(t, w.CreateKey(t.Context(), k))
		found, err := w.Key(t.Context(), k.ID)
		require.NoError(t, err)
		require.True(t, found.Valid(w.in(time.Hour-1)))
		require.False(t, found.Valid(w.in(time.Hour)))
		require.NoError(t, w.RevokeKey(t.Context(), k.ID))
	})

	t.Run("come newest first, of one application or of the deployment", func(t *testing.T) {
		own, other := w.application(t), w.application(t)
		var mine, deployment []string
		for range 7 {
			w.key(t, &other.ID)
			mine = append(mine, w.key(t, &own.ID).ID)
			deployment = append(deployment, w.key(t, nil).ID)
		}
		id := func(k *models.Key) string { return k.ID }
		of := func(application string) func(store.Page) ([]models.Key, string, error) {
			return func(p store.Page) ([]models.Key, string, error) { return w.Keys(t.Context(), application, p) }
		}
		require.Equal(t, reversed(mine), pages(t, 3, of(own.ID), id, func() {}))
		require.Equal(t, reversed(deployment), pages(t, 3, of(""), id, func() {}))
		require.NoError(t, w.RevokeKey(t.Context(), mine[3]))
		require.NotContains(t, pages(t, 3, of(own.ID), id, func() {}), mine[3])
	})
}
