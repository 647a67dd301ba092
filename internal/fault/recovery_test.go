package fault_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// recoveryLimit is how long after the spawn of a killed process's successor a new event is delivered, and everything
// that was interrupted is under way again.
const recoveryLimit = 5 * time.Second

// holdEither makes the receiver hold what it gets first of half of the deliveries, a first attempt, and what it gets
// second of the others, a retry.
func holdEither() func(delivery, int) behaviour {
	retried := map[delivery]bool{}
	next := false
	return func(d delivery, before int) behaviour {
		if before == 0 {
			next = !next
			retried[d] = next
		}
		switch {
		case retried[d] && before == 0:
			return behaviour{status: http.StatusServiceUnavailable}
		case before == 0, retried[d] && before == 1:
			return behaviour{status: http.StatusOK, hold: true}
		default:
			return behaviour{status: http.StatusOK}
		}
	}
}

func TestRecoveryAfterKillOfAnyProcess(t *testing.T) {
	victims := map[string]func(t *testing.T) (*deployment, victim){
		"embedded": func(t *testing.T) (*deployment, victim) {
			d := embedded(t)
			return d, victim{"dev", func() error { return d.embedded.Kill() }, func() error { return d.embedded.start() }}
		},
	}
	for _, kind := range []string{"api", "worker", "temporal", "postgres"} {
		victims[kind] = func(t *testing.T) (*deployment, victim) {
			d := cluster(t)
			return d, d.victim(kind)
		}
	}
	for _, name := range recovering() {
		t.Run(name, func(t *testing.T) {
			d, v := victims[name](t)
			for range recoveries {
				killAndMeasure(t, d, v)
			}
		})
	}
}

func (d *deployment) victim(kind string) victim {
	p := map[string]*process{"api": d.apis[0], "worker": d.workers[0], "temporal": d.temporal}[kind]
	if p == nil {
		return victim{kind, d.postgres.Kill, d.postgres.Start}
	}
	return victim{kind, func() error { return p.Kill() }, func() error { return p.start() }}
}

// killAndMeasure kills a process with attempts in flight, starts it anew at once, and measures.
func killAndMeasure(t *testing.T, d *deployment, v victim) {
	t.Helper()
	const held = 20
	l := newLoad(t, d, loadOf{timeout: "30s"})
	fresh := newLoad(t, d, loadOf{})
	l.receiver.behaves(holdEither())
	l.publisher.many(t, 0, held, 4, kind(0))
	l.receiver.awaitHeld(t, held)
	<-time.After(1200 * time.Millisecond) // so that no workflow task is open any more: the worst case of a first attempt

	require.NoError(t, v.kill())
	spawned := time.Now()
	require.NoError(t, v.restart())
	published := make(chan error, 1)
	go func() {
		_, err := fresh.publisher.publish(t.Context(), 0, kind(0))
		published <- err
	}()
	fresh.receiver.awaitDelivered(t, 1, patience)
	delivered := time.Since(spawned)
	require.NoError(t, <-published)
	if v.kind != "dev" && v.kind != "worker" {
		l.receiver.release() // nobody who sends was killed: what is in flight is settled
	}
	cut, again := l.receiver.cuts()
	for again < cut {
		require.Less(t, time.Since(spawned), patience, "%d of %d interrupted attempts were taken over", again, cut)
		<-time.After(5 * time.Millisecond)
		cut, again = l.receiver.cuts()
	}
	taken := time.Since(spawned)
	if v.kind == "dev" || v.kind == "worker" {
		require.Positive(t, cut, "nothing was interrupted")
	} else {
		require.Zero(t, cut, "a sender was disturbed")
	}
	l.receiver.release()
	d.ready(t)
	f := l.check(t)
	require.Equal(t, cut, f.interrupted)
	fresh.check(t)
	t.Logf("after the spawn: a new event was delivered in %s; %d interrupted attempts, taken over in %s",
		delivered.Round(time.Millisecond), cut, taken.Round(time.Millisecond))
	require.LessOrEqual(t, delivered, recoveryLimit)
	if cut > 0 {
		require.LessOrEqual(t, taken, recoveryLimit)
	}
}
