package storetest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/models"
)

// poison is JSON that a database or an encoder would like to improve, and bytes that are no JSON at all.
var poison = map[string]string{ //nolint:gochecknoglobals // constant, but Go has no constant maps
	"an escaped NUL":      `{"a":"\u0000"}`,
	"a lone surrogate":    `{"a":"\ud800"}`,
	"digits":              `{"a":100.50,"b":9007199254740993,"c":1e400}`,
	"spaces and order":    "{ \"z\" : 1,\n\t\"a\":2 }",
	"duplicate keys":      `{"a":1,"a":2}`,
	"markup":              `{"a":"<&>'\"\\"}`,
	"Greek":               `{"όνομα":"Ωμέγα, ΐ"}`,
	"no JSON, no UTF-8":   "\x00\xff\xfe' OR 1=1 --$1?",
	"one byte":            `1`,
	"a question mark":     `{"a":"? @name $1 :x"}`,
	"a long run of bytes": `"` + longText + `"`,
}

const longText = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

func accept(t *testing.T, w *world) {
	t.Helper()

	t.Run("stores an event and its invocations", func(t *testing.T) {
		app := w.application(t)
		subs := []*models.Subscription{w.subscription(t, app), w.subscription(t, app)}
		a := w.draft(t, app, subs, func(a *models.Acceptance) {
			a.Event.OccurredAt = "2026-11-21T19:17:00.120000+02:00"
			a.Event.EntityID, a.Event.PublisherSequence = new("entity ΑΒΓ"), new(int64(1)<<62)
			a.Event.IdempotencyKey, a.Event.NotBefore = new("key"), new(w.in(time.Hour))
		})
		w.accept(t, app, a)

		require.False(t, a.Duplicate)
		require.Positive(t, a.Event.Seq)
		stored, err := w.Event(t.Context(), a.Event.ID)
		require.NoError(t, err)
		require.Equal(t, a.Event, stored)
		require.Equal(t, int64(1)<<62, stored.Sequence())
		views, err := w.EventInvocations(t.Context(), a.Event.ID)
		require.NoError(t, err)
		require.Len(t, views, 2)
		for i := range views {
			require.Equal(t, *a.Invocations[i], views[i].Invocation)
			require.Equal(t, *a.Invocations[i], w.invocation(t, views[i].ID).Invocation)
		}
	})

	t.Run("keeps payloads byte for byte", func(t *testing.T) {
		app := w.application(t)
		for name, payload := range poison {
			a := w.draft(t, app, nil, func(a *models.Acceptance) { a.Event.Payload = []byte(payload) })
			w.accept(t, app, a)
			stored, err := w.Event(t.Context(), a.Event.ID)
			require.NoError(t, err)
			require.Equal(t, []byte(payload), stored.Payload, name)
		}
	})

	t.Run("keeps an event that nobody wants", func(t *testing.T) {
		app := w.application(t)
		a := w.draft(t, app, nil)
		w.accept(t, app, a)
		views, err := w.EventInvocations(t.Context(), a.Event.ID)
		require.NoError(t, err)
		require.Empty(t, views)
	})

	t.Run("stores more invocations than one INSERT takes", func(t *testing.T) {
		app := w.application(t)
		sub := w.subscription(t, app)
		subs := make([]*models.Subscription, 1201)
		for i := range subs {
			subs[i] = sub
		}
		a := w.draft(t, app, subs)
		w.accept(t, app, a)
		views, err := w.EventInvocations(t.Context(), a.Event.ID)
		require.NoError(t, err)
		require.Len(t, views, len(subs))
	})

	t.Run("stores nothing of a batch that fails", func(t *testing.T) {
		app := w.application(t)
		sub := w.subscription(t, app)
		under := spec(t, func(s *models.Spec) { s.Timeout = models.Duration(1234 * time.Millisecond) })
		good := w.draftUnder(app, under, []*models.Subscription{sub})
		bad := w.draftUnder(app, under, []*models.Subscription{sub, sub})
		bad.Invocations[1].ID = good.Invocations[0].ID
		require.Error(t, w.Accept(t.Context(), app.ID, []*models.Acceptance{good, bad}))

		require.Zero(t, w.count(t, "SELECT count(*) FROM events WHERE application_id = ?", app.ID))
		require.Zero(t, w.count(t, "SELECT count(*) FROM invocations WHERE application_id = ?", app.ID))
		_, err := w.Spec(t.Context(), under.Digest)
		require.Error(t, err, "the spec went with the transaction")
		w.accept(t, app, w.draftUnder(app, under, []*models.Subscription{sub}))
	})

	t.Run("shares specs", func(t *testing.T) {
		app := w.application(t)
		sub := w.subscription(t, app)
		under := spec(t, func(s *models.Spec) { s.MaxInFlight = 77 })
		for range 3 {
			w.accept(t, app, w.draftUnder(app, under, []*models.Subscription{sub}))
		}
		found, err := w.Spec(t.Context(), under.Digest)
		require.NoError(t, err)
		require.Equal(t, 77, found.MaxInFlight)
		again, err := found.Store()
		require.NoError(t, err)
		require.Equal(t, under, again, "a Spec reads back as it was stored")
	})

	t.Run("says when something is absent", func(t *testing.T) {
		_, err := w.Event(t.Context(), models.NewID())
		require.Equal(t, models.CodeNotFound, models.ErrorCode(err))
		_, err = w.Invocation(t.Context(), models.NewID())
		require.Equal(t, models.CodeNotFound, models.ErrorCode(err))
	})
}
