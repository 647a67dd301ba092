package storetest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/models"
)

// twoHours is a policy that gives up after two hours; the first retry is due before.
func twoHours(s *models.Spec) { s.Retry.MaxAge = models.Duration(2 * time.Hour) }

func expired(t *testing.T, w *world) {
	t.Helper()

	t.Run("ends a retry that waited longer than its policy's max_age", func(t *testing.T) {
		w.quiet(t)
		app := w.application(t)
		sub := w.subscription(t, app)
		retried, fresh := w.fire(t, app, sub, twoHours), w.fire(t, app, sub, twoHours)
		owner := w.worker(t)
		w.attempt(t, owner, retried, w.unreached)
		w.update(t, sub, func(s *models.Subscription) { s.Enabled = false })
		w.clock.Advance(2*time.Hour + 2*time.Minute)
		owner = w.worker(t)
		require.Equal(t, models.VerdictParked, w.ask(t, owner, retried).Verdict)
		w.update(t, sub, func(s *models.Subscription) { s.Enabled = true })

		g := w.ask(t, owner, retried)
		require.Equal(t, []any{models.VerdictClosed, models.StatusFailed}, []any{g.Verdict, g.Status})
		row := w.invocation(t, retried)
		require.Equal(t, []any{models.StatusFailed, 1, false}, []any{row.Status, row.Attempts, row.Parked})
		require.Nil(t, row.NextAttemptAt)
		require.Nil(t, row.DispatchAfter)
		require.Equal(t, 1, w.claim(t, owner, fresh).Number, "max_age counts from the first attempt")
		require.Equal(t, 2, w.redeliver(t, owner, retried).Number, "a redelivery is beyond the policy")
	})

	t.Run("grants a retry that is due as max_age ends", func(t *testing.T) {
		app := w.application(t)
		id := w.fire(t, app, w.subscription(t, app), twoHours)
		owner := w.worker(t)
		r := w.unreached()
		r.RetryAfter = 3 * time.Hour
		w.end(t, w.claim(t, owner, id), r)
		w.clock.Advance(2*time.Hour + 30*time.Second)
		require.Equal(t, 2, w.claim(t, w.worker(t), id).Number)
	})

	t.Run("releases the next of the queue", func(t *testing.T) {
		w.quiet(t)
		l := w.line(t, fifo())
		under := spec(t, func(s *models.Spec) { s.Ordering = fifo() }, twoHours)
		a := l.ordered(t, l.app, fifo(), []*models.Subscription{l.sub})
		a.Specs, a.Invocations[0].SpecDigest = []models.StoredSpec{under}, under.Digest
		l.accept(t, l.app, a)
		head, next := a.Invocations[0].ID, l.put(t)
		l.attempt(t, l.owner, head, l.unreached)
		w.clock.Advance(3 * time.Hour)

		owner := w.worker(t)
		require.Equal(t, models.VerdictClosed, w.ask(t, owner, head).Verdict)
		w.requireStatuses(t, models.StatusFailed, head)
		require.Equal(t, next, w.head(t, l.sub.ID))
		require.Equal(t, []string{next}, w.take(t, 10))
		w.claim(t, owner, next)
	})
}
