package storetest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/models"
)

// month is the retention of these cases.
const month = 720 * time.Hour

// purge runs a whole round of the retention in batches of limit, and returns how many rows it removed and how many
// batches that took.
func (w *world) purge(t *testing.T, limit int) (removed, batches int) {
	t.Helper()
	for cursor := (models.PurgeCursor{}); ; batches++ {
		require.Less(t, batches, 1000, "it goes round in circles")
		step, err := w.Purge(t.Context(), w.in(-month), cursor, limit)
		require.NoError(t, err)
		require.LessOrEqual(t, step.Removed, limit)
		removed += step.Removed
		if step.Done {
			return removed, batches + 1
		}
		cursor = step.Next
	}
}

// tables are the rows of each table; purging is looked at as a whole.
func (w *world) tables(t *testing.T) map[string]int {
	t.Helper()
	counts := map[string]int{}
	for _, table := range []string{
		"applications", "keys", "subscriptions", "subscription_event_types", "events", "event_versions", "invocations",
		"attempts", "commands", "jobs", "ordering_keys",
	} {
		counts[table] = w.count(t, "SELECT COUNT(*) FROM "+table+" WHERE ? <> ''", "all")
	}
	return counts
}

// eventOf is the id of an invocation's event.
func (w *world) eventOf(t *testing.T, invocation string) string {
	t.Helper()
	return *w.invocation(t, invocation).EventID
}

// requireKept checks whether invocations are there; of those that are not, neither are their logs.
func (w *world) requireKept(t *testing.T, kept bool, ids ...string) {
	t.Helper()
	for n, id := range ids {
		rows := w.count(t, "SELECT COUNT(*) FROM invocations WHERE id = ?", id)
		require.Equal(t, kept, rows == 1, "invocation %d", n)
		if !kept {
			require.Zero(t, w.count(t, "SELECT COUNT(*) FROM attempts WHERE invocation_id = ?", id))
		}
	}
}

func retained(t *testing.T, w *world) {
	t.Helper()

	t.Run("removes an event with all that belongs to it, and nothing else", func(t *testing.T) {
		w.quiet(t)
		app := w.application(t)
		subs := []*models.Subscription{w.subscription(t, app), w.subscription(t, app)}
		before := w.tables(t)
		owner := w.worker(t)
		versioned := w.draft(t, app, subs, func(a *models.Acceptance) {
			a.Event.Payload = []byte{}
			a.Event.Versions = []models.EventVersion{{EventID: a.Event.ID, Version: "1", Payload: []byte(`{}`)}}
		})
		w.accept(t, app, versioned)
		for _, i := range versioned.Invocations {
			w.attempt(t, owner, i.ID, w.delivered)
		}
		command, err := w.Redeliver(t.Context(), versioned.Invocations[0].ID, false)
		require.NoError(t, err)
		w.end(t, w.redeliver(t, owner, versioned.Invocations[0].ID), w.delivered())
		w.exec(t, "UPDATE commands SET settled_at = created_at WHERE id = ?", command)
		late := w.draft(t, app, subs[:1])
		w.accept(t, app, late)
		w.clock.Advance(time.Minute)
		young := w.fire(t, app, subs[0])
		w.attempt(t, w.worker(t), young, w.delivered)
		w.attempt(t, w.worker(t), late.Invocations[0].ID, w.delivered)
		w.clock.Advance(month - time.Second)

		w.purge(t, 100)

		w.requireKept(t, true, young, late.Invocations[0].ID)
		w.requireKept(t, false, versioned.Invocations[0].ID, versioned.Invocations[1].ID)
		_, err = w.Event(t.Context(), versioned.Event.ID)
		require.Equal(t, models.CodeNotFound, models.ErrorCode(err))
		w.clock.Advance(time.Minute)
		w.purge(t, 100)
		require.Equal(t, before, w.tables(t))
	})

	t.Run("counts from the last thing that happened, to the microsecond", func(t *testing.T) {
		app := w.application(t)
		sub := w.subscription(t, app)
		id := w.fire(t, app, sub)
		w.clock.Advance(time.Hour)
		w.attempt(t, w.worker(t), id, w.delivered)
		touched := w.invocation(t, id).UpdatedAt
		w.clock.Advance(touched.Add(month).Sub(w.now()))
		w.purge(t, 100)
		w.requireKept(t, true, id)
		w.clock.Advance(time.Microsecond)
		w.purge(t, 100)
		w.requireKept(t, false, id)
	})

	t.Run("lets an idempotency key be used anew", func(t *testing.T) {
		app := w.application(t)
		draft := func() *models.Acceptance {
			return w.draft(t, app, nil, func(a *models.Acceptance) { a.Event.IdempotencyKey = new("k") })
		}
		first, repeat, anew := draft(), draft(), draft()
		w.accept(t, app, first)
		w.clock.Advance(month)
		w.purge(t, 100)
		w.accept(t, app, repeat)
		require.True(t, repeat.Duplicate)
		w.clock.Advance(time.Microsecond)
		w.purge(t, 100)
		w.accept(t, app, anew)
		require.False(t, anew.Duplicate)
	})

	t.Run("goes in batches, past what stays", func(t *testing.T) {
		w.quiet(t)
		w.clock.Advance(2 * month)
		w.purge(t, 100)
		app := w.application(t)
		sub := w.subscription(t, app)
		ids := w.fireMany(t, 10, app, sub)
		owner := w.worker(t)
		for _, id := range ids[5:] {
			w.attempt(t, owner, id, w.delivered)
		}
		w.clock.Advance(2 * month)
		removed, batches := w.purge(t, 2)
		require.Equal(t, 5, removed)
		require.LessOrEqual(t, batches, 5+1+4)
		require.GreaterOrEqual(t, batches, 5+4)
		w.requireKept(t, true, ids[:5]...)
		w.requireKept(t, false, ids[5:]...)
	})

	t.Run("bounds a batch by what goes with it", func(t *testing.T) {
		w.quiet(t)
		app := w.application(t)
		var subs []*models.Subscription
		for range 40 {
			subs = append(subs, w.subscription(t, app))
		}
		batch := make([]*models.Acceptance, 60) // 2,400 invocations
		for i := range batch {
			batch[i] = w.draft(t, app, subs)
		}
		w.accept(t, app, batch...)
		require.NoError(t, w.DeleteApplication(t.Context(), app.ID))
		w.clock.Advance(2 * month)
		step, err := w.Purge(t.Context(), w.in(-month), models.PurgeCursor{}, 100)
		require.NoError(t, err)
		require.False(t, step.Done)
		require.LessOrEqual(t, step.Removed, 50+10, "what earlier cases left, and 2,000 invocations")
		w.purge(t, 100)
		require.Zero(t, w.tables(t)["invocations"])
	})

	t.Run("knows no other phase", func(t *testing.T) {
		_, err := w.Purge(t.Context(), w.now(), models.PurgeCursor{Phase: "specs"}, 1)
		require.ErrorContains(t, err, "specs")
	})
}

