//go:build record

package workflows_test

import (
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/models"
	"github.com/posthorn/posthorn/workflows"
)

func plays() map[string]func(*recorder) string {
	return map[string]func(*recorder) string{
		"success":               playSuccess,
		"retried":               playRetried,
		"exhausted":             playExhausted,
		"redelivered":           playRedelivered,
		"cancelled":             playCancelled,
		"superseded":            playSuperseded,
		"parked":                playParked,
		"brought_back":          playBroughtBack,
		"slow":                  playSlow,
		"restarted":             playRestarted,
		"signalled_after_close": playSignalledAfterClose,
		"unsearchable":          playUnsearchable,
		"fifo_head":             playFIFOHead,
		"fifo_run":              playFIFORun,
		"fifo_redelivered":      playFIFORedelivered,
		"overtaken":             playOvertaken,
	}
}

func quick(attempts int) models.RetryPolicy {
	return models.RetryPolicy{
		Kind: models.RetryFixed, Interval: models.Duration(50 * time.Millisecond), MaxAttempts: attempts,
	}
}

func playSuccess(r *recorder) string {
	r.add("a", hourly(3), ok)
	r.add("b", hourly(3), ok)
	return r.play(nil, "a", "b")
}

func playRetried(r *recorder) string {
	r.add("a", quick(9), okAfter(3))
	r.add("b", quick(9), ok)
	r.add("c", quick(9), okAfter(1))
	return r.play(nil, "a", "b", "c")
}

func playExhausted(r *recorder) string {
	r.add("a", quick(3), unavailable)
	r.add("b", quick(1), unavailable)
	return r.play(nil, "a", "b")
}

// playRedelivered makes two redeliveries: the first fails, the second succeeds.
func playRedelivered(r *recorder) string {
	r.add("a", hourly(9), func(c *models.Claim) models.Result {
		if c.RedeliveryID == "c2" {
			return ok(c)
		}
		return unavailable(c)
	})
	r.add("b", hourly(9), okWhenRedelivered)
	return r.play(func() {
		r.redeliver("c1", "a")
		r.redeliver("c2", "a")
		r.redeliver("c3", "b")
	}, "a", "b")
}

func playCancelled(r *recorder) string {
	r.add("a", hourly(9), unavailable)
	r.add("b", hourly(9), unavailable)
	return r.play(func() {
		for _, id := range []string{"a", "b"} {
			r.gate.change(id, func(row *row) { row.status = models.StatusCancelled })
			r.signal(workflows.SignalCancel, workflows.CancelSignal{Invocation: id})
		}
	}, "a", "b")
}

func playSuperseded(r *recorder) string {
	r.add("a", quick(100), func(c *models.Claim) models.Result {
		if c.Number == 3 {
			r.gate.change("a", func(row *row) { row.status = models.StatusAbandoned })
		}
		return unavailable(c)
	})
	return r.play(nil, "a")
}

func playParked(r *recorder) string {
	r.add("a", quick(9), ok)
	r.gate.rows["a"].parked = true
	r.add("b", quick(9), func(c *models.Claim) models.Result {
		r.gate.change("b", func(row *row) { row.parked = true })
		return unavailable(c)
	})
	return r.play(nil, "a", "b")
}

func playBroughtBack(r *recorder) string {
	r.add("a", quick(9), ok)
	r.gate.rows["a"].parked = true
	r.add("b", hourly(2), unavailable)
	r.add("c", hourly(2), ok)
	return r.play(func() {
		r.gate.change("a", func(row *row) { row.parked = false })
		r.signal(workflows.SignalDeliver, workflows.DeliverSignal{Invocations: []string{"a", "b", "c"}})
		require.Eventually(r.t, func() bool { return r.receiver.requests("c") == 1 }, time.Minute, time.Millisecond)
		r.gate.change("b", func(row *row) { row.status = models.StatusCancelled })
		r.signal(workflows.SignalCancel, workflows.CancelSignal{Invocation: "b"})
	}, "a", "b")
}

// playSlow has a receiver that takes longer than the first attempts may.
func playSlow(r *recorder) string {
	release := make(chan struct{})
	r.add("a", quick(2), hanging(release, ok))
	r.add("b", hourly(2), ok)
	run := r.start(workflows.DeliverInput{Invocations: []string{"a", "b"}})
	require.Eventually(r.t, func() bool {
		described, err := r.client.DescribeWorkflowExecution(r.t.Context(), run.GetID(), run.GetRunID())
		require.NoError(r.t, err)
		return len(described.GetPendingActivities()) == 1
	}, 10*time.Second, 20*time.Millisecond)
	close(release)
	require.NoError(r.t, run.Get(r.t.Context(), nil))
	return run.GetRunID()
}

// playRestarted ends on another worker than it began on.
func playRestarted(r *recorder) string {
	r.add("a", models.RetryPolicy{
		Kind: models.RetryFixed, Interval: models.Duration(2 * time.Second), MaxAttempts: 3,
	}, okAfter(1))
	return r.play(func() {
		r.worker.Stop()
		r.startWorker()
	}, "a")
}

func playSignalledAfterClose(r *recorder) string {
	r.add("a", quick(1), okWhenRedelivered)
	r.play(nil, "a")
	r.gate.command("c", "a")
	run, err := r.client.SignalWithStartWorkflow(r.t.Context(), r.options().ID, workflows.SignalRedeliver,
		workflows.RedeliverSignal{Invocation: "a", Command: "c"}, r.options(), workflows.DeliverName,
		workflows.DeliverInput{})
	require.NoError(r.t, err)
	require.NoError(r.t, run.Get(r.t.Context(), nil))
	return run.GetRunID()
}

func playUnsearchable(r *recorder) string {
	r.add("a", quick(2), okAfter(1))
	run := r.start(workflows.DeliverInput{Invocations: []string{"a"}, Unsearchable: true})
	require.NoError(r.t, run.Get(r.t.Context(), nil))
	return run.GetRunID()
}

// line adds invocations that are in one FIFO queue and delivered at their first attempts.
func (r *recorder) line(ids ...string) {
	for _, id := range ids {
		r.add(id, quick(9), ok)
	}
	r.gate.enqueue(ids...)
}

// playFIFOHead has a head that is delivered at its third attempt, and one behind it at its second.
func playFIFOHead(r *recorder) string {
	r.line("a", "b", "c")
	r.receiver.scripts["a"], r.receiver.scripts["b"] = okAfter(2), okAfter(1)
	return r.play(nil, "a")
}

// playFIFORun takes two calls for its four.
func playFIFORun(r *recorder) string {
	r.line("a", "b", "c", "d")
	slowly(r.acts, 600*time.Millisecond, r.receiver)
	return r.play(nil, "a")
}

func playFIFORedelivered(r *recorder) string {
	r.line("a", "b")
	r.add("a", hourly(9), okWhenRedelivered)
	r.gate.rows["a"].queued = true
	return r.play(func() { r.redeliver("c", "a") }, "a")
}

// playOvertaken waits in its backoff while a newer event is delivered by another workflow.
func playOvertaken(r *recorder) string {
	r.add("a", hourly(9), unavailable)
	return r.play(func() {
		r.gate.change("a", func(row *row) { row.status = models.StatusAbandoned })
		r.signal(workflows.SignalCancel, workflows.CancelSignal{Invocation: "a"})
	}, "a")
}
