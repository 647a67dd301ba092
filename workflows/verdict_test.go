package workflows_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/models"
	"github.com/posthorn/posthorn/workflows"
)

func TestFiftyInvocationsEachGoTheirOwnWay(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ids := make([]string, workflows.InvocationsPerWorkflow)
	for i := range ids {
		ids[i] = fmt.Sprintf("i%02d", i)
		w.add(ids[i], hourly(3), []script{ok, okAfter(1), okAfter(2), unavailable, ok}[i%5])
		if i%5 == 4 {
			w.gate.rows[ids[i]].next = w.start.Add(30 * time.Minute)
		}
	}

	w.deliver(ids...)

	for i, id := range ids {
		want := [][]time.Duration{
			{0}, {0, time.Hour}, {0, time.Hour, 2 * time.Hour}, {0, time.Hour, 2 * time.Hour}, {30 * time.Minute},
		}[i%5]
		require.Equal(t, want, w.starts(id), id)
		require.Equal(t, i%5 != 3, w.gate.read(id).status == models.StatusSucceeded, id)
	}
	require.Equal(t, 1, w.activities(workflows.ActivityFirstAttempts))
	require.Equal(t, 40, w.activities(workflows.ActivityAttempt))
	require.Equal(t, workflows.StatusFailed, w.status(), "the worst of them")
}

// The sibling's last attempt releases the hanging one: were it delayed by it, both would wait for ever.
func TestHangingReceiverDoesNotDelayItsSiblings(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	release := make(chan struct{})
	w.add("slow", hourly(1), hanging(release, ok))
	w.add("quick", models.RetryPolicy{
		Kind: models.RetryFixed, Interval: models.Duration(20 * time.Millisecond), MaxAttempts: 4,
	}, func(c *models.Claim) models.Result {
		if c.Number == 4 {
			close(release)
		}
		return okAfter(3)(c)
	})

	w.deliver("slow", "quick")

	require.Equal(t, models.StatusSucceeded, w.gate.read("slow").status)
	require.Equal(t, models.StatusSucceeded, w.gate.read("quick").status)
	require.Equal(t, 1, w.receiver.requests("slow"), "the activity joins the request in flight")
}

func TestNotBeforeIsWaitedForByTheActivity(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add("a", hourly(2), ok)
	w.gate.rows["a"].next = w.start.Add(36 * time.Hour)

	w.deliver("a")

	require.Equal(t, []time.Duration{36 * time.Hour}, w.starts("a"))
	require.Equal(t, workflows.StatusSucceeded, w.status())
}

func TestInvocationHeldByAnotherWorkerIsAskedForEachSecond(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add("a", hourly(2), ok)
	w.gate.rows["a"].token, w.gate.rows["a"].owner = "token of another", "another"
	asked := 0
	w.gate.asked = func(models.Gate) {
		if asked++; asked == 5 { // the other worker settles
			r := w.gate.rows["a"]
			r.token, r.status = "", models.StatusSucceeded
		}
	}

	w.deliver("a")

	require.Equal(t, 4*time.Second, w.endedAfter) // the first two asked at once
	require.Equal(t, 6, asked)
	require.Zero(t, w.receiver.requests("a"))
}

func TestParkedInvocationClosesTheWorkflow(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add("first", hourly(2), ok)
	w.add("later", hourly(2), unavailable)
	w.gate.rows["first"].parked = true
	w.after(time.Minute, func() { w.gate.change("later", func(r *row) { r.parked = true }) })

	w.deliver("first", "later")

	require.Equal(t, time.Hour, w.endedAfter)
	require.Zero(t, w.receiver.requests("first"))
	require.Equal(t, 1, w.receiver.requests("later"))
	require.Equal(t, workflows.StatusParked, w.status())
}

func TestClosedAndErasedInvocationsAreNotSent(t *testing.T) {
	t.Parallel()
	for _, status := range []models.InvocationStatus{
		models.StatusSucceeded, models.StatusFailed, models.StatusCancelled, models.StatusAbandoned, "",
	} {
		t.Run(string(status), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.add("a", hourly(2), ok)
			w.gate.rows["a"].status = status
			want := string(status)
			if status == models.StatusAbandoned || status == "" {
				want = workflows.StatusCancelled
			}
			if status == "" {
				delete(w.gate.rows, "a")
			}

			w.deliver("a")

			require.Empty(t, w.receiver.sent)
			require.Equal(t, want, w.status())
		})
	}
}

func TestErasedDuringBackoffEndsTheWait(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add("a", hourly(5), unavailable)
	w.after(time.Minute, func() {
		w.gate.mu.Lock()
		defer w.gate.mu.Unlock()
		delete(w.gate.rows, "a")
	})

	w.deliver("a")

	require.Equal(t, time.Hour, w.endedAfter)
	require.Equal(t, 1, w.receiver.requests("a"))
	require.Equal(t, workflows.StatusCancelled, w.status())
}

func TestFailedFirstAttemptsAreMadeUpForByActivities(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add("a", hourly(2), ok)
	w.add("b", hourly(2), okAfter(1))
	failed := false
	w.gate.fail = func(string) error {
		if failed {
			return nil
		}
		failed = true
		return errors.New("no connection")
	}

	w.deliver("a", "b")

	require.Equal(t, []time.Duration{0}, w.starts("a"))
	require.Equal(t, []time.Duration{0, time.Hour}, w.starts("b"))
	require.Equal(t, workflows.StatusSucceeded, w.status())
}

func TestDatabaseOutageUsesUpNoAttempts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add("a", hourly(3), okAfter(2))
	w.gate.fail = func(string) error {
		if w.env.Now().Before(w.start.Add(20 * time.Minute)) {
			return errors.New("no connection")
		}
		return nil
	}

	w.deliver("a")

	first := 20 * time.Minute
	require.Equal(t, []time.Duration{first, first + time.Hour, first + 2*time.Hour}, w.starts("a"))
	require.Equal(t, workflows.StatusSucceeded, w.status())
}

func TestUnsearchableSetsNoSearchAttributes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add("a", hourly(2), unavailable)

	w.run(workflows.DeliverInput{Invocations: []string{"a"}, Unsearchable: true})

	require.Equal(t, models.StatusFailed, w.gate.read("a").status)
	require.Empty(t, w.shown)
}
