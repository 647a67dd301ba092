//go:build fault

package app_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/posthorn/posthorn/internal/app"
	"github.com/posthorn/posthorn/internal/config"
	"github.com/posthorn/posthorn/internal/testpg"
)

// The size of a storm: 8 queues of 500 events, from 16 clients.
const stormQueues, stormEvents, stormClients = 8, 500, 16

// killEvery is how long a process lives, from when it answers.
const killEvery = 2 * time.Second

func TestFaultQueuesKeepTheirOrder(t *testing.T) {
	for name, database := range databases(t) {
		t.Run(name, func(t *testing.T) {
			cfg := embedded(t)
			cfg.DatabaseURL = database(t)
			w := start(t, cfg, everything)
			s := newStorm(t, stormQueues, stormEvents, stormClients)
			s.within = 3 * time.Minute
			s.setUp(w)
			began := time.Now()
			s.publish(func() string { return w.url })
			s.requireOrder()
			t.Logf("%.0f deliveries/s", float64(stormQueues*stormEvents)/time.Since(began).Seconds())
		})
	}
}

func TestFaultQueuesKeepTheirOrderThoughTheProcessIsKilled(t *testing.T) {
	dir := t.TempDir()
	w, process := spawn(t, dir, "")
	s := newStorm(t, stormQueues, stormEvents, stormClients)
	s.within = 10 * time.Minute
	s.setUp(w)
	var mu sync.Mutex
	url := w.url
	published := make(chan struct{})
	go func() {
		defer close(published)
		s.publish(func() string { mu.Lock(); defer mu.Unlock(); return url })
	}()
	kills := 0
	for s.missing() > 0 {
		<-time.After(killEvery)
		kill(t, process)
		kills++
		w, process = spawn(t, dir, "")
		mu.Lock()
		url = w.url
		mu.Unlock()
		require.Less(t, kills, 300)
	}
	<-published
	s.requireOrder()
	t.Logf("%d kills", kills)
	require.Greater(t, kills, 5, "the fault did not fire often enough to mean anything")
}

func TestFaultQueuesKeepTheirOrderOnTwoWorkersThatAreKilled(t *testing.T) {
	server := temporalAt(t, t.TempDir(), "127.0.0.1:0")
	t.Cleanup(func() { stopTemporal(t, server) })
	cfg := external(t, testpg.URL(t), server.Address())
	w := start(t, cfg, app.Roles{API: true})
	s := newStorm(t, stormQueues, stormEvents, stormClients)
	s.within = 10 * time.Minute
	s.setUp(w)
	workers := []*exec.Cmd{spawnWorker(t, cfg), spawnWorker(t, cfg)}
	published := make(chan struct{})
	go func() {
		defer close(published)
		s.publish(func() string { return w.url })
	}()
	kills := 0
	for s.missing() > 0 {
		<-time.After(killEvery)
		at := kills % len(workers)
		kill(t, workers[at])
		kills++
		workers[at] = spawnWorker(t, cfg)
		require.Less(t, kills, 300)
	}
	<-published
	s.requireOrder()
	t.Logf("%d kills", kills)
	require.Greater(t, kills, 5, "the fault did not fire often enough to mean anything")
}

func spawnWorker(t *testing.T, cfg config.Config) *exec.Cmd {
	t.Helper()
	encoded, err := json.Marshal(cfg)
	require.NoError(t, err)
	_, cmd := spawnWith(t, "POSTHORN_TEST_CHILD=worker", "POSTHORN_TEST_CHILD_WORKER="+string(encoded))
	return cmd
}

