//go:build fault

package fault_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestF21_OneDeliveryReplayedAtOnceOnTwoWorkers(t *testing.T) {
	d := cluster(t)
	const replays = 20
	l := newLoad(t, d, loadOf{})
	published, err := l.publisher.publish(t.Context(), 0, kind(0))
	require.NoError(t, err)
	l.receiver.awaitDelivered(t, 1, patience)
	id, one := published.Invocations[0].ID, delivery{published.ID, published.Invocations[0].SubscriptionID}
	l.ended(t)
	l.receiver.behaves(func(delivery, int) behaviour { return behaviour{status: 200, after: 100 * time.Millisecond} })
	var group sync.WaitGroup
	for n := range replays {
		group.Go(func() {
			url := d.apis[n%len(d.apis)].url
			a, err := d.client.askAt(t.Context(), url, http.MethodPost, "/v1/invocations/"+id+"/redeliver", []byte(`{}`))
			if err != nil || a.status != http.StatusAccepted {
				t.Errorf("redeliver: %v, %d %s", err, a.status, a.body)
			}
		})
	}
	group.Wait()
	require.Eventually(t, func() bool { return len(l.receiver.requests(one)) > replays/4 }, patience, 5*time.Millisecond)
	busier := d.workers[0] // one would make them all: they follow each other in one workflow
	if d.workers[1].redelivered(t, id) > busier.redelivered(t, id) {
		busier = d.workers[1]
	}
	_, err = busier.stop()
	require.NoError(t, err)
	var log []attempt
	require.Eventually(t, func() bool {
		log = list[attempt](t, d.client, "/v1/invocations/"+id+"/logs?limit=500")
		return len(log) == replays+1
	}, patience, 50*time.Millisecond, "a replay was lost")
	for n, a := range log {
		require.Equal(t, n+1, a.Number)
		require.Equal(t, n > 0, a.Trigger == "redeliver")
	}
	require.Len(t, l.receiver.requests(one), replays+1)
	require.NoError(t, d.run(busier))
	total := 0
	for _, worker := range d.workers {
		made := worker.redelivered(t, id)
		t.Logf("%s made %d of the attempts", worker.Name, made)
		require.Positive(t, made, "%s made none of the attempts", worker.Name)
		total += made
	}
	require.Equal(t, replays, total, "each is in the log of one worker, once")
}

// redelivered is how many redeliveries of the invocation the process made: its log has a line of each attempt.
func (p *process) redelivered(t *testing.T, invocation string) int {
	t.Helper()
	log, err := os.ReadFile(p.Log)
	require.NoError(t, err)
	attempts := regexp.MustCompile(`msg=attempt .*invocation_id=` + invocation + ` .*kind=redelivery`)
	return len(attempts.FindAll(log, -1))
}

func TestRollingRestartsFailNoRequestAndDoubleNoDelivery(t *testing.T) {
	d := cluster(t)
	loads := queuedLoads(t, d)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	stop := make(chan struct{})
	var publishing sync.WaitGroup
	counts := make([]int, len(loads))
	failed := d.client.failed.Load()
	for at, l := range loads {
		publishing.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					counts[at] = n
					return
				case <-time.After(10 * time.Millisecond):
				}
				if _, err := l.publisher.publish(ctx, n, kind(n%4)); err != nil {
					t.Errorf("publish: %v", err)
					return
				}
			}
		})
	}
	restarts := 0
	for range rollingRounds {
		for n := range d.apis {
			for _, p := range []*process{d.apis[n], d.workers[n]} {
				_, err := p.stop()
				require.NoError(t, err)
				require.NoError(t, d.run(p))
				restarts++
			}
		}
	}
	close(stop)
	publishing.Wait()
	require.Equal(t, failed, d.client.failed.Load(), "requests failed")
	for at, l := range loads {
		require.Zero(t, l.publisher.unsure)
		l.receiver.awaitDelivered(t, counts[at], patience)
		f := l.check(t)
		require.Zero(t, f.duplicates)
		require.Zero(t, f.interrupted)
		require.Equal(t, counts[at], f.requests)
	}
	t.Log(fmt.Sprintf("%d restarts under load, %d events", restarts, counts[0]+counts[1]))
}

// rollingRounds is how often every API and every worker is restarted.
const rollingRounds = 5

func TestF06_EveryWorkerKilledUnderLoad(t *testing.T) {
	d := cluster(t)
	l := newLoad(t, d, loadOf{})
	l.receiver.behaves(flaky(dice(t)))
	l.publisher.many(t, 0, 50, 8, kind(0))
	for _, worker := range d.workers {
		require.NoError(t, worker.Kill())
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

// The zombie's late answer is a refusal, so that it would be seen if it were stored: its own settlement would make the
// delivered invocation one that is retried.
func TestF09_AStoppedWorkerReturns(t *testing.T) {
	d := cluster(t)
	l := newLoad(t, d, loadOf{timeout: "60s"}) // longer than it is stopped: it is to come back with an answer
	l.receiver.behaves(func(_ delivery, before int) behaviour {
		if before == 0 {
			return behaviour{status: http.StatusInternalServerError, hold: true}
		}
		return behaviour{status: http.StatusOK}
	})
	zombie, heir := d.oneSender(t)
	published, err := l.publisher.publish(t.Context(), 0, kind(0))
	require.NoError(t, err)
	l.receiver.awaitHeld(t, 1)
	require.NoError(t, zombie.Signal(syscall.SIGSTOP))
	require.NoError(t, d.run(heir))
	stopped := time.Now()
	l.receiver.awaitDelivered(t, 1, patience)
	l.ended(t)
	<-time.After(outageOf(30*time.Second) - time.Since(stopped))
	l.receiver.release() // the zombie's own request is answered 500 at last
	require.NoError(t, zombie.Signal(syscall.SIGCONT))
	require.Eventually(t, func() bool {
		has, err := zombie.logHas("status=retrying kept=false")
		return err == nil && has
	}, patience, 50*time.Millisecond, "the zombie did not come back with its answer")
	<-time.After(3 * l.interval) // a retry that the late answer had set would have come

	f := l.check(t)
	require.Equal(t, []int{2, 0, 1}, []int{f.requests, f.duplicates, f.interrupted})
	id := published.Invocations[0].ID
	require.Equal(t, "succeeded", d.client.call(t, "GET", "/v1/invocations/"+id, "", 200)["status"], "the late answer was stored")
	sent := l.receiver.requests(delivery{published.ID, published.Invocations[0].SubscriptionID})
	require.Equal(t, []int{500, 200}, []int{sent[0].status, sent[1].status}, "the zombie's request had another answer")
	log := list[attempt](t, d.client, "/v1/invocations/"+id+"/logs?limit=500")
	require.Len(t, log, 2, "the late answer is not counted again: %+v", log)
	require.True(t, log[0].interrupted(), "%+v", log[0])
	require.Nil(t, log[0].StatusCode, "the late answer is on record nowhere")
	require.Equal(t, "succeeded", log[1].Outcome)
	require.Equal(t, 200, *log[1].StatusCode)
}
