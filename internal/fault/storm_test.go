package fault_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// storm is a load that goes on while processes are killed: unordered and FIFO subscriptions of several applications,
// published to from several clients.
type storm struct {
	d        *deployment
	loads    []*load
	receiver *receiver
	dice     *rand.Rand
	events   int
	// next numbers the events of each load.
	next []atomic.Int64
	// accepted counts the events of each load that were answered 202.
	accepted []atomic.Int64
	kills    map[string]int
	began    time.Time
}

// victim is a process that a storm may kill.
type victim struct {
	kind          string
	kill, restart func() error
}

const (
	// stormBatch is how many events a request publishes at most.
	stormBatch      = 100
	stormPublishers = 4
)

func newStorm(t *testing.T, d *deployment, events int) *storm {
	t.Helper()
	s := &storm{d: d, dice: dice(t), receiver: newReceiver(t), events: events, kills: map[string]int{}}
	for _, o := range []loadOf{
		{subscriptions: 8},
		{subscriptions: 8},
		{subscriptions: 16, ordering: "fifo"},
		{subscriptions: 16, ordering: "fifo"},
		{subscriptions: 16, ordering: "fifo"},
	} {
		o.receiver = s.receiver
		s.loads = append(s.loads, newLoad(t, d, o))
	}
	s.next, s.accepted = make([]atomic.Int64, len(s.loads)), make([]atomic.Int64, len(s.loads))
	s.receiver.behaves(flaky(rand.New(rand.NewPCG(seed(), 1))))
	return s
}

// publish publishes until enough is accepted and stop is closed.
func (s *storm) publish(ctx context.Context, stop <-chan struct{}) error {
	var group sync.WaitGroup
	failures := make(chan error, stormPublishers)
	for n := range stormPublishers {
		own := rand.New(rand.NewPCG(seed(), uint64(n)+2))
		group.Go(func() {
			for !s.enough(stop) {
				if err := s.publishSome(ctx, own); err != nil {
					failures <- err
					return
				}
			}
		})
	}
	group.Wait()
	close(failures)
	return <-failures
}

func (s *storm) enough(stop <-chan struct{}) bool {
	select {
	case <-stop:
		return s.total() >= s.events
	default:
		return false
	}
}

func (s *storm) total() int {
	sum := 0
	for i := range s.accepted {
		sum += int(s.accepted[i].Load())
	}
	return sum
}

