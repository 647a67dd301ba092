package fault_test

import (
	"net/http"
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
	_, err := d.workers[1].stop()
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
		require.NoError(t, sender.Kill())
		require.NoError(t, d.run(heir))
		l.receiver.awaitDelivered(t, 1, patience)
		took := time.Since(heir.Started)
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
		var requests, delivered int
		require.Eventually(t, func() bool {
			requests, delivered, _ = l.receiver.counts()
			return requests > delivered
		}, patience, time.Millisecond, "nothing was in flight")
		took, err := sender.stop()
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
