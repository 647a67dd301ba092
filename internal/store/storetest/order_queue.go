package storetest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/internal/store"
	"github.com/posthorn/posthorn/models"
)

func queuePlaces(t *testing.T, w *world) {
	t.Helper()

	t.Run("come in the order of acceptance, and the first alone is due", func(t *testing.T) {
		w.quiet(t)
		l := w.line(t, fifo())
		ids := l.fill(t, 3)
		batch := make([]*models.Acceptance, 3)
		for i := range batch {
			batch[i] = l.ordered(t, l.app, fifo(), []*models.Subscription{l.sub})
			ids = append(ids, batch[i].Invocations[0].ID)
		}
		w.accept(t, l.app, batch...)
		for n, id := range ids {
			row := w.invocation(t, id)
			event, err := w.Event(t.Context(), *row.EventID)
			require.NoError(t, err)
			require.Equal(t, []any{new(int64(n + 1)), new(event.Sequence()), new(l.sub.ID)},
				[]any{row.Position, row.Sequence, row.OrderingKey})
		}
		l.requireDue(t, ids[0])
		w.requireWaits(t, ids[1:]...)
		require.Equal(t, ids[:1], w.take(t, 10))
		require.Equal(t, models.StatusQueued, batch[0].Invocations[0].Status, "the caller is told")
	})

	t.Run("are given out in each of several queues", func(t *testing.T) {
		app := w.application(t)
		subs := []*models.Subscription{w.subscription(t, app), w.subscription(t, app), w.subscription(t, app)}
		batch := make([]*models.Acceptance, 4)
		for i := range batch {
			batch[i] = w.ordered(t, app, fifo(), subs[:1+i%3])
		}
		w.accept(t, app, batch...)
		for n, places := range [][]int64{{1}, {2, 1}, {3, 2, 1}, {4}} {
			for i, place := range places {
				row := w.invocation(t, batch[n].Invocations[i].ID)
				require.Equal(t, &place, row.Position)
				require.Equal(t, place == 1, row.Status == models.StatusPending)
			}
		}
		require.Equal(t, batch[1].Invocations[1].ID, w.head(t, subs[1].ID))
	})

	t.Run("by entity are one queue for each, and none without", func(t *testing.T) {
		l := w.line(t, fifoByEntity())
		first, other := l.put(t, about("a", 0)), l.put(t, about("b", 0))
		second, loose := l.put(t, about("a", 0)), l.put(t)
		l.requireDue(t, first)
		l.requireDue(t, other)
		w.requireWaits(t, second)
		row := w.invocation(t, loose)
		require.Equal(t, models.StatusPending, row.Status)
		require.Nil(t, row.Position)
		require.Nil(t, row.OrderingKey)
		l.deliver(t, loose, other, first)
		l.requireDue(t, second)
	})

	t.Run("stay whole when an event comes twice", func(t *testing.T) {
		l := w.line(t, fifo())
		first := l.put(t, keyed("k", "1"))
		repeat := l.ordered(t, l.app, fifo(), []*models.Subscription{l.sub}, keyed("k", "1"))
		next := l.ordered(t, l.app, fifo(), []*models.Subscription{l.sub})
		w.accept(t, l.app, repeat, next)
		require.True(t, repeat.Duplicate)
		require.Equal(t, first, repeat.Invocations[0].ID)
		second := next.Invocations[0].ID
		require.Greater(t, *w.invocation(t, second).Position, int64(1))
		l.deliver(t, first)
		l.requireDue(t, second)
		l.deliver(t, second)
		l.accept(t, l.app, l.ordered(t, l.app, fifo(), []*models.Subscription{l.sub}, keyed("k", "1")))
		require.Empty(t, w.head(t, l.sub.ID), "the repeat of what was delivered heads nothing")
		l.requireDue(t, l.put(t))
	})

	t.Run("stay whole when one of a batch is refused", func(t *testing.T) {
		l := w.line(t, fifo())
		first := l.put(t, about("e", 1))
		subs := []*models.Subscription{l.sub}
		batch := []*models.Acceptance{
			l.ordered(t, l.app, fifo(), subs), l.ordered(t, l.app, fifo(), subs, about("e", 0)),
			l.ordered(t, l.app, fifo(), subs, about("e", 2)),
		}
		require.NoError(t, w.Accept(t.Context(), l.app.ID, batch))
		require.Equal(t, models.CodeValidation, models.ErrorCode(batch[1].Err))
		_, err := w.Invocation(t.Context(), batch[1].Invocations[0].ID)
		require.Equal(t, models.CodeNotFound, models.ErrorCode(err))
		l.deliver(t, first, batch[0].Invocations[0].ID, batch[2].Invocations[0].ID)
		require.Empty(t, w.head(t, l.sub.ID))
	})

	t.Run("are not given to the first event of a queue that is refused", func(t *testing.T) {
		l := w.line(t, fifo())
		numbered := l.ordered(t, l.app, fifo(), nil, about("e", 1))
		w.accept(t, l.app, numbered)
		refused := l.ordered(t, l.app, fifo(), []*models.Subscription{l.sub}, about("e", 0))
		require.NoError(t, w.Accept(t.Context(), l.app.ID, []*models.Acceptance{refused}))
		require.Error(t, refused.Err)
		require.Empty(t, w.head(t, l.sub.ID))
		l.requireDue(t, l.put(t))
	})
}

