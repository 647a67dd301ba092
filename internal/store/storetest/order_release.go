package storetest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/models"
)

func queueRelease(t *testing.T, w *world) {
	t.Helper()

	t.Run("gives the next to the workflow that carries on", func(t *testing.T) {
		l := w.line(t, fifo())
		ids := l.fill(t, 3)
		workflow := w.invocation(t, ids[0]).WorkflowID
		settled := w.ends(t, w.claim(t, l.owner, ids[0]), w.delivered(), carriedOnBy(workflow))
		require.Equal(t, models.Settled{Kept: true, Status: models.StatusSucceeded, Next: ids[1]}, settled)
		row := w.invocation(t, ids[1])
		require.Equal(t, []any{models.StatusPending, new(w.now()), new(w.in(dispatchLease)), workflow},
			[]any{row.Status, row.NextAttemptAt, row.DispatchAfter, row.WorkflowID})
		w.requireWaits(t, ids[2])

		g := w.ask(t, l.owner, ids[0])
		require.Equal(t, []any{models.VerdictClosed, ids[1]}, []any{g.Verdict, g.Next}, "should the answer be lost")
		w.exec(t, "UPDATE invocations SET workflow_id = 'invocation/another' WHERE id = ?", ids[1])
		require.Empty(t, w.ask(t, l.owner, ids[0]).Next, "another workflow's")
	})

	t.Run("leaves the next to the dispatcher when no workflow carries on", func(t *testing.T) {
		l := w.line(t, fifo())
		ids := l.fill(t, 2)
		settled := w.ends(t, w.claim(t, l.owner, ids[0]), w.delivered())
		require.Equal(t, models.Settled{Kept: true, Status: models.StatusSucceeded, Released: true}, settled)
		l.requireDue(t, ids[1])
		settled = w.ends(t, w.claim(t, l.owner, ids[1]), w.delivered(), carriedOnBy("w"))
		require.Equal(t, models.Settled{Kept: true, Status: models.StatusSucceeded}, settled)
		require.Empty(t, w.head(t, l.sub.ID))
	})

	t.Run("claims the next in the same transaction for a worker that goes on", func(t *testing.T) {
		l := w.line(t, fifo())
		ids := l.fill(t, 4)
		claim := w.claim(t, l.owner, ids[0])
		for _, id := range ids[1:] {
			settled := w.ends(t, claim, w.delivered(), carriedOnBy("w"), claimedFor(l.owner))
			require.Equal(t, id, settled.Next)
			require.NotNil(t, settled.Gate)
			requireConsistent(t, *settled.Gate)
			require.Equal(t, models.VerdictGranted, settled.Gate.Verdict)
			claim = settled.Gate.Claim
			row := w.invocation(t, id)
			require.Equal(t, []any{&l.owner, &claim.Token, "w"}, []any{row.ClaimOwner, row.ClaimToken, row.WorkflowID})
			require.Nil(t, row.DispatchAfter)
			require.Equal(t, models.VerdictHeld, w.ask(t, l.owner, id).Verdict)
		}
		require.Nil(t, w.ends(t, claim, w.delivered(), carriedOnBy("w"), claimedFor(l.owner)).Gate)
	})

	t.Run("waits for when the next is due", func(t *testing.T) {
		for _, workflow := range []string{"", "w"} {
			l := w.line(t, fifo())
			first := l.put(t)
			due := w.in(time.Hour)
			second := l.put(t, func(a *models.Acceptance) { a.Event.NotBefore = &due })
			settled := w.ends(t, w.claim(t, l.owner, first), w.delivered(), carriedOnBy(workflow), claimedFor(l.owner))
			dispatch := due
			if workflow != "" {
				dispatch = due.Add(dispatchLease)
				require.Equal(t, []any{models.VerdictNotDue, due.Sub(w.now())}, []any{settled.Gate.Verdict, settled.Gate.Wait})
			}
			row := w.invocation(t, second)
			require.Equal(t, []any{&due, &dispatch}, []any{row.NextAttemptAt, row.DispatchAfter})
			require.Equal(t, due.Sub(w.now()), w.ask(t, l.owner, second).Wait)
		}
	})

	t.Run("is told to the workflow that carries it when it is cancelled before it is due", func(t *testing.T) {
		for workflow, commands := range map[string]int{"": 0, "w": 1} {
			l := w.line(t, fifo())
			first := l.put(t)
			due := w.in(time.Hour)
			second := l.put(t, func(a *models.Acceptance) { a.Event.NotBefore = &due })
			w.ends(t, w.claim(t, l.owner, first), w.delivered(), carriedOnBy(workflow), claimedFor(l.owner))
			require.NoError(t, w.Cancel(t.Context(), second))
			require.Equal(t, commands, w.commandsOf(t, second))
		}
	})

	t.Run("follows the last failure, and none before", func(t *testing.T) {
		l := w.line(t, fifo())
		ids := l.fill(t, 2)
		for range 2 {
			settled := w.ends(t, w.claim(t, w.worker(t), ids[0]), w.unreached(), carriedOnBy("w"))
			require.Equal(t, models.Settled{Kept: true, Status: models.StatusRetrying}, settled)
			w.requireWaits(t, ids[1])
			w.clock.Advance(time.Hour)
		}
		settled := w.ends(t, w.claim(t, w.worker(t), ids[0]), w.unreached(), carriedOnBy("w"))
		require.Equal(t, models.Settled{Kept: true, Status: models.StatusFailed, Next: ids[1]}, settled)
	})

	t.Run("follows a redelivery of the head that succeeds", func(t *testing.T) {
		l := w.line(t, fifo())
		ids := l.fill(t, 2)
		settled := w.ends(t, w.redeliver(t, l.owner, ids[0]), w.unreached(), carriedOnBy("w"))
		require.Equal(t, models.Settled{Kept: true}, settled)
		require.Equal(t, ids[0], w.head(t, l.sub.ID))
		settled = w.ends(t, w.redeliver(t, l.owner, ids[0]), w.delivered(), carriedOnBy("w"))
		require.Equal(t, ids[1], settled.Next)
	})

	t.Run("passes over what was delivered by hand", func(t *testing.T) {
		l := w.line(t, fifo())
		ids := l.fill(t, 3)
		settled := w.ends(t, w.redeliver(t, l.owner, ids[1]), w.delivered(), carriedOnBy("w"))
		require.Equal(t, models.Settled{Kept: true, Status: models.StatusSucceeded}, settled)
		require.Equal(t, ids[0], w.head(t, l.sub.ID))
		l.deliver(t, ids[0])
		l.requireDue(t, ids[2])
		settled = w.ends(t, w.redeliver(t, l.owner, ids[0]), w.delivered(), carriedOnBy("w"))
		require.Empty(t, settled.Next, "it was settled before")
		require.Equal(t, ids[2], w.head(t, l.sub.ID))
	})

	t.Run("brings up one whose redelivery is in flight, and goes on from it", func(t *testing.T) {
		l := w.line(t, fifo())
		ids := l.fill(t, 3)
		byHand := w.redeliver(t, l.owner, ids[1])
		require.NoError(t, w.Cancel(t.Context(), ids[0]))
		require.Equal(t, ids[1], w.head(t, l.sub.ID))
		require.Equal(t, models.VerdictHeld, w.ask(t, l.owner, ids[1]).Verdict)
		require.Equal(t, ids[2], w.ends(t, byHand, w.delivered(), carriedOnBy("w")).Next)
	})
}

