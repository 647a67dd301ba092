package fault_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestF15_TemporalRestarted(t *testing.T) {
	d := cluster(t)
	const events = 60
	l := newLoad(t, d, loadOf{})
	l.receiver.behaves(flaky(dice(t)))
	l.publisher.many(t, 0, events, 8, kind(0))
	require.NoError(t, d.temporal.Kill())
	l.publisher.many(t, events, events, 8, kind(0))
	require.Zero(t, l.publisher.unsure, "publishing needs no Temporal")
	require.Less(t, l.publisher.slowest, 5*time.Second)
	<-time.After(outageOf(5 * time.Second))
	require.NoError(t, d.run(d.temporal))
	took := l.receiver.awaitDelivered(t, 2*events, patience)
	f := l.check(t)
	require.Zero(t, f.interrupted, "no worker died")
	t.Logf("drained %s after Temporal ran again", took.Round(time.Millisecond))
}
