package storetest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/internal/store"
	"github.com/posthorn/posthorn/models"
)

// of makes the event one of a type.
func of(eventType string) func(*models.Acceptance) {
	return func(a *models.Acceptance) { a.Event.Type = eventType }
}

// requireAbandoned checks that invocations gave way to a newer one.
func (w *world) requireAbandoned(t *testing.T, by string, ids ...string) {
	t.Helper()
	for _, id := range ids {
		row := w.invocation(t, id)
		require.Equal(t, []any{models.StatusAbandoned, new(models.ReasonSuperseded), &by, false},
			[]any{row.Status, row.Reason, row.AbandonedBy, row.Parked})
		require.Nil(t, row.NextAttemptAt)
		require.Nil(t, row.DispatchAfter)
		require.Nil(t, row.DeliveredAt)
	}
}

// latestCases are those of what the newest that was delivered does to older ones.
func latestCases() []group {
	return []group{
		{"lets an older one that comes late end as it is accepted", latestEndsLateOne},
		{"ends the older ones that wait, by whichever sequence", latestEndsOlderOnes},
		{"leaves those with the same sequence alone", latestLeavesSameSequence},
		{"has no say over other entities, types, subscriptions, or none", latestHasNoSayOverOthers},
		{"is judged at the claim when there was no time to end all", latestIsJudgedAtClaim},
		{"ends one that was in flight and failed", latestEndsFailedInFlight},
		{"ends one whose sender died", latestEndsDeadSenders},
		{"leaves one that was cancelled in flight cancelled", latestLeavesCancelled},
		{"leaves one whose receiver is gone to that", latestLeavesGone},
		{"ends more than one statement can", latestEndsMoreThanOneStatement},
		{"tells the workflows that wait, and no others", latestTellsWaitingWorkflows},
	}
}

func latestEndsLateOne(t *testing.T, w *world) {
	l := w.line(t, latest())
	newer := l.put(t, about("e", 2))
	l.deliver(t, newer)
	late := l.put(t, about("e", 1))
	w.requireAbandoned(t, newer, late)
	require.Equal(t, models.VerdictClosed, w.ask(t, l.owner, late).Verdict)
	require.Empty(t, w.attempts(t, late))
	require.Nil(t, w.invocation(t, late).Position)
}

func latestEndsOlderOnes(t *testing.T, w *world) {
	for _, numbers := range [][]int64{{0, 0, 0, 0}, {7, 5, 9, 8}} {
		l := w.line(t, latest())
		pending := l.put(t, about("e", numbers[0]))
		retrying := l.put(t, about("e", numbers[1]))
		newest := l.put(t, about("e", numbers[2]))
		if numbers[0] == 0 {
			newest = l.put(t, about("e", 0))
		}
		between := l.put(t, about("e", numbers[3]))
		w.attempt(t, l.owner, retrying, w.unreached)
		l.deliver(t, newest)
		w.requireAbandoned(t, newest, pending, retrying)
		if numbers[0] == 0 {
			w.requireStatuses(t, models.StatusPending, between) // the last accepted
			l.deliver(t, between)
		} else {
			w.requireAbandoned(t, newest, between)
		}
		require.Equal(t, models.StatusSucceeded, w.invocation(t, newest).Status)
	}
}

func latestLeavesSameSequence(t *testing.T, w *world) {
	l := w.line(t, latest())
	first, second := l.put(t, about("e", 3)), l.put(t, about("e", 3))
	l.deliver(t, second, first)
	third := l.put(t, about("e", 3))
	l.deliver(t, third)
	w.requireStatuses(t, models.StatusSucceeded, first, second, third)
}

func latestHasNoSayOverOthers(t *testing.T, w *world) {
	for name, test := range map[string]struct {
		order     models.Ordering
		overtaken bool
	}{"by type": {latest(), false}, "by entity": {latestOfEntity(), true}} {
		l := w.line(t, test.order)
		second := w.subscription(t, l.app)
		a := l.ordered(t, l.app, test.order, []*models.Subscription{l.sub, second}, about("e", 0))
		w.accept(t, l.app, a)
		entity, none := l.put(t, about("other", 0)), l.put(t)
		otherType := l.put(t, about("e", 0), of("loan.created"))
		newer := l.put(t, about("e", 0))
		l.deliver(t, newer)
		w.requireAbandoned(t, newer, a.Invocations[0].ID)
		w.requireStatuses(t, models.StatusPending, a.Invocations[1].ID, entity, none)
		if test.overtaken {
			w.requireAbandoned(t, newer, otherType)
		} else {
			require.Equal(t, models.StatusPending, w.invocation(t, otherType).Status, name)
		}
	}
}