func queueEnds(t *testing.T, w *world) {
	t.Helper()

	t.Run("when the head is cancelled, one by one", func(t *testing.T) {
		l := w.line(t, fifo())
		ids := l.fill(t, 4)
		w.dispatched(t)
		require.NoError(t, w.Cancel(t.Context(), ids[2]), "a queued one")
		require.Equal(t, ids[0], w.head(t, l.sub.ID))
		require.NoError(t, w.Cancel(t.Context(), ids[0]))
		require.Equal(t, []int{1, 0}, []int{w.commandsOf(t, ids[0]), w.commandsOf(t, ids[2])})
		l.requireDue(t, ids[1])
		l.deliver(t, ids[1])
		l.requireDue(t, ids[3])
		require.NoError(t, w.Cancel(t.Context(), ids[3]))
		require.Empty(t, w.head(t, l.sub.ID))
	})

	t.Run("when an event that heads two queues is cancelled", func(t *testing.T) {
		app := w.application(t)
		subs := []*models.Subscription{w.subscription(t, app), w.subscription(t, app)}
		first, second := w.ordered(t, app, fifo(), subs), w.ordered(t, app, fifo(), subs)
		w.accept(t, app, first, second)
		require.NoError(t, w.CancelEvent(t.Context(), first.Event.ID))
		for i, sub := range subs {
			require.Equal(t, models.StatusCancelled, w.invocation(t, first.Invocations[i].ID).Status)
			(&line{world: w, sub: sub}).requireDue(t, second.Invocations[i].ID)
		}
	})

	t.Run("when the subscription is deleted", func(t *testing.T) {
		l := w.line(t, fifo())
		ids := l.fill(t, 3)
		c := w.claim(t, l.owner, ids[0])
		require.NoError(t, w.DeleteSubscription(t.Context(), l.sub.ID))
		w.requireStatuses(t, models.StatusCancelled, ids...)
		require.Empty(t, w.head(t, l.sub.ID))
		require.Equal(t, models.Settled{Kept: true, Status: models.StatusSucceeded},
			w.ends(t, c, w.delivered(), carriedOnBy("w"), claimedFor(l.owner)))
		late := l.fill(t, 2) // matched before the deletion, committed after it
		require.Equal(t, models.VerdictClosed, w.ask(t, l.owner, late[0]).Verdict)
		require.Equal(t, models.VerdictClosed, w.ask(t, l.owner, late[1]).Verdict)
		w.requireStatuses(t, models.StatusCancelled, late...)
	})

	t.Run("when the subscription is gone, and starts anew when it is back", func(t *testing.T) {
		l := w.line(t, fifo())
		ids := l.fill(t, 3)
		settled := w.ends(t, w.claim(t, l.owner, ids[0]), w.goneResult(), carriedOnBy("w"), claimedFor(l.owner))
		require.Empty(t, settled.Next)
		w.requireStatuses(t, models.StatusCancelled, ids...)
		require.Empty(t, w.head(t, l.sub.ID))
		w.update(t, l.sub, func(s *models.Subscription) { s.Gone = false })
		l.requireDue(t, l.put(t))
	})

	t.Run("when the application is deleted", func(t *testing.T) {
		l := w.line(t, fifo())
		ids := l.fill(t, 2)
		require.NoError(t, w.DeleteApplication(t.Context(), l.app.ID))
		w.requireStatuses(t, models.StatusCancelled, ids...)
		require.Empty(t, w.head(t, l.sub.ID))
	})

	t.Run("not when the subscription is paused: its head waits", func(t *testing.T) {
		l := w.line(t, fifo())
		ids := l.fill(t, 2)
		w.update(t, l.sub, func(s *models.Subscription) { s.Enabled = false })
		require.Equal(t, models.VerdictParked, w.ask(t, l.owner, ids[0]).Verdict)
		require.True(t, w.invocation(t, ids[0]).Parked)
		w.requireWaits(t, ids[1])
		settled := w.ends(t, w.redeliver(t, l.owner, ids[0]), w.delivered(), carriedOnBy("w"), claimedFor(l.owner))
		require.Equal(t, models.VerdictParked, settled.Gate.Verdict)
		require.True(t, w.invocation(t, ids[1]).Parked)
		w.update(t, l.sub, func(s *models.Subscription) { s.Enabled = true })
		require.Equal(t, new(w.now()), w.invocation(t, ids[1]).DispatchAfter)
		l.deliver(t, ids[1])
	})
}

