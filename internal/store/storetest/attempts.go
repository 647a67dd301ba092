package storetest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/models"
)

// ask is the gate's answer for one invocation.
func (w *world) ask(t *testing.T, owner, id string) models.Gate {
	t.Helper()
	gates, err := w.Claim(t.Context(), owner, []string{id})
	require.NoError(t, err)
	require.Len(t, gates, 1)
	require.Equal(t, id, gates[0].InvocationID)
	requireConsistent(t, gates[0])
	return gates[0]
}

// requireConsistent checks that a Gate says no more and no less than its verdict promises.
func requireConsistent(t *testing.T, g models.Gate) {
	t.Helper()
	require.Equal(t, g.Verdict == models.VerdictGranted, g.Claim != nil, "a claim comes with %s", g.Verdict)
	waits := g.Verdict == models.VerdictNotDue || g.Verdict == models.VerdictHeld
	require.Equal(t, waits, g.Wait > 0, "wait %s with %s", g.Wait, g.Verdict)
}

// claim asks for an attempt that must be granted.
func (w *world) claim(t *testing.T, owner, id string) *models.Claim {
	t.Helper()
	g := w.ask(t, owner, id)
	require.Equal(t, models.VerdictGranted, g.Verdict)
	return g.Claim
}

// verdicts asks for several at once and returns the answers in the order of the ids.
func (w *world) verdicts(t *testing.T, owner string, ids ...string) []models.Verdict {
	t.Helper()
	gates, err := w.Claim(t.Context(), owner, ids)
	require.NoError(t, err)
	byID := make(map[string]models.Verdict, len(gates))
	for _, g := range gates {
		requireConsistent(t, g)
		byID[g.InvocationID] = g.Verdict
	}
	list := make([]models.Verdict, 0, len(ids))
	for _, id := range ids {
		list = append(list, byID[id])
	}
	return list
}

// askRedelivery is the gate's answer for a redeliver command.
func (w *world) askRedelivery(t *testing.T, owner, command string) models.Gate {
	t.Helper()
	g, err := w.ClaimRedelivery(t.Context(), owner, command)
	require.NoError(t, err)
	requireConsistent(t, g)
	return g
}

// redeliver asks for a redelivery whose attempt must be granted.
func (w *world) redeliver(t *testing.T, owner, id string) *models.Claim {
	t.Helper()
	command, err := w.Redeliver(t.Context(), id, true)
	require.NoError(t, err)
	g := w.askRedelivery(t, owner, command)
	require.Equal(t, models.VerdictGranted, g.Verdict)
	require.Equal(t, command, g.Claim.RedeliveryID)
	return g.Claim
}

// The results of an attempt that took a second of the clock, which they move.

func (w *world) took(d time.Duration) models.Result {
	r := models.Result{StartedAt: w.now()}
	w.clock.Advance(d)
	r.FinishedAt = w.now()
	return r
}

func (w *world) delivered() models.Result {
	r := w.took(time.Second)
	r.Outcome, r.StatusCode = models.AttemptSucceeded, 204
	return r
}

func (w *world) refused(status int) models.Result {
	r := w.took(time.Second)
	r.Outcome, r.StatusCode = models.AttemptFailed, status
	r.Error = &models.AttemptError{Code: models.AttemptStatus, Message: "the receiver answered with an error"}
	return r
}

// unreached is a failure without any answer: no status, no headers, no body.
func (w *world) unreached() models.Result {
	r := w.took(time.Second)
	r.Outcome = models.AttemptFailed
	r.Error = &models.AttemptError{Code: models.AttemptConnect, Message: "connection refused"}
	return r
}

func (w *world) goneResult() models.Result {
	r := w.refused(410)
	r.Gone = true
	return r
}

// end settles a claim that must still be held.
func (w *world) end(t *testing.T, c *models.Claim, r models.Result) {
	t.Helper()
	settled, err := w.Settle(t.Context(), c.Settle(r))
	require.NoError(t, err)
	require.True(t, settled.Kept, "the claim is lost")
}

// attempt claims and settles.
func (w *world) attempt(t *testing.T, owner, id string, result func() models.Result) {
	t.Helper()
	c := w.claim(t, owner, id)
	w.end(t, c, result())
}

// settled fires an event and brings its invocation to the given status.
func (w *world) settled(
	t *testing.T, app *models.Application, sub *models.Subscription, status models.InvocationStatus,
) string {
	t.Helper()
	owner := w.worker(t)
	id := w.fire(t, app, sub, func(s *models.Spec) {
		if status == models.StatusFailed {
			s.Retry.MaxAttempts = 1
		}
	})
	switch status {
	case models.StatusSucceeded:
		w.attempt(t, owner, id, w.delivered)
	case models.StatusFailed, models.StatusRetrying:
		w.attempt(t, owner, id, w.unreached)
	case models.StatusCancelled:
		require.NoError(t, w.Cancel(t.Context(), id))
	case models.StatusAbandoned, models.StatusQueued:
		w.exec(t, "UPDATE invocations SET status = '"+string(status)+"', dispatch_after = NULL, next_attempt_at = "+
			"CASE WHEN '"+string(status)+"' = 'queued' THEN next_attempt_at END WHERE id = ?", id)
	case models.StatusPending, models.StatusPaused:
	}
	require.Equal(t, status, w.invocation(t, id).Status)
	return id
}