func latestIsJudgedAtClaim(t *testing.T, w *world) {
	l := w.line(t, latest())
	older, newer := l.put(t, about("e", 0)), l.put(t, about("e", 0))
	l.deliver(t, newer)
	w.exec(t, "UPDATE invocations SET status = 'retrying', reason = NULL, abandoned_by = NULL, next_attempt_at ="+
		" created_at WHERE id = ?", older)
	g := w.ask(t, l.owner, older)
	require.Equal(t, []any{models.VerdictClosed, models.StatusAbandoned}, []any{g.Verdict, g.Status})
	w.requireAbandoned(t, newer, older)
}

func latestEndsFailedInFlight(t *testing.T, w *world) {
	l := w.line(t, latest())
	failed, arrived, newer := l.put(t, about("e", 0)), l.put(t, about("e", 0)), l.put(t, about("e", 0))
	claims := []*models.Claim{w.claim(t, l.owner, failed), w.claim(t, l.owner, arrived)}
	l.deliver(t, newer)
	w.requireStatuses(t, models.StatusPending, failed, arrived)
	require.Equal(t, models.Settled{Kept: true, Status: models.StatusAbandoned}, w.ends(t, claims[0], w.refused(500)))
	w.requireAbandoned(t, newer, failed)
	require.Len(t, w.attempts(t, failed), 1)
	w.ends(t, claims[1], w.delivered())
	require.Equal(t, models.StatusSucceeded, w.invocation(t, arrived).Status, "it did arrive")
	late := l.put(t, about("e", 0))
	require.Equal(t, models.StatusPending, w.invocation(t, late).Status)
	require.Equal(t, models.VerdictGranted, w.ask(t, l.owner, late).Verdict, "the older one's success set nothing back")
}

func latestEndsDeadSenders(t *testing.T, w *world) {
	l := w.line(t, latest())
	older, newer := l.put(t, about("e", 0)), l.put(t, about("e", 0))
	w.claim(t, w.worker(t), older)
	w.clock.Advance(store.Lease)
	l.owner = w.worker(t)
	l.deliver(t, newer)
	require.Equal(t, models.VerdictClosed, w.ask(t, l.owner, older).Verdict)
	w.requireAbandoned(t, newer, older)
	require.Len(t, w.attempts(t, older), 1)
}

func latestLeavesCancelled(t *testing.T, w *world) {
	l := w.line(t, latest())
	older, newer := l.put(t, about("e", 0)), l.put(t, about("e", 0))
	c := w.claim(t, l.owner, older)
	require.NoError(t, w.Cancel(t.Context(), older))
	l.deliver(t, newer)
	w.ends(t, c, w.unreached())
	row := w.invocation(t, older)
	require.Equal(t, []any{models.StatusCancelled, new(models.ReasonCancelled)}, []any{row.Status, row.Reason})
	require.Nil(t, row.AbandonedBy)
}

func latestLeavesGone(t *testing.T, w *world) {
	l := w.line(t, latest())
	older, newer := l.put(t, about("e", 0)), l.put(t, about("e", 0))
	c := w.claim(t, l.owner, older)
	l.deliver(t, newer)
	w.ends(t, c, w.goneResult())
	row := w.invocation(t, older)
	require.Equal(t, []any{models.StatusCancelled, new(models.ReasonSubscriptionGone)}, []any{row.Status, row.Reason})
}

func latestEndsMoreThanOneStatement(t *testing.T, w *world) {
	l := w.line(t, latest())
	batch := make([]*models.Acceptance, 601)
	for i := range batch {
		batch[i] = l.ordered(t, l.app, l.order, []*models.Subscription{l.sub}, about("e", 0))
	}
	w.accept(t, l.app, batch...)
	newest := batch[len(batch)-1].Invocations[0].ID
	l.deliver(t, newest)
	require.Equal(t, len(batch)-1, w.count(t,
		"SELECT count(*) FROM invocations WHERE status = 'abandoned' AND abandoned_by = ?", newest))
}