func queueHealed(t *testing.T, w *world) {
	t.Helper()

	healed := func(t *testing.T) int {
		t.Helper()
		n, err := w.HealQueues(t.Context())
		require.NoError(t, err)
		return n
	}

	t.Run("gets a head where it has none, or one that has ended", func(t *testing.T) {
		whole, headless, stale := w.line(t, fifo()), w.line(t, fifo()), w.line(t, fifo())
		rows := map[*line][]string{}
		for _, l := range []*line{whole, headless, stale} {
			rows[l] = l.fill(t, 3)
		}
		require.Zero(t, healed(t))
		for _, l := range []*line{headless, stale} {
			w.exec(t, "UPDATE invocations SET status = 'succeeded', next_attempt_at = NULL, dispatch_after = NULL"+
				" WHERE id = ?", rows[l][0])
		}
		w.exec(t, "UPDATE ordering_keys SET head = NULL WHERE id = ?", headless.sub.ID)
		require.Equal(t, 2, healed(t))
		for _, l := range []*line{headless, stale} {
			l.requireDue(t, rows[l][1])
			w.requireWaits(t, rows[l][2])
		}
		require.Equal(t, rows[whole][0], w.head(t, whole.sub.ID))
		require.Zero(t, healed(t))
	})

	t.Run("gets one head from workers that start at the same time", func(t *testing.T) {
		l := w.line(t, fifo())
		ids := l.fill(t, 12)
		for range 8 {
			w.exec(t, "UPDATE invocations SET status = 'succeeded', next_attempt_at = NULL WHERE id = ?", ids[0])
			ids = ids[1:]
			found := make([]int, 8)
			errs := make([]error, len(found))
			atOnce(len(found), func(i int) { found[i], errs[i] = w.HealQueues(t.Context()) })
			total := 0
			for i := range found {
				require.NoError(t, errs[i])
				total += found[i]
			}
			require.Equal(t, 1, total)
			l.requireDue(t, ids[0])
			w.requireWaits(t, ids[1:]...)
		}
	})
}
