package storetest

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/models"
)

func retainedRest(t *testing.T, w *world) {
	t.Helper()

	t.Run("removes tests of subscriptions that have ended", func(t *testing.T) {
		w.quiet(t)
		app := w.application(t)
		sub := w.subscription(t, app)
		ids := w.fireMany(t, 3, app, sub)
		for _, id := range ids {
			w.exec(t, "UPDATE invocations SET event_id = NULL WHERE id = ?", id)
		}
		owner := w.worker(t)
		w.attempt(t, owner, ids[0], w.delivered)
		w.attempt(t, owner, ids[1], w.delivered)
		w.clock.Advance(2 * month)
		w.purge(t, 1)
		w.requireKept(t, false, ids[:2]...)
		w.requireKept(t, true, ids[2])
	})

	t.Run("removes jobs that have ended, and their commands", func(t *testing.T) {
		w.quiet(t)
		app := w.application(t)
		sub := w.subscription(t, app)
		id := w.fire(t, app, sub)
		owner := w.worker(t)
		w.attempt(t, owner, id, w.delivered)
		ended, paused := w.startJob(t, app, listing(id)), w.startJob(t, app, listing(id))
		_, err := w.ChangeJob(t.Context(), ended, models.JobCancel)
		require.NoError(t, err)
		_, err = w.ChangeJob(t.Context(), paused, models.JobPause)
		require.NoError(t, err)
		w.clock.Advance(month)
		w.purge(t, 100)
		require.Equal(t, models.JobCancelled, w.job(t, ended).State)
		w.clock.Advance(time.Microsecond)
		w.purge(t, 100)
		_, err = w.Job(t.Context(), ended)
		require.Equal(t, models.CodeNotFound, models.ErrorCode(err))
		require.Equal(t, models.JobPaused, w.job(t, paused).State)
		require.Equal(t, 1, w.commandsOf(t, id))
	})

	t.Run("keeps what a job counts as long as the job", func(t *testing.T) {
		w.quiet(t)
		app := w.application(t)
		sub := w.subscription(t, app)
		id := w.fire(t, app, sub)
		w.attempt(t, w.worker(t), id, w.delivered)
		w.clock.Advance(month - time.Hour)
		w.update(t, sub, func(s *models.Subscription) { s.Verified = false })
		job := w.startJob(t, app, listing(id))
		require.Empty(t, w.step(t, w.worker(t), job).Claims, "refused: the invocation is not touched")
		w.step(t, w.worker(t), job)
		w.clock.Advance(2 * time.Hour)
		w.purge(t, 100)
		require.Equal(t, []int{1, 0, 1}, progress(w.job(t, job)))
		w.clock.Advance(month)
		w.purge(t, 100)
		w.requireKept(t, false, id)
	})

	t.Run("removes deleted subscriptions and applications once nothing of them is left", func(t *testing.T) {
		w.quiet(t)
		w.clock.Advance(2 * month)
		w.purge(t, 100)
		before := w.tables(t)
		l := w.line(t, fifo())
		w.key(t, &l.app.ID)
		l.deliver(t, l.fill(t, 2)...)
		require.NoError(t, w.DeleteApplication(t.Context(), l.app.ID))
		w.clock.Advance(month)
		w.purge(t, 100)
		require.Equal(t, before["applications"]+1, w.tables(t)["applications"])
		w.clock.Advance(time.Hour)
		w.purge(t, 100)
		require.Equal(t, before, w.tables(t))
	})

	t.Run("keeps a deleted subscription with an open invocation of another's event", func(t *testing.T) {
		app := w.application(t)
		subs := []*models.Subscription{w.subscription(t, app), w.subscription(t, app)}
		a := w.draft(t, app, subs)
		w.accept(t, app, a)
		require.NoError(t, w.DeleteSubscription(t.Context(), subs[0].ID))
		w.clock.Advance(2 * month)
		w.purge(t, 100)
		require.Equal(t, 1, w.count(t, "SELECT COUNT(*) FROM subscriptions WHERE id = ?", subs[0].ID))
		w.requireStatuses(t, models.StatusPending, a.Invocations[1].ID)
	})
}

