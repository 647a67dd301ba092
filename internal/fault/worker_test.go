package fault_test

import (
	"net/http"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// holdFirst makes the receiver hold each delivery's first request and take the others.
func holdFirst(_ delivery, before int) behaviour {
	return behaviour{status: http.StatusOK, hold: before == 0}
}

// oneSender leaves the deployment with one process that sends, which it returns, and another to take over: the same
// one started anew where there is no other.
func (d *deployment) oneSender(t *testing.T) (sender, heir *process) {
	t.Helper()
	if d.embedded != nil {
		return d.embedded, d.embedded
	}
	_, err := d.workers[1].stop(patience)
	require.NoError(t, err)
	return d.workers[0], d.workers[1]
}

func TestF04_KilledWhileTheReceiverHoldsTheRequest(t *testing.T) {
	onEach(t, func(t *testing.T, d *deployment) {
		l := newLoad(t, d, loadOf{timeout: "30s"})
		l.receiver.behaves(holdFirst)
		sender, heir := d.oneSender(t)
		published, err := l.publisher.publish(t.Context(), 0, kind(0))
		require.NoError(t, err)
		l.receiver.awaitHeld(t, 1)
		<-time.After(1100 * time.Millisecond) // the next attempt's time stamp differs
		require.NoError(t, sender.kill())
		require.NoError(t, d.run(heir))
		l.receiver.awaitDelivered(t, 1, patience)
		took := time.Since(heir.started)
		d.mend(t)

		f := l.check(t)
		require.Equal(t, 1, f.interrupted, "the attempt that was cut is on record")
		got := l.receiver.requests(delivery{published.ID, published.Invocations[0].SubscriptionID})
		require.Len(t, got, 2)
		require.Greater(t, got[1].sent, got[0].sent, "a new attempt has a new time stamp")
		t.Logf("taken over %s after the next sender was spawned", took.Round(time.Millisecond))
	})
}

func TestF08_SIGTERMDuringDeliveries(t *testing.T) {
	onEach(t, func(t *testing.T, d *deployment) {
		const events = 40
		l := newLoad(t, d, loadOf{})
		l.receiver.behaves(func(delivery, int) behaviour {
			return behaviour{status: http.StatusOK, after: 400 * time.Millisecond}
		})
		sender, heir := d.oneSender(t)
		l.publisher.many(t, 0, events, 8, kind(0))
		requests, delivered, _ := l.receiver.counts()
		require.Greater(t, requests, delivered, "nothing was in flight")
		took, err := sender.stop(patience)
		require.NoError(t, err)
		require.NoError(t, d.run(heir))
		l.receiver.awaitDelivered(t, events, patience)
		d.mend(t)

		f := l.check(t)
		require.Zero(t, f.duplicates)
		require.Zero(t, f.interrupted)
		require.Equal(t, events, f.requests)
		t.Logf("%d in flight, stopped in %s", requests-delivered, took.Round(time.Millisecond))
	})
}

func TestF06_EveryWorkerKilledUnderLoad(t *testing.T) {
	d := cluster(t)
	l := newLoad(t, d, loadOf{})
	l.receiver.behaves(flaky(dice(t)))
	l.publisher.many(t, 0, 50, 8, kind(0))
	for _, worker := range d.workers {
		require.NoError(t, worker.kill())
	}
	down := time.Now()
	n := 50
	for ; time.Since(down) < outageOf(time.Minute); n += 10 {
		l.publisher.many(t, n, 10, 4, kind(0))
		<-time.After(200 * time.Millisecond)
	}
	require.Zero(t, l.publisher.unsure, "the API needs no worker")
	require.Less(t, l.publisher.slowest, 5*time.Second)
	d.mend(t)
	took := l.receiver.awaitDelivered(t, n, patience+outageOf(time.Minute))
	l.check(t)
	t.Logf("%d events published in the outage, drained in %s", n-50, took.Round(time.Millisecond))
}

func TestF09_AStoppedWorkerReturns(t *testing.T) {
	d := cluster(t)
	l := newLoad(t, d, loadOf{timeout: "30s"})
	l.receiver.behaves(holdFirst)
	zombie, heir := d.oneSender(t)
	published, err := l.publisher.publish(t.Context(), 0, kind(0))
	require.NoError(t, err)
	l.receiver.awaitHeld(t, 1)
	require.NoError(t, zombie.signal(syscall.SIGSTOP))
	require.NoError(t, d.run(heir))
	stopped := time.Now()
	l.receiver.awaitDelivered(t, 1, patience)
	l.ended(t)
	<-time.After(outageOf(time.Minute) - time.Since(stopped))
	l.receiver.release() // the zombie's own request is answered 200 at last
	require.NoError(t, zombie.signal(syscall.SIGCONT))
	require.Eventually(t, func() bool {
		has, err := zombie.logHas("kept=false")
		return err == nil && has
	}, patience, 50*time.Millisecond, "the zombie did not come back with its answer")

	f := l.check(t)
	require.Equal(t, 1, f.interrupted)
	log := list[attempt](t, d.client, "/v1/invocations/"+published.Invocations[0].ID+"/logs?limit=500")
	require.Len(t, log, 2, "the late answer is not counted again: %+v", log)
}
