//go:build fault

package fault_test

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

func TestF12_DatabaseSlow(t *testing.T) {
	d := cluster(t)
	const clients = 50
	l := newLoad(t, d, loadOf{})
	l.publisher.many(t, 0, 20, 4, kind(0))
	l.receiver.awaitDelivered(t, 20, patience)
	before := metric(t, string(d.client.raw(t, "/metrics")), "go_goroutines")
	held := d.toPostgres.held.Load()
	d.toPostgres.slowDown(2 * time.Second)
	began := time.Now()
	healed := time.AfterFunc(outageOf(time.Minute), d.toPostgres.heal)
	defer healed.Stop()
	l.publisher.many(t, 20, clients, clients, kind(0))
	require.Greater(t, d.toPostgres.held.Load(), held, "the fault did not fire")
	require.GreaterOrEqual(t, time.Since(began), 2*time.Second)
	require.Less(t, l.publisher.slowest, 28*time.Second, "an answer took longer than the API's own deadline")
	require.Zero(t, l.publisher.unadvised, "503 without Retry-After")
	l.receiver.awaitDelivered(t, 20+clients, patience)
	l.check(t)
	require.Eventually(t, func() bool {
		return metric(t, string(d.client.raw(t, "/metrics")), "go_goroutines") <= before+100
	}, patience, 100*time.Millisecond, "goroutines pile up")
	t.Logf("the slowest answer took %s; %d answers 503", l.publisher.slowest.Round(time.Millisecond), l.publisher.unavailable)
}

func TestF12_NoConnectionLeft(t *testing.T) {
	d := cluster(t)
	const refusals = 40
	l := newLoad(t, d, loadOf{})
	l.publisher.many(t, 0, 20, 4, kind(0))
	others := &guests{url: d.postgres.URL("postgres").String()}
	t.Cleanup(others.leave)
	for refused, asked := 0, 0; refused < refusals; asked++ {
		require.Less(t, asked, 1000, "the fault did not fire")
		d.toPostgres.cut() // whoever has a connection needs a new one
		others.takeAll(t)
		began := time.Now()
		if l.refusedOnce(t) {
			refused++
		}
		require.Less(t, time.Since(began), 28*time.Second, "an answer took longer than the API's own deadline")
	}
	<-time.After(outageOf(10 * time.Second))
	others.leave()
	began := time.Now()
	l.publisher.many(t, 20, 20, 4, kind(0))
	require.Less(t, time.Since(began), 10*time.Second, "the API did not recover")
	l.receiver.awaitDelivered(t, 40, patience)
	f := l.check(t)
	require.Zero(t, f.interrupted, "no worker died, so no attempt was interrupted")
	require.Zero(t, f.duplicates)
}

// guests are other clients of a Postgres server, who leave nothing to us.
type guests struct {
	url   string
	conns []*pgx.Conn
}

// takeAll connects until the server refuses.
func (g *guests) takeAll(t *testing.T) {
	t.Helper()
	for {
		conn, err := pgx.Connect(t.Context(), g.url)
		if err != nil {
			require.ErrorContains(t, err, "53300") // too_many_connections
			return
		}
		g.conns = append(g.conns, conn)
		require.LessOrEqual(t, len(g.conns), 1000, "the server takes any number")
	}
}

func (g *guests) leave() {
	for _, conn := range g.conns {
		_ = conn.Close(context.Background())
	}
	g.conns = nil
}

