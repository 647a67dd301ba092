package storetest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/models"
)

// withVersions gives the event one payload for each version, as ingest does.
func withVersions(payloads ...string) func(*models.Acceptance) {
	return func(a *models.Acceptance) {
		a.Event.Payload = []byte{}
		for i, payload := range payloads {
			a.Event.Versions = append(a.Event.Versions,
				models.EventVersion{EventID: a.Event.ID, Version: number(i), Payload: []byte(payload)})
		}
	}
}

func pinned(version string) func(*models.Subscription) {
	return func(s *models.Subscription) { s.Version = &version }
}

func versions(t *testing.T, w *world) {
	t.Helper()

	t.Run("keeps a payload for each version", func(t *testing.T) {
		app := w.application(t)
		payloads := make([]string, 0, len(poison))
		for _, payload := range poison {
			payloads = append(payloads, payload)
		}
		a := w.draft(t, app, nil, withVersions(payloads...))
		w.accept(t, app, a)
		stored, err := w.Event(t.Context(), a.Event.ID)
		require.NoError(t, err)
		require.Equal(t, a.Event, stored)
		for i, payload := range payloads {
			one, err := w.EventFor(t.Context(), a.Event.ID, new(number(i)))
			require.NoError(t, err)
			require.Equal(t, []byte(payload), one.Payload)
			require.Empty(t, one.Versions)
		}
		for _, version := range []*string{nil, new("nonsense")} {
			none, err := w.EventFor(t.Context(), a.Event.ID, version)
			require.NoError(t, err)
			require.Empty(t, none.Payload)
		}
		_, err = w.EventFor(t.Context(), models.NewID(), nil)
		require.Equal(t, models.CodeNotFound, models.ErrorCode(err))
	})

	t.Run("lists such an event without them", func(t *testing.T) {
		app := w.application(t)
		w.accept(t, app, w.draft(t, app, nil, withVersions("1", "2")))
		for withPayload, want := range map[bool][]byte{true: {}, false: nil} {
			rows, _, err := w.Events(t.Context(),
				models.EventFilter{ApplicationID: app.ID, WithPayload: withPayload}, models.Page{Limit: 10})
			require.NoError(t, err)
			require.Equal(t, want, rows[0].Payload)
			require.Nil(t, rows[0].Versions)
		}
	})

	t.Run("gives a plain payload to every version", func(t *testing.T) {
		app := w.application(t)
		a := w.draft(t, app, nil)
		w.accept(t, app, a)
		for _, version := range []*string{nil, new("7")} {
			e, err := w.EventFor(t.Context(), a.Event.ID, version)
			require.NoError(t, err)
			require.Equal(t, a.Event, e)
		}
	})

	t.Run("claims the payload of the version pinned at acceptance", func(t *testing.T) {
		app := w.application(t)
		first, second := w.subscription(t, app, pinned(number(0))), w.subscription(t, app, pinned(number(1)))
		a := w.draft(t, app, []*models.Subscription{first, second, first}, withVersions("zero", "one"))
		w.accept(t, app, a)
		for _, sub := range []*models.Subscription{first, second} {
			w.update(t, sub, pinned("later"))
		}
		ids := []string{a.Invocations[0].ID, a.Invocations[1].ID, a.Invocations[2].ID}
		gates, err := w.Claim(t.Context(), w.worker(t), ids)
		require.NoError(t, err)
		got := map[string][]string{}
		for _, g := range gates {
			require.Equal(t, models.VerdictGranted, g.Verdict)
			got[g.InvocationID] = []string{g.Claim.Version, string(g.Claim.Payload)}
		}
		require.Equal(t, map[string][]string{
			ids[0]: {number(0), "zero"}, ids[1]: {number(1), "one"}, ids[2]: {number(0), "zero"},
		}, got)
		require.Equal(t, number(1), *w.invocation(t, ids[1]).Version)
	})

	t.Run("never sends an invocation without a payload", func(t *testing.T) {
		app := w.application(t)
		sub := w.subscription(t, app, pinned("none"))
		reason := models.ReasonVersionMissing
		a := w.draft(t, app, []*models.Subscription{sub}, withVersions("zero"), func(a *models.Acceptance) {
			i := a.Invocations[0]
			i.Status, i.Reason, i.NextAttemptAt, i.DispatchAfter = models.StatusCancelled, &reason, nil, nil
		})
		w.accept(t, app, a)
		id := a.Invocations[0].ID
		require.Equal(t, []models.Verdict{models.VerdictClosed}, w.verdicts(t, w.worker(t), id))
		_, err := w.Redeliver(t.Context(), id, true)
		require.Equal(t, models.CodeConflict, models.ErrorCode(err))
		require.ErrorContains(t, err, "version")
		require.Zero(t, w.count(t, "SELECT count(*) FROM commands WHERE invocation_id = ?", id))
	})

	t.Run("answers a repeat with the first event", func(t *testing.T) {
		app := w.application(t)
		key := func(a *models.Acceptance) { a.Event.IdempotencyKey = new("k") }
		a := w.draft(t, app, nil, withVersions("1"), key)
		w.accept(t, app, a)
		again := w.draft(t, app, nil, withVersions("1"), key)
		w.accept(t, app, again)
		require.True(t, again.Duplicate)
		require.Equal(t, 1, w.count(t, "SELECT count(*) FROM event_versions WHERE event_id = ?", a.Event.ID))
	})
}
