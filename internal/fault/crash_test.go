package fault_test

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestF05_KilledAfterTheReceiverTookItBeforeThatIsOnRecord(t *testing.T) {
	onEach(t, func(t *testing.T, d *deployment) {
		f := crash(t, d, "attempt-sent:10", "none")
		require.GreaterOrEqual(t, f.duplicates, 1, "the fault did not fire where it should")
		require.LessOrEqual(t, f.duplicates, f.interrupted)
	})
}

// crash has the one sender of a deployment die at a failpoint, under load, and checks what follows.
func crash(t *testing.T, d *deployment, failpoint, ordering string) findings {
	t.Helper()
	const events = 40
	l := newLoad(t, d, loadOf{ordering: ordering, subscriptions: 4})
	sender, heir := d.oneSender(t)
	d.arm(t, sender, failpoint)
	var publishing sync.WaitGroup
	publishing.Go(func() {
		for n := range 4 {
			l.publisher.many(t, n*events/4, events/4, 4, kind(n))
		}
	})
	require.NoError(t, sender.diesBySelf(patience))
	require.NoError(t, d.run(heir))
	publishing.Wait()
	took := l.receiver.awaitDelivered(t, events, patience)
	d.mend(t)
	f := l.check(t)
	t.Logf("drained in %s", took.Round(time.Millisecond))
	return f
}
