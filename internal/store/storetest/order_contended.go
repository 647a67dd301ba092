package storetest

import (
	"errors"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/models"
)

// long runs the contended cases for as many rounds as the requirement asks for.
func long() bool { return os.Getenv("POSTHORN_TEST_LONG") == "1" }

// rounds is how often a contended case tries.
func rounds(quick, thorough int) int {
	if long() {
		return thorough
	}
	return quick
}

// longest bounds a contended case; it ends early, and says how far it came.
const longest = 15 * time.Minute

func orderContended(t *testing.T, w *world) {
	t.Helper()

	t.Run("of accepting and settling strands nothing", func(t *testing.T) { acceptAgainstSettle(t, w) })
	t.Run("of deleting and accepting leaves nothing open", func(t *testing.T) { deleteAgainstAccept(t, w) })
	t.Run("of redeliveries, settles and cancels sends one at a time and strands nothing", func(t *testing.T) {
		redeliverAgainstCancel(t, w)
	})
}

// acceptAgainstSettle has eight at work: four accept, each into a queue of its own, which one of the others empties in
// that very moment. Whichever comes first, the new event must be due: the claim of the next round shows that it is.
func acceptAgainstSettle(t *testing.T, w *world) {
	t.Helper()
	const pairs = 4
	tries := rounds(25, 100_000/pairs)
	lines := make([]*line, pairs)
	last := make([]string, pairs)
	for i := range lines {
		lines[i] = w.line(t, fifo())
		last[i] = lines[i].put(t)
	}
	started, done, headed := time.Now(), 0, 0
	for ; done < tries && time.Since(started) < longest; done++ {
		gates, next := make([][]models.Gate, pairs), make([]*models.Acceptance, pairs)
		for i, l := range lines {
			next[i] = l.ordered(t, l.app, l.order, []*models.Subscription{l.sub})
		}
		result := w.arrived()
		errs, settled := make([]error, 2*pairs), make([]models.Settled, pairs)
		atOnce(pairs, func(i int) { gates[i], errs[i] = w.Claim(t.Context(), lines[i].owner, last[i:i+1]) })
		require.NoError(t, errors.Join(errs...))
		for i := range gates {
			require.Equal(t, models.VerdictGranted, gates[i][0].Verdict, "try %d", done)
		}
		atOnce(2*pairs, func(n int) {
			i := n / 2
			if n%2 == 0 {
				errs[n] = w.Accept(t.Context(), lines[i].app.ID, []*models.Acceptance{next[i]})
			} else {
				settled[i], errs[n] = w.Settle(t.Context(), gates[i][0].Claim.Settle(result))
			}
		})
		require.NoError(t, errors.Join(errs...))
		for i := range lines {
			last[i] = next[i].Invocations[0].ID
			require.True(t, settled[i].Kept)
			require.Equal(t, settled[i].Released, next[i].Invocations[0].Status == models.StatusQueued)
			if settled[i].Released {
				headed++
			}
		}
	}
	for i, l := range lines {
		require.Equal(t, last[i], w.head(t, l.sub.ID))
	}
	if long() {
		t.Logf("%s: accept against settle: %d tries in %s, the settle was second in %d; none was stranded",
			w.Dialect(), done*pairs, time.Since(started).Round(time.Second), headed)
	}
}

// deleteAgainstAccept accepts two events into a queue whose subscription is deleted meanwhile.
func deleteAgainstAccept(t *testing.T, w *world) {
	t.Helper()
	for range rounds(150, 2000) {
		l := w.line(t, fifo())
		l.deliver(t, l.put(t))
		subs := []*models.Subscription{l.sub}
		batch := []*models.Acceptance{l.ordered(t, l.app, l.order, subs), l.ordered(t, l.app, l.order, subs)}
		errs := make([]error, 2)
		atOnce(len(errs), func(i int) {
			if i == 0 {
				errs[i] = w.DeleteSubscription(t.Context(), l.sub.ID)
			} else {
				errs[i] = w.Accept(t.Context(), l.app.ID, batch)
			}
		})
		require.NoError(t, errors.Join(errs...))
		for head := w.head(t, l.sub.ID); head != ""; head = w.head(t, l.sub.ID) {
			require.Equal(t, models.VerdictClosed, w.ask(t, l.owner, head).Verdict)
		}
		w.requireStatuses(t, models.StatusCancelled, batch[0].Invocations[0].ID, batch[1].Invocations[0].ID)
	}
}

// redeliverAgainstCancel works a queue off by four workers, two that redeliver and one that cancels.
func redeliverAgainstCancel(t *testing.T, w *world) {
	t.Helper()
	for range rounds(3, 100) {
		l := w.line(t, fifo())
		ids := l.fill(t, 12)
		var together, failed atomic.Int32
		note := func(err error) {
			if err != nil && models.ErrorCode(err) != models.CodeConflict {
				failed.Add(1)
			}
		}
		send := func(g models.Gate, err error) {
			if note(err); err != nil || g.Verdict != models.VerdictGranted {
				return
			}
			n, err := l.inFlight(t)
			if note(err); n != 1 {
				together.Add(1)
			}
			_, err = w.Settle(t.Context(), g.Claim.Settle(w.arrived()))
			note(err)
		}
		atOnce(7, func(worker int) {
			for n := range ids {
				id := ids[(n+worker*5)%len(ids)]
				switch {
				case worker < 4:
					gates, err := w.Claim(t.Context(), l.owner, ids)
					note(err)
					for _, g := range gates {
						send(g, nil)
					}
				case worker < 6:
					command, err := w.Redeliver(t.Context(), id, false)
					note(err)
					send(w.ClaimRedelivery(t.Context(), l.owner, command))
				default:
					if n%3 == 0 {
						note(w.Cancel(t.Context(), id))
					}
				}
			}
		})
		require.Zero(t, failed.Load())
		require.Zero(t, together.Load(), "more than one of the queue was in flight")
		for head := w.head(t, l.sub.ID); head != ""; head = w.head(t, l.sub.ID) {
			l.deliver(t, head)
		}
		for _, id := range ids {
			require.False(t, w.invocation(t, id).Status.Open())
		}
	}
}

// arrived is a success that took none of the clock's time.
func (w *world) arrived() models.Result {
	r := w.took(0)
	r.Outcome, r.StatusCode = models.AttemptSucceeded, 204
	return r
}

// inFlight counts the claims on invocations of the line's queue.
func (l *line) inFlight(t *testing.T) (n int, err error) {
	t.Helper()
	err = l.pool(t).QueryRowContext(t.Context(),
		l.placeholder("SELECT count(*) FROM invocations WHERE ordering_key = ? AND claim_token IS NOT NULL"), l.sub.ID).Scan(&n)
	return n, err
}