func queueClaims(t *testing.T, w *world) {
	t.Helper()

	t.Run("refuse what is queued", func(t *testing.T) {
		l := w.line(t, fifo())
		ids := l.fill(t, 2)
		require.Equal(t, []models.Verdict{models.VerdictGranted, models.VerdictParked}, w.verdicts(t, l.owner, ids...))
		w.requireWaits(t, ids[1])
	})

	t.Run("wait for a redelivery in flight, and it for them", func(t *testing.T) {
		l := w.line(t, fifo())
		ids := l.fill(t, 3)
		byHand := w.redeliver(t, l.owner, ids[1])
		require.Equal(t, models.VerdictHeld, w.ask(t, l.owner, ids[0]).Verdict)
		other, err := w.Redeliver(t.Context(), ids[2], false)
		require.NoError(t, err)
		require.Equal(t, models.VerdictHeld, w.askRedelivery(t, l.owner, other).Verdict)
		w.ends(t, byHand, w.unreached())
		c := w.claim(t, l.owner, ids[0])
		require.Equal(t, models.VerdictHeld, w.askRedelivery(t, l.owner, other).Verdict)
		w.ends(t, c, w.unreached())
		require.Equal(t, models.VerdictGranted, w.askRedelivery(t, l.owner, other).Verdict)
	})

	t.Run("wait for a cancelled attempt in flight", func(t *testing.T) {
		l := w.line(t, fifo())
		ids := l.fill(t, 2)
		c := w.claim(t, l.owner, ids[0])
		require.NoError(t, w.Cancel(t.Context(), ids[0]))
		l.requireDue(t, ids[1])
		require.Equal(t, models.VerdictHeld, w.ask(t, l.owner, ids[1]).Verdict)
		w.ends(t, c, w.delivered())
		require.Equal(t, models.StatusCancelled, w.invocation(t, ids[0]).Status)
		l.deliver(t, ids[1])
	})

	t.Run("record a dead owner's attempt as interrupted, whichever of the queue it was", func(t *testing.T) {
		l := w.line(t, fifo())
		ids := l.fill(t, 3)
		w.claim(t, w.worker(t), ids[0])
		require.NoError(t, w.Cancel(t.Context(), ids[0]))
		w.clock.Advance(store.Lease)
		l.owner = w.worker(t)
		c := w.claim(t, l.owner, ids[1])
		attempts := w.attempts(t, ids[0])
		require.Len(t, attempts, 1)
		require.Equal(t, new(models.AttemptInterrupted), attempts[0].ErrorCode)
		requireUnclaimed(t, w.invocation(t, ids[0]))
		w.clock.Advance(store.Lease)
		byHand := w.redeliver(t, w.worker(t), ids[2])
		require.Len(t, w.attempts(t, ids[1]), 1)
		settled, err := w.Settle(t.Context(), c.Settle(w.delivered()))
		require.NoError(t, err)
		require.False(t, settled.Kept)
		require.Equal(t, ids[1], w.head(t, l.sub.ID), "a claim that was lost releases nobody")
		w.ends(t, byHand, w.delivered())
		w.clock.Advance(time.Hour)
		l.owner = w.worker(t)
		l.deliver(t, ids[1])
		require.Empty(t, w.head(t, l.sub.ID), "the third was delivered by hand")
	})

	t.Run("of one queue do not hold another", func(t *testing.T) {
		l := w.line(t, fifoByEntity())
		first, other := l.put(t, about("a", 0)), l.put(t, about("b", 0))
		w.claim(t, l.owner, first)
		l.deliver(t, other)
	})
}