// retainedOpen is about what is never removed, however old.
func retainedOpen(t *testing.T, w *world) {
	t.Helper()
	for name, open := range map[string]func(t *testing.T, l *line) string{
		"a first attempt that is due": func(t *testing.T, l *line) string { t.Helper(); return l.put(t) },
		"a retry": func(t *testing.T, l *line) string {
			t.Helper()
			id := l.put(t)
			l.attempt(t, l.owner, id, func() models.Result { return l.refused(500) })
			return id
		},
		"a paused subscription": func(t *testing.T, l *line) string {
			t.Helper()
			id := l.put(t)
			l.update(t, l.sub, func(s *models.Subscription) { s.Enabled = false })
			require.Equal(t, models.VerdictParked, l.ask(t, l.owner, id).Verdict)
			return id
		},
		"an event that is due in a year": func(t *testing.T, l *line) string {
			t.Helper()
			due := l.in(12 * month)
			return l.put(t, func(a *models.Acceptance) {
				a.Event.NotBefore = &due
				a.Invocations[0].NextAttemptAt, a.Invocations[0].DispatchAfter = &due, &due
			})
		},
		"one invocation of several": func(t *testing.T, l *line) string {
			t.Helper()
			other := l.subscription(t, l.app)
			a := l.ordered(t, l.app, l.order, []*models.Subscription{other, l.sub})
			l.accept(t, l.app, a)
			l.attempt(t, l.owner, a.Invocations[1].ID, l.delivered)
			return a.Invocations[1].ID
		},
		"a redelivery that was asked for": func(t *testing.T, l *line) string {
			t.Helper()
			id := l.put(t)
			l.attempt(t, l.owner, id, l.delivered)
			_, err := l.Redeliver(t.Context(), id, false)
			require.NoError(t, err)
			return id
		},
		"a paused job": func(t *testing.T, l *line) string {
			t.Helper()
			id := l.put(t)
			l.attempt(t, l.owner, id, l.delivered)
			_, err := l.ChangeJob(t.Context(), l.startJob(t, l.app, listing(id)), models.JobPause)
			require.NoError(t, err)
			return id
		},
	} {
		t.Run("keeps "+name, func(t *testing.T) {
			w.quiet(t)
			l := w.line(t, models.Ordering{})
			id := open(t, l)
			w.clock.Advance(2 * month)
			w.purge(t, 100)
			w.requireKept(t, true, id)
			_, err := w.Event(t.Context(), w.eventOf(t, id))
			require.NoError(t, err)
			w.quiet(t)
			w.purge(t, 100)
			w.requireKept(t, false, id)
		})
	}

	t.Run("keeps what waits in a queue, and the queue", func(t *testing.T) {
		w.quiet(t)
		l := w.line(t, fifo())
		ids := l.fill(t, 3)
		l.deliver(t, ids[0])
		w.clock.Advance(2 * month)
		w.purge(t, 100)
		w.requireKept(t, false, ids[0])
		w.requireKept(t, true, ids[1:]...)
		l.owner = w.worker(t)
		l.deliver(t, ids[1:]...)
		w.clock.Advance(2 * month)
		w.purge(t, 100)
		w.requireKept(t, false, ids...)
		require.Equal(t, new(int64(4)), w.invocation(t, l.put(t)).Position, "positions of a subscription keep rising")
	})

	t.Run("keeps a cancelled invocation while its attempt is in flight", func(t *testing.T) {
		l := w.line(t, models.Ordering{})
		id := l.put(t)
		w.clock.Advance(2 * month)
		owner := w.worker(t)
		claim := w.claim(t, owner, id)
		w.exec(t, "UPDATE invocations SET status = 'cancelled', next_attempt_at = NULL WHERE id = ?", id)
		w.purge(t, 100)
		w.requireKept(t, true, id)
		w.end(t, claim, w.delivered())
		w.clock.Advance(2 * month)
		w.purge(t, 100)
		w.requireKept(t, false, id)
	})
}