func TestF10_ConnectionsToTheDatabaseCut(t *testing.T) {
	d := cluster(t)
	const events, cuts = 50, 10
	loads := queuedLoads(t, d)
	dice := dice(t)
	before, began := d.toPostgres.cuts.Load(), time.Now()
	var publishing sync.WaitGroup
	for _, l := range loads {
		for n := range 4 {
			publishing.Go(func() { l.publisher.many(t, n*events, events, 2, kind(n)) })
		}
	}
	for range cuts {
		<-time.After(time.Duration(50+dice.IntN(100)) * time.Millisecond)
		d.toPostgres.truncate(int64(dice.IntN(2000))) // in the middle of an answer, of a commit's as of any
		<-time.After(time.Duration(50+dice.IntN(100)) * time.Millisecond)
		d.toPostgres.cut()
	}
	d.toPostgres.heal()
	publishing.Wait()
	require.Less(t, time.Since(began), time.Minute, "publishers wait for something; the logs are in %s", d.dir)
	require.Greater(t, d.toPostgres.cuts.Load()-before, int64(cuts), "the fault did not fire")
	for _, l := range loads {
		took := l.receiver.awaitDelivered(t, 4*events, patience)
		require.Less(t, took, 30*time.Second, "something waits for a claim that nobody has")
		l.check(t)
		t.Logf("drained in %s; the slowest answer took %s", took.Round(time.Millisecond), l.publisher.slowest)
	}
	t.Logf("%d connections were cut", d.toPostgres.cuts.Load()-before)
}

func TestF11_DatabaseDownWhileRetriesAreDue(t *testing.T) {
	d := cluster(t)
	const events = 30
	l := newLoad(t, d, loadOf{interval: time.Second, attempts: 4, timeout: "60s"})
	l.receiver.behaves(func(_ delivery, before int) behaviour {
		return behaviour{status: map[bool]int{true: 503, false: 200}[before < 2], hold: before == 1}
	})
	l.publisher.many(t, 0, events, 4, kind(0))
	l.receiver.awaitHeld(t, events/3) // some retries are in flight, others are due
	require.NoError(t, d.postgres.Kill())
	<-time.After(outageOf(5*time.Minute) / 2)
	l.receiver.release() // what was in flight ends while nothing can be written down
	<-time.After(max(5*time.Second, outageOf(5*time.Minute)/2))
	require.NoError(t, d.postgres.Start())
	l.receiver.awaitDelivered(t, events, patience)
	f := l.check(t)
	require.Zero(t, f.interrupted, "no worker died, so no attempt was interrupted")
	require.Zero(t, f.duplicates)
	require.Equal(t, 3*events, f.requests, "the outage used up attempts")
}

func TestF13_DatabaseThatTakesNoWrites(t *testing.T) {
	d := cluster(t)
	l := newLoad(t, d, loadOf{})
	l.publisher.many(t, 0, 10, 2, kind(0))
	require.NoError(t, d.postgres.ReadOnly(t.Context(), true))
	t.Cleanup(func() { _ = d.postgres.ReadOnly(context.Background(), false) }) //nolint:usetesting // the test's has ended
	require.Eventually(t, func() bool { return l.refusedOnce(t) }, patience, 20*time.Millisecond, "the fault did not fire")
	for range 20 {
		require.True(t, l.refusedOnce(t), "202 while nothing can be written")
	}
	require.NoError(t, d.postgres.ReadOnly(t.Context(), false))
	l.publisher.many(t, 10, 10, 2, kind(0))
	l.receiver.awaitDelivered(t, 20, patience)
	l.check(t)
}

// refusedOnce publishes an event of no kind and reports whether the answer was 503 with Retry-After.
func (l *load) refusedOnce(t *testing.T) bool {
	t.Helper()
	a, err := l.d.client.ask(t.Context(), http.MethodPost, "/v1/applications/"+l.app+"/events", []byte(`{"type":"none","payload":{}}`))
	require.NoError(t, err)
	return a.status == http.StatusServiceUnavailable && a.header.Get("Retry-After") != ""
}

// metric is the value of a gauge without labels.
func metric(t *testing.T, metrics, name string) float64 {
	t.Helper()
	for line := range strings.Lines(metrics) {
		if text, ok := strings.CutPrefix(line, name+" "); ok {
			value, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
			require.NoError(t, err)
			return value
		}
	}
	require.FailNow(t, "there is no metric "+name)
	return 0
}

// queuedLoads are an unordered load and a FIFO one, for faults that hit both in different ways.
func queuedLoads(t *testing.T, d *deployment) []*load {
	t.Helper()
	unordered := newLoad(t, d, loadOf{subscriptions: 4})
	return []*load{unordered, newLoad(t, d, loadOf{subscriptions: 4, ordering: "fifo"})}
}

// slowDown holds each chunk that a client sends back, until heal.
func (p *proxy) slowDown(delay time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.delay = delay
}
