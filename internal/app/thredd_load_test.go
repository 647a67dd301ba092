package app_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// alone runs the test on both databases, one after the other and before the tests that run in parallel: for what is
// measured.
func alone(t *testing.T, test func(w *world)) {
	t.Helper()
	for _, database := range flavours() {
		t.Run(database, func(t *testing.T) { test(shared.on(t, database)) })
	}
}

// at95 is the 95th percentile.
func at95(spans []time.Duration) time.Duration {
	slices.Sort(spans)
	return spans[(len(spans)*95+99)/100-1]
}

func TestTHR1_NotificationsArriveAtOnce(t *testing.T) {
	alone(t, func(w *world) {
		t := w.t
		const events = 100
		receiver := newSink(t)
		app := w.thredd()
		w.endpoint(app, receiver.URL, []int{101})
		accepted := make([]time.Time, events)
		for n := range events {
			require.Len(t, w.notify(app, 101, n), 1)
			accepted[n] = time.Now()
			receiver.await(n + 1)
		}
		spans := make([]time.Duration, events)
		for n, r := range receiver.got() {
			spans[n] = max(0, r.at.Sub(accepted[n])) // some come before their 202 has been read
		}
		p95 := at95(spans)
		t.Logf("from 202 to arrival: median %s, p95 %s", spans[events/2], p95)
		require.Less(t, p95, time.Second)
	})
}

// field is a receiver for many endpoints, told apart by their paths: it notes which event arrived where and when.
type field struct {
	*httptest.Server
	mu sync.Mutex
	// arrived are the arrivals by endpoint and event number.
	arrived map[string]map[int][]time.Time
	// mixed are requests with another endpoint's header.
	mixed []string
	total int
}

func newField(t *testing.T) *field {
	t.Helper()
	f := &field{arrived: map[string]map[int][]time.Time{}}
	f.Server = newReceiver(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var body struct {
			Payload struct {
				N int `json:"n"`
			} `json:"payload"`
		}
		text, _ := io.ReadAll(r.Body)
		_ = json.Unmarshal(text, &body)
		f.note(r.URL.Path, r.Header.Get("X-Endpoint"), body.Payload.N)
	}))
	return f
}

func (f *field) note(path, key string, n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if path != "/"+key {
		f.mixed = append(f.mixed, path+" got "+key)
	}
	if f.arrived[path] == nil {
		f.arrived[path] = map[int][]time.Time{}
	}
	f.arrived[path][n] = append(f.arrived[path][n], time.Now())
	f.total++
}

func (f *field) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.total
}

// load publishes the events numbered from first, 500 to a request, waits until each has arrived at each of the
// endpoints, and returns how long each took from its 202 on.
func (f *field) load(w *world, app string, first, events, endpoints int) (spans []time.Duration) {
	w.t.Helper()
	before := f.count()
	accepted := make([]time.Time, 0, events)
	for from := 0; from < events; from += 500 {
		batch := make([]object, min(500, events-from))
		for i := range batch {
			batch[i] = object{"type": 101, "payload": object{"n": first + from + i}}
		}
		answer := w.call("POST", "/v1/applications/"+app+"/events/batch", object{"events": batch}, 202)
		require.Len(w.t, answer["results"], len(batch))
		accepted = append(accepted, slices.Repeat([]time.Time{time.Now()}, len(batch))...)
	}
	require.Eventually(w.t, func() bool { return f.count() >= before+events*endpoints }, 4*patience, 5*time.Millisecond,
		"of %d deliveries some are lost", events*endpoints)
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, arrived := range f.arrived {
		for i, at := range accepted {
			if times := arrived[first+i]; len(times) > 0 { // requireOnce tells of those that are lost
				spans = append(spans, max(0, times[0].Sub(at)))
			}
		}
	}
	return spans
}

// requireOnce requires that the events numbered from 0 arrived at each of the endpoints, once, and nothing else did.
func (f *field) requireOnce(t *testing.T, events, endpoints int) {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	require.Empty(t, f.mixed)
	require.Len(t, f.arrived, endpoints)
	for path, arrived := range f.arrived {
		require.Len(t, arrived, events, path)
		for n := range events {
			require.Len(t, arrived[n], 1, "event %d at %s", n, path)
		}
	}
	require.Equal(t, events*endpoints, f.total)
}

// Thredd names no numbers: 300 deliveries, then as many again beside an endpoint that never answers. One that held
// the others up would do so for its timeout, a minute, which is far above what a busy machine is allowed here.
// `make fault-order` has 5,000 within a tight bound.
func TestTHR15_ManyEventsReachEveryEndpointAlsoBesideOneThatHangs(t *testing.T) {
	alone(t, func(w *world) {
		w.scales(60, 5, func(healthy time.Duration) time.Duration { return 3*healthy + 2*time.Second })
	})
}

// scales puts events through endpoints, once alone and once beside one that never answers. bound is what the 95th
// percentile of the others' latencies may be then, by what it was alone.
func (w *world) scales(events, endpoints int, bound func(healthy time.Duration) time.Duration) {
	w.t.Helper()
	t := w.t
	receivers, hanging := newField(t), newSink(t, answer{hang: true})
	app := w.application("thredd", `{"timeout":"60s","retry":{"kind":"fixed","interval":"1h","max_attempts":1}}`)
	for k := range endpoints {
		key := fmt.Sprintf("endpoint-%d", k)
		w.endpoint(app, receivers.URL+"/"+key, []int{101}, object{"headers": object{"X-Endpoint": key}})
	}
	began := time.Now()
	healthy := at95(receivers.load(w, app, 0, events, endpoints))
	t.Logf("%d deliveries: %.0f/s, p95 %s", events*endpoints, float64(events*endpoints)/time.Since(began).Seconds(), healthy)

	w.endpoint(app, hanging.URL, []int{101})
	beside := at95(receivers.load(w, app, events, events, endpoints))
	t.Logf("beside one that hangs: p95 %s, %d requests hang", beside, len(hanging.got()))
	<-time.After(300 * time.Millisecond) // one that is sent twice may come late
	receivers.requireOnce(t, 2*events, endpoints)
	require.Less(t, beside, bound(healthy), "the endpoint that hangs slows the others")
	require.NotEmpty(t, hanging.got())
}