func latestTellsWaitingWorkflows(t *testing.T, w *world) {
	w.quiet(t)
	l := w.line(t, latest())
	awaited, retrying := l.put(t, about("e", 0)), l.put(t, about("e", 0))
	w.dispatched(t)
	w.attempt(t, l.owner, retrying, w.unreached)
	undispatched := l.put(t, about("e", 0))
	parked := l.put(t, about("e", 0))
	w.update(t, l.sub, func(s *models.Subscription) { s.Enabled = false })
	require.Equal(t, models.VerdictParked, w.ask(t, l.owner, parked).Verdict)
	newer := l.put(t, about("e", 0))
	w.ends(t, w.redeliver(t, l.owner, newer), w.delivered())
	w.requireAbandoned(t, newer, awaited, retrying, undispatched, parked)
	for id, commands := range map[string]int{awaited: 1, retrying: 1, undispatched: 0, parked: 0, newer: 0} {
		require.Equal(t, commands, w.commandsOf(t, id))
	}
	for _, c := range w.takeCommands(t, 10) {
		require.Equal(t, []any{models.CommandCancel, w.invocation(t, c.InvocationID).WorkflowID}, []any{c.Kind, c.WorkflowID})
	}
}

func latestByHand(t *testing.T, w *world) {
	t.Helper()

	overtook := func(t *testing.T) (l *line, older, newer string) {
		t.Helper()
		l = w.line(t, latest())
		older, newer = l.put(t, about("e", 0)), l.put(t, about("e", 0))
		l.deliver(t, newer)
		w.requireAbandoned(t, newer, older)
		return l, older, newer
	}

	t.Run("needs force for what was abandoned, and clears it", func(t *testing.T) {
		l, older, newer := overtook(t)
		_, err := w.Redeliver(t.Context(), older, false)
		require.Equal(t, models.CodeConflict, models.ErrorCode(err))
		command, err := w.Redeliver(t.Context(), older, true)
		require.NoError(t, err)
		g := w.askRedelivery(t, l.owner, command)
		require.Equal(t, models.VerdictGranted, g.Verdict)
		w.ends(t, g.Claim, w.delivered())
		row := w.invocation(t, older)
		require.Equal(t, models.StatusSucceeded, row.Status)
		require.Nil(t, row.AbandonedBy)
		require.Nil(t, row.Reason)
		late := l.put(t, about("e", 0))
		require.Equal(t, models.StatusPending, w.invocation(t, late).Status)
		l.deliver(t, late)
		require.Equal(t, models.StatusSucceeded, w.invocation(t, newer).Status)
	})

	t.Run("leaves it abandoned when the forced one fails", func(t *testing.T) {
		l, older, newer := overtook(t)
		command, err := w.Redeliver(t.Context(), older, true)
		require.NoError(t, err)
		w.ends(t, w.askRedelivery(t, l.owner, command).Claim, w.unreached())
		w.requireAbandoned(t, newer, older)
	})

	t.Run("is refused when the newer one is delivered before its turn", func(t *testing.T) {
		l := w.line(t, latest())
		older, newer := l.put(t, about("e", 0)), l.put(t, about("e", 0))
		command, err := w.Redeliver(t.Context(), older, false)
		require.NoError(t, err)
		forced, err := w.Redeliver(t.Context(), older, true)
		require.NoError(t, err)
		l.deliver(t, newer)
		require.Equal(t, models.VerdictClosed, w.askRedelivery(t, l.owner, command).Verdict)
		require.Equal(t, 1, w.commandsOf(t, older), "the forced one")
		require.Equal(t, models.VerdictGranted, w.askRedelivery(t, l.owner, forced).Verdict)
	})

	t.Run("repeats what was delivered before, without force", func(t *testing.T) {
		l := w.line(t, latest())
		older := l.put(t, about("e", 0))
		l.deliver(t, older, l.put(t, about("e", 0)))
		w.ends(t, w.redeliver(t, l.owner, older), w.delivered())
		require.Equal(t, models.StatusSucceeded, w.invocation(t, older).Status)
	})

	t.Run("ends what it kept from being abandoned when it fails", func(t *testing.T) {
		w.quiet(t)
		l := w.line(t, latest())
		older, newer := l.put(t, about("e", 0)), l.put(t, about("e", 0))
		w.dispatched(t)
		w.attempt(t, l.owner, older, w.unreached)
		byHand := w.redeliver(t, l.owner, older)
		l.deliver(t, newer)
		require.Equal(t, models.StatusRetrying, w.invocation(t, older).Status)
		w.ends(t, byHand, w.unreached())
		w.requireAbandoned(t, newer, older)
		require.Equal(t, 1, w.commandsOf(t, older), "its workflow waits for the next attempt")
		w.clock.Advance(time.Hour)
		require.Equal(t, models.VerdictClosed, w.ask(t, w.worker(t), older).Verdict)
	})
}