func retainedOrder(t *testing.T, w *world) {
	t.Helper()

	t.Run("forgets an entity of which nothing is left", func(t *testing.T) {
		for _, order := range []models.Ordering{latestOfEntity(), fifoByEntity()} {
			w.quiet(t)
			w.clock.Advance(2 * month)
			w.purge(t, 100)
			l := w.line(t, order)
			old, young := l.put(t, about("a", 0)), l.put(t, about("b", 0))
			l.deliver(t, old)
			w.clock.Advance(month / 2)
			l.owner = w.worker(t)
			l.deliver(t, young)
			w.clock.Advance(month/2 + time.Hour)
			w.purge(t, 100)
			w.requireKept(t, false, old)
			w.requireKept(t, true, young)
			require.Equal(t, 1, w.count(t, "SELECT COUNT(*) FROM ordering_keys WHERE subscription_id = ?", l.sub.ID))
		}
	})

	t.Run("remembers what was delivered last as long as something is left", func(t *testing.T) {
		w.quiet(t)
		l := w.line(t, latestOfEntity())
		l.deliver(t, l.put(t, about("a", 5)))
		w.clock.Advance(month / 2)
		l.owner = w.worker(t)
		l.deliver(t, l.put(t, about("a", 7)))
		w.clock.Advance(month/2 + time.Hour)
		w.purge(t, 100)
		w.requireStatuses(t, models.StatusAbandoned, l.put(t, about("a", 6)))
	})

	t.Run("is in nobody's way", func(t *testing.T) { purgeAgainstAll(t, w) })
}

// purgeAgainstAll has old events purged while others redeliver, cancel and delete them, and while their queues accept
// and settle. Every one of those either finds what it wants whole or not at all.
func purgeAgainstAll(t *testing.T, w *world) {
	t.Helper()
	for range rounds(15, 500) {
		w.quiet(t)
		l := w.line(t, fifoByEntity())
		old := make([]string, 6)
		for i := range old {
			old[i] = l.put(t, about("a", 0))
		}
		l.deliver(t, old...)
		w.clock.Advance(2 * month)
		l.owner = w.worker(t)
		head := l.put(t, about("a", 0))
		claim := l.claim(t, l.owner, head)
		next := l.ordered(t, l.app, l.order, []*models.Subscription{l.sub}, about("a", 0))
		event := w.eventOf(t, old[0])
		errs := make([]error, 6)
		atOnce(len(errs), func(i int) {
			switch i {
			case 0, 1:
				_, errs[i] = w.Purge(t.Context(), w.in(-month), models.PurgeCursor{}, 100)
			case 2:
				_, errs[i] = w.Settle(t.Context(), claim.Settle(w.delivered()))
			case 3:
				errs[i] = w.Accept(t.Context(), l.app.ID, []*models.Acceptance{next})
			case 4:
				_, errs[i] = w.Redeliver(t.Context(), old[1], false)
			default:
				errs[i] = w.CancelEvent(t.Context(), event)
			}
		})
		for i := range errs {
			if i >= 4 && models.ErrorCode(errs[i]) == models.CodeNotFound {
				errs[i] = nil
			}
		}
		require.NoError(t, errors.Join(errs...))
		w.requireStatuses(t, models.StatusSucceeded, head)
		w.requireStatuses(t, models.StatusPending, next.Invocations[0].ID)
		require.Equal(t, next.Invocations[0].ID, w.head(t, *next.Invocations[0].OrderingKey))
		asked := w.count(t, "SELECT COUNT(*) FROM commands WHERE invocation_id = ?", old[1])
		require.Equal(t, asked, w.count(t, "SELECT COUNT(*) FROM invocations WHERE id = ?", old[1]))
		w.purge(t, 100)
		w.requireKept(t, false, old[2:]...)
		require.Zero(t, w.count(t, "SELECT COUNT(*) FROM attempts WHERE invocation_id = ?", old[2]))
	}
}