// room is an application that has room for more, by the dice.
func (s *storm) room(ctx context.Context, own *rand.Rand) (int, error) {
	for {
		at := own.IntN(len(s.loads))
		if int(s.accepted[at].Load())-s.receiver.deliveredOf(s.loads[at].app) < stormWindow {
			return at, nil
		}
		select {
		case <-ctx.Done():
			return 0, fmt.Errorf("nothing is delivered any more: %w", ctx.Err())
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// publishSome publishes one batch of one application, or a single event, once there is room.
func (s *storm) publishSome(ctx context.Context, own *rand.Rand) error {
	at, err := s.room(ctx, own)
	if err != nil {
		return err
	}
	l := s.loads[at]
	count := 1
	if own.IntN(10) > 0 {
		count += own.IntN(stormBatch)
	}
	kinds := make([]string, count)
	for i := range kinds {
		kinds[i] = kind(own.IntN(len(l.secrets)))
	}
	first := int(s.next[at].Add(int64(count))) - count
	if count == 1 {
		_, err = l.publisher.publish(ctx, first, kinds[0])
	} else {
		err = l.publisher.batch(ctx, first, kinds)
	}
	if err == nil {
		s.accepted[at].Add(int64(count))
	}
	return err
}

// victims are all that may be killed.
func (s *storm) victims() []victim {
	var list []victim
	for _, p := range s.d.processes() {
		list = append(list, victim{p.kind, func() error { return p.Kill() }, func() error { return s.d.run(p) }})
	}
	if s.d.postgres != nil {
		list = append(list, victim{"postgres", s.d.postgres.Kill, s.d.postgres.Start})
	}
	return list
}

// rage kills a random process again and again and starts it anew at once, until enough were killed and accepted.
func (s *storm) rage(t *testing.T, kills int, every time.Duration) {
	t.Helper()
	victims := s.victims()
	for n := 0; n < kills || s.total() < s.events; n++ {
		next := time.Now().Add(every + time.Duration(s.dice.IntN(200)-100)*every/1000)
		for _, p := range s.d.processes() {
			require.True(t, p.runs(), "%s has ended by itself; the end of its log:\n%s", p.Name, p.Tail())
		}
		v := victims[s.dice.IntN(len(victims))]
		require.NoError(t, v.kill(), "the fault did not fire")
		s.kills[v.kind]++
		require.NoError(t, v.restart())
		if n%10 == 9 {
			_, delivered, _ := s.receiver.counts()
			t.Logf("%s: %d kills, %d accepted, %d delivered", time.Since(s.began).Round(time.Second), n+1, s.total(), delivered)
		}
		<-time.After(time.Until(next))
	}
}

// blow runs the storm: kills of the number given at least, and until enough is accepted; then everything drains and
// is judged.
func (s *storm) blow(t *testing.T, kills int, every time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	s.began = time.Now()
	stop, published := make(chan struct{}), make(chan error, 1)
	go func() { published <- s.publish(ctx, stop) }()
	s.rage(t, kills, every)
	close(stop)
	require.NoError(t, <-published)
	took := time.Since(s.began)
	drained := s.receiver.awaitDelivered(t, s.total(), 5*time.Minute)
	s.judge(t, took, drained)
}

// unlike is true for a delivery that was not one request and one attempt, and for one of fifty others.
func (s *storm) unlike(i invocation, requests []request) bool {
	return len(requests) != 1 || i.Attempts != 1 || s.dice.IntN(50) == 0
}

func (s *storm) judge(t *testing.T, took, drained time.Duration) {
	t.Helper()
	var sum findings
	for _, l := range s.loads {
		l.ended(t)
		f := l.find(t, s.unlike)
		sum.accepted += f.accepted
		sum.deliveries += f.deliveries
		sum.requests += f.requests
		sum.lost += f.lost
		sum.unaccounted += f.unaccounted
		sum.duplicates += f.duplicates
		sum.interrupted += f.interrupted
		sum.faults = append(sum.faults, f.faults...)
		l.checkHeld(t)
		l.checkLogs(t)
	}
	t.Log(s.table(sum, took, drained))
	require.Empty(t, sum.faults, "the logs are in %s", s.d.dir)
	require.Zero(t, sum.lost)
	require.Zero(t, sum.unaccounted)
	require.LessOrEqual(t, sum.duplicates, sum.interrupted)
	require.GreaterOrEqual(t, sum.accepted, s.events)
}

// table is the storm's figures, as docs/reliability.md has them.
func (s *storm) table(f findings, took, drained time.Duration) string {
	var kills []string
	total := 0
	for _, kind := range []string{"dev", "api", "worker", "temporal", "postgres"} {
		if n := s.kills[kind]; n > 0 {
			kills = append(kills, fmt.Sprintf("%s %d", kind, n))
			total += n
		}
	}
	return fmt.Sprintf("seed %d\n"+
		"| events accepted | kills | requests | interrupted attempts | duplicates (bound: interrupted) | lost | unaccounted | time | drained in |\n"+
		"| --- | --- | --- | --- | --- | --- | --- | --- | --- |\n"+
		"| %d | %d: %s | %d | %d | %d | %d | %d | %s | %s |",
		seed(), f.accepted, total, strings.Join(kills, ", "), f.requests, f.interrupted, f.duplicates, f.lost, f.unaccounted,
		took.Round(time.Second), drained.Round(time.Millisecond))
}

func TestF07_StormCluster(t *testing.T) {
	d := deploy(t, shape{apis: 2, workers: 2, logLevel: "info"})
	s := newStorm(t, d, number(t, "POSTHORN_FAULT_STORM_EVENTS", stormEvents))
	s.blow(t, number(t, "POSTHORN_FAULT_STORM_KILLS", stormKillsCluster), 3500*time.Millisecond)
}
