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

// load publishes the events numbered from first in one batch, waits until each has arrived at each of the endpoints,
// and returns how long each took from the 202 on.
func (f *field) load(w *world, app string, first, events, endpoints int) (spans []time.Duration) {
	w.t.Helper()
	t := w.t
	batch := make([]object, events)
	for i := range batch {
		batch[i] = object{"type": 101, "payload": object{"n": first + i}}
	}
	before := f.count()
	accepted := w.call("POST", "/v1/applications/"+app+"/events/batch", object{"events": batch}, 202)
	began := time.Now()
	require.Len(t, accepted["results"], events)
	require.Eventually(t, func() bool { return f.count() >= before+events*endpoints }, 4*patience, 5*time.Millisecond)
	f.mu.Lock()
	defer f.mu.Unlock()
	require.Empty(t, f.mixed)
	require.Len(t, f.arrived, endpoints)
	for path, arrived := range f.arrived {
		for n := first; n < first+events; n++ {
			require.NotEmpty(t, arrived[n], "event %d is lost at %s", n, path)
			spans = append(spans, max(0, arrived[n][0].Sub(began)))
		}
	}
	return spans
}

// Thredd names no numbers: 300 deliveries, then as many again beside an endpoint that never answers. One that held
// the others up would do so for its timeout, which is far above the bound.
func TestTHR15_ManyEventsReachEveryEndpointAlsoBesideOneThatHangs(t *testing.T) {
	alone(t, func(w *world) {
		t := w.t
		const events, endpoints = 60, 5
		receivers, hanging := newField(t), newSink(t, answer{hang: true})
		app := w.application("thredd", `{"timeout":"60s","retry":{"kind":"fixed","interval":"1h","max_attempts":1}}`)
		for k := range endpoints {
			key := fmt.Sprintf("endpoint-%d", k)
			w.endpoint(app, receivers.URL+"/"+key, []int{101}, object{"headers": object{"X-Endpoint": key}})
		}
		began := time.Now()
		healthy := at95(receivers.load(w, app, 0, events, endpoints))
		t.Logf("%d deliveries: %.0f/s, p95 %s", events*endpoints,
			events*endpoints/time.Since(began).Seconds(), healthy)

		w.endpoint(app, hanging.URL, []int{101})
		beside := at95(receivers.load(w, app, events, events, endpoints))
		t.Logf("beside one that hangs: p95 %s, %d requests hang", beside, len(hanging.got()))
		require.Less(t, beside, 3*healthy+2*time.Second, "the endpoint that hangs slows the others")
		require.NotEmpty(t, hanging.got())
	})
}
