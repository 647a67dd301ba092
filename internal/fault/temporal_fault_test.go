//go:build fault

package fault_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestF16_TemporalUnreachable(t *testing.T) {
	d := cluster(t)
	l := newLoad(t, d, loadOf{})
	l.publisher.many(t, 0, 20, 4, kind(0))
	l.receiver.awaitDelivered(t, 20, patience)
	d.toTemporal.refuse()
	began, n := time.Now(), 20
	for ; time.Since(began) < outageOf(10*time.Minute); n += 10 {
		l.publisher.many(t, n, 10, 4, kind(0))
		<-time.After(200 * time.Millisecond)
	}
	require.Zero(t, l.publisher.unsure, "publishing needs no Temporal")
	require.Less(t, l.publisher.slowest, 5*time.Second)
	var depth, age float64
	require.Eventually(t, func() bool { // they are read every 15 s
		depth, age = d.waiting(t)
		return depth > 0 && age > 0
	}, patience, time.Second, "the metrics do not tell that nothing is dispatched")
	_, delivered, _ := l.receiver.counts()
	require.Less(t, delivered, n, "the fault did not fire")
	d.toTemporal.heal()
	took := l.receiver.awaitDelivered(t, n, patience+2*outageOf(10*time.Minute))
	f := l.check(t)
	require.Zero(t, f.duplicates)
	require.Equal(t, n, f.requests)
	require.Eventually(t, func() bool { depth, _ := d.waiting(t); return depth == 0 }, patience, time.Second)
	t.Logf("%d events published in the outage of %s, %.0f of them shown as waiting; drained in %s",
		n-20, outageOf(10*time.Minute), depth, took.Round(time.Millisecond))
}

// waiting is how many invocations the metrics show as not handed to Temporal, and since when the oldest is, in seconds.
func (d *deployment) waiting(t *testing.T) (depth, age float64) {
	t.Helper()
	metrics := string(d.client.raw(t, "/metrics"))
	return metric(t, metrics, "posthorn_undispatched"), metric(t, metrics, "posthorn_undispatched_age_seconds")
}

func TestF18_LineBetweenWorkersAndTemporalCut(t *testing.T) {
	d := cluster(t)
	const events = 30
	l := newLoad(t, d, loadOf{subscriptions: 2})
	l.receiver.behaves(flaky(dice(t)))
	slow := newLoad(t, d, loadOf{interval: time.Second})
	slow.receiver.behaves(func(_ delivery, before int) behaviour {
		return behaviour{status: map[bool]int{true: 503, false: 200}[before < 3]}
	})
	slow.publisher.many(t, 0, events, 4, kind(0))
	before := d.toTemporal.cuts.Load()
	published := make(chan struct{})
	go func() {
		defer close(published)
		l.publisher.many(t, 0, events, 4, kind(0))
	}()
	for range 3 { // cut, and then gone
		d.toTemporal.cut()
		<-time.After(300 * time.Millisecond)
	}
	d.toTemporal.refuse()
	<-published
	l.publisher.many(t, events, events, 4, kind(1))
	<-time.After(outageOf(2 * time.Minute))
	require.Greater(t, d.toTemporal.cuts.Load(), before, "the fault did not fire")
	d.toTemporal.heal()
	took := l.receiver.awaitDelivered(t, 2*events, patience)
	slow.receiver.awaitDelivered(t, events, patience)
	for _, l := range []*load{l, slow} {
		f := l.check(t)
		require.Zero(t, f.interrupted, "no worker died")
		require.Zero(t, f.duplicates)
	}
	t.Logf("%d connections cut; drained in %s", d.toTemporal.cuts.Load()-before, took.Round(time.Millisecond))
}

func TestF17_TemporalHistoryLost(t *testing.T) {
	d := deploy(t, shape{apis: 1, workers: 1})
	const events = 20
	l := newLoad(t, d, loadOf{interval: time.Second, subscriptions: 2})
	queue := newLoad(t, d, loadOf{ordering: "fifo", receiver: l.receiver})
	l.receiver.behaves(func(delivery, int) behaviour { return behaviour{status: 503} })
	l.publisher.many(t, 0, events, 4, kind(0))
	queue.publisher.many(t, 0, events, 1, kind(0))
	require.NoError(t, d.temporal.Kill())
	l.publisher.many(t, events, events, 4, kind(1))
	require.NoError(t, os.RemoveAll(filepath.Join(d.dir, "temporal")))
	require.NoError(t, d.run(d.temporal))
	l.receiver.behaves(func(delivery, int) behaviour { return behaviour{status: 200} })
	if !full() { // its worker finds out when it starts; one that goes on leaves it to the reconciler
		require.NoError(t, d.workers[0].Kill())
		require.NoError(t, d.run(d.workers[0]))
	}
	took := l.receiver.awaitDelivered(t, 3*events, patience)
	l.check(t)
	queue.check(t)
	t.Logf("drained in %s", took.Round(time.Millisecond))
}

// Of the embedded mode the server and the workers go together: what is left is Posthorn's own database.
func TestF17_TemporalHistoryLostOfDev(t *testing.T) {
	d := deploy(t, shape{})
	const events = 20
	l := newLoad(t, d, loadOf{interval: time.Second})
	queue := newLoad(t, d, loadOf{ordering: "fifo", receiver: l.receiver})
	l.receiver.behaves(func(delivery, int) behaviour { return behaviour{status: 503} })
	l.publisher.many(t, 0, events, 4, kind(0))
	queue.publisher.many(t, 0, events, 1, kind(0))
	require.NoError(t, d.embedded.Kill())
	histories, err := filepath.Glob(filepath.Join(d.dir, "data", "temporal-*"))
	require.NoError(t, err)
	require.NotEmpty(t, histories, "there is nothing to lose")
	for _, file := range histories {
		require.NoError(t, os.Remove(file))
	}
	_, delivered, _ := l.receiver.counts()
	require.Zero(t, delivered)
	l.receiver.behaves(func(delivery, int) behaviour { return behaviour{status: 200} })
	require.NoError(t, d.run(d.embedded))
	took := l.receiver.awaitDelivered(t, 2*events, patience)
	l.check(t)
	queue.check(t)
	t.Logf("drained in %s", took.Round(time.Millisecond))
}