func TestFaultABacklogBehindADeadEndpoint(t *testing.T) {
	const backlog, batch = 50_000, 500
	for name, database := range databases(t) {
		t.Run(name, func(t *testing.T) {
			cfg := embedded(t)
			cfg.DatabaseURL = database(t)
			w := start(t, cfg, everything)
			receiver := newCounting(t)
			application := w.application("standard", `{"ordering":"fifo","retry":{"kind":"fixed","interval":"500ms"}}`)
			sub := w.subscription(application, receiver.URL, nil)["id"].(string)
			var took []time.Duration
			for from := 0; from < backlog; from += batch {
				events := make([]string, 0, batch)
				for n := from; n < from+batch; n++ {
					events = append(events, fmt.Sprintf(`{"type":"a.b","payload":{"n":%d}}`, n))
				}
				began := time.Now()
				w.call("POST", "/v1/applications/"+application+"/events/batch", `{"events":[`+strings.Join(events, ",")+`]}`, 202)
				took = append(took, time.Since(began))
			}
			tenth := len(took) / 10
			first, last := sum(took[:tenth]), sum(took[len(took)-tenth:])
			t.Logf("publishing the first 5,000 took %s, the last 5,000 took %s", first, last)
			require.Less(t, last, 2*first+time.Second, "a backlog slows publishing down")
			require.Eventually(t, func() bool { return w.openWorkflows() == 1 }, patience, 200*time.Millisecond,
				"what waits costs no workflow")
			depth := w.call("GET", "/v1/subscriptions/"+sub+"/stats", nil, 200)["queue"].(map[string]any)["depth"]
			require.InDelta(t, backlog, depth, 0)
			began := time.Now()
			receiver.revive()
			require.Eventually(t, func() bool { return receiver.taken() == backlog }, 15*time.Minute, 50*time.Millisecond)
			require.Zero(t, receiver.outOfOrder(), "the backlog drains in order")
			t.Logf("drained at %.0f deliveries/s", backlog/time.Since(began).Seconds())
		})
	}
}

// openWorkflows is how many workflows run.
func (w *world) openWorkflows() int64 {
	w.t.Helper()
	counted, err := w.app.TemporalClient().CountWorkflow(w.t.Context(),
		&workflowservice.CountWorkflowExecutionsRequest{Query: "ExecutionStatus = 'Running'"})
	require.NoError(w.t, err)
	return counted.GetCount()
}

// counting is a receiver that refuses everything until it is revived, and then notes how it comes.
type counting struct {
	*httptest.Server
	mu            sync.Mutex
	alive         bool
	next, strange int
}

func newCounting(t *testing.T) *counting {
	t.Helper()
	c := &counting{}
	c.Server = newReceiver(t, http.HandlerFunc(c.receive))
	return c
}

func (c *counting) receive(w http.ResponseWriter, r *http.Request) {
	var event struct {
		N int `json:"n"`
	}
	err := json.NewDecoder(r.Body).Decode(&event)
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.alive {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	if err != nil || event.N != c.next {
		c.strange++
	}
	c.next++
}

func (c *counting) revive() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.alive = true
}

func (c *counting) taken() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.next
}

func (c *counting) outOfOrder() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.strange
}

func median(list []time.Duration) time.Duration {
	sorted := slices.Sorted(slices.Values(list))
	return sorted[len(sorted)/2]
}

func sum(list []time.Duration) (total time.Duration) {
	for _, d := range list {
		total += d
	}
	return total
}

func TestFaultAFailingHeadDoesNotSlowOtherQueues(t *testing.T) {
	w := start(t, embedded(t), everything)
	healthy, dead := newSink(t), newSink(t, status(500)...)
	medianLatency(t, w, healthy) // warms up
	var beside [2]time.Duration
	for range 3 { // in turns: the machine's own speed drifts
		beside[0] += medianLatency(t, w, healthy)
		beside[1] += medianLatency(t, w, dead)
	}
	t.Logf("publish to arrival, mean of three medians: %s beside a queue that flows, %s beside one that fails",
		beside[0]/3, beside[1]/3)
	require.Less(t, beside[1], beside[0]*3/2)
}

// medianLatency is from publishing to arrival at a queue, one event at a time; other is the queue beside it.
func medianLatency(t *testing.T, w *world, other *sink) time.Duration {
	t.Helper()
	receiver := newSink(t)
	application := w.application("standard",
		`{"ordering":"fifo","retry":{"kind":"polynomial","initial":"20ms","degree":2,"max_interval":"2m"}}`)
	w.subscription(application, other.URL, nil)
	w.subscription(application, receiver.URL, nil)
	took := make([]time.Duration, 0, 200)
	for n := range cap(took) {
		began := time.Now()
		w.publish(application, fmt.Sprintf(`{"type":"a.b","payload":{"n":%d}}`, n))
		took = append(took, receiver.await(n + 1)[n].at.Sub(began))
	}
	return median(took)
}
