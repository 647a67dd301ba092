package storetest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/models"
)

func stats(t *testing.T, w *world) {
	t.Helper()

	t.Run("of a new subscription are empty", func(t *testing.T) {
		sub := w.subscription(t, w.application(t))
		got, err := w.SubscriptionStats(t.Context(), sub.ID)
		require.NoError(t, err)
		require.Empty(t, got.Counts)
		require.Nil(t, got.OldestOpen)
		require.Empty(t, got.LatenciesMS)
	})

	t.Run("count by status and sort latencies", func(t *testing.T) {
		app := w.application(t)
		sub, other := w.subscription(t, app), w.subscription(t, app)
		owner := w.worker(t)
		for _, took := range []time.Duration{30 * time.Millisecond, 10 * time.Millisecond, 20 * time.Millisecond} {
			c := w.claim(t, owner, w.fire(t, app, sub))
			r := w.took(took)
			r.Outcome, r.StatusCode = models.AttemptSucceeded, 200
			w.end(t, c, r)
		}
		w.settled(t, app, other, models.StatusSucceeded)
		oldest := w.now()
		w.fire(t, app, sub)
		w.clock.Advance(time.Second)
		w.settled(t, app, sub, models.StatusRetrying)
		w.settled(t, app, sub, models.StatusCancelled)

		got, err := w.SubscriptionStats(t.Context(), sub.ID)
		require.NoError(t, err)
		require.Equal(t, map[models.InvocationStatus]int{
			models.StatusSucceeded: 3, models.StatusPending: 1, models.StatusRetrying: 1, models.StatusCancelled: 1,
		}, got.Counts)
		require.Equal(t, &oldest, got.OldestOpen)
		require.Equal(t, []int64{10, 20, 30, 1000}, got.LatenciesMS)
	})

	t.Run("an attempt log comes in parts", func(t *testing.T) {
		_, _, id := w.fired(t)
		for range 5 {
			w.end(t, w.redeliver(t, w.worker(t), id), w.unreached())
		}
		all := w.attempts(t, id)
		require.Len(t, all, 5)
		for i := range all {
			require.Equal(t, i+1, all[i].Number)
		}
		part, err := w.AttemptsAfter(t.Context(), id, 2, 2)
		require.NoError(t, err)
		require.Equal(t, all[2:4], part)
		part, err = w.AttemptsAfter(t.Context(), id, 5, 2)
		require.NoError(t, err)
		require.Empty(t, part)
	})
}

func queues(t *testing.T, w *world) {
	t.Helper()
	w.quiet(t)
	w.exec(t, "UPDATE ordering_keys SET head = NULL WHERE id <> ?", "")
	read := func() models.Queues {
		q, err := w.Queues(t.Context())
		require.NoError(t, err)
		q.Undispatched, q.UndispatchedAge = 0, 0 // see undispatched
		q.Open, q.UndeliveredAge = 0, 0          // see undelivered
		return q
	}
	app := w.application(t)
	w.fireMany(t, 3, app, w.subscription(t, app))
	w.clock.Advance(time.Minute)
	require.Equal(t, models.Queues{}, read(), "what is not ordered is in no queue")

	first, second := w.line(t, fifo()), w.line(t, fifoByEntity())
	started := w.now()
	ids := first.fill(t, 3)
	w.clock.Advance(2 * time.Second)
	later := w.now()
	second.put(t, about("a", 0))
	second.put(t, about("b", 0))
	second.put(t, about("b", 0))
	w.clock.Advance(time.Second)
	require.Equal(t, models.Queues{Depth: 3, HeadAge: w.now().Sub(started)}, read(), "of six in three queues")

	first.deliver(t, ids[0])
	require.Equal(t, models.Queues{Depth: 2, HeadAge: w.now().Sub(started)}, read(), "the next is as old")
	first.deliver(t, ids[1:]...)
	require.Equal(t, models.Queues{Depth: 1, HeadAge: w.now().Sub(later)}, read())
}

func undispatched(t *testing.T, w *world) {
	t.Helper()
	w.quiet(t)
	read := func() (int, time.Duration) {
		q, err := w.Queues(t.Context())
		require.NoError(t, err)
		return q.Undispatched, q.UndispatchedAge
	}
	requireIs := func(n int, age time.Duration, why string) {
		t.Helper()
		gotN, gotAge := read()
		require.Equal(t, n, gotN, why)
		require.Equal(t, age, gotAge, why)
	}
	requireIs(0, 0, "nothing waits")
	app := w.application(t)
	w.fireMany(t, 3, app, w.subscription(t, app), perSecond(1))
	w.clock.Advance(time.Minute)
	requireIs(3, time.Minute, "no dispatcher was there")
	ids, lease := w.take(t, 10), w.in(dispatchLease)
	w.clock.Advance(time.Second)
	requireIs(3, time.Minute+time.Second, "taken is not handed on")
	require.NoError(t, w.MarkDispatched(t.Context(), lease, ids))
	requireIs(0, 0, "handed on")
	w.verdicts(t, w.worker(t), ids...)
	requireIs(0, 0, "two wait for their turn")
}

func undelivered(t *testing.T, w *world) {
	t.Helper()
	w.quiet(t)
	requireIs := func(n int, age time.Duration, why string) {
		t.Helper()
		q, err := w.Queues(t.Context())
		require.NoError(t, err)
		require.Equal(t, n, q.Open, why)
		require.Equal(t, age, q.UndeliveredAge, why)
	}
	requireIs(0, 0, "everything is delivered")
	app := w.application(t)
	sub := w.subscription(t, app)
	owner := w.worker(t)
	first := w.fire(t, app, sub)
	w.clock.Advance(time.Minute)
	second := w.fire(t, app, sub)
	requireIs(2, time.Minute, "by the oldest")
	w.attempt(t, owner, first, func() models.Result { return w.refused(500) })
	requireIs(2, time.Minute+time.Second, "a retry that is not due makes it no younger")
	w.attempt(t, owner, second, w.delivered)
	requireIs(1, time.Minute+2*time.Second, "delivered")

	w.exec(t, "UPDATE invocations SET parked = (1 = 1) WHERE id = ?", first)
	requireIs(1, 0, "its subscription is paused")
	w.exec(t, "UPDATE invocations SET first_attempt_at = NULL, parked = (1 = 0) WHERE id = ?", first)
	requireIs(1, 0, "it was to wait from the start")
}
