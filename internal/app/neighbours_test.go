package app_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// street is one application with some endpoints that each get the events of a type of their own. All of them answer at
// once, but for the first while it hangs.
type street struct {
	*world

	application string
	delivery    object
	ends        []*endpoint
}

// endpoint is a receiver that notes what it got, and how much it had to answer at once.
type endpoint struct {
	*httptest.Server

	subscription string
	mu           sync.Mutex
	// arrived is when each event came first, by the number n in its payload; taken are those that were answered with 200.
	arrived map[int]time.Time
	taken   map[int]bool
	// inFlight is how many requests wait for an answer, and most is how many ever did.
	inFlight, most int
	// requests is when each request came.
	requests []time.Time
	// hanging is closed while the endpoint answers.
	hanging chan struct{}
	// refusing is what it answers, after so long; 0 = 200.
	refusing int
	slow     time.Duration
}

func newEndpoint(t *testing.T) *endpoint {
	t.Helper()
	e := &endpoint{arrived: map[int]time.Time{}, taken: map[int]bool{}, hanging: make(chan struct{})}
	close(e.hanging)
	e.Server = newReceiver(t, e)
	t.Cleanup(func() { e.answer(0, 0) })
	return e
}

func (e *endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var event struct {
		N int `json:"n"`
	}
	_ = json.NewDecoder(r.Body).Decode(&event)
	hanging, slow := e.enter(event.N)
	select {
	case <-hanging:
		<-time.After(slow)
	case <-r.Context().Done():
	}
	w.WriteHeader(e.leave(event.N))
}

func (e *endpoint) enter(n int) (hanging chan struct{}, slow time.Duration) {
	e.mu.Lock()
	defer e.mu.Unlock()
	now := time.Now()
	e.requests = append(e.requests, now)
	if _, again := e.arrived[n]; !again {
		e.arrived[n] = now
	}
	e.inFlight++
	e.most = max(e.most, e.inFlight)
	return e.hanging, e.slow
}

// leave notes that a request is about to be answered, and with what.
func (e *endpoint) leave(n int) int {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.inFlight--
	if e.refusing != 0 {
		return e.refusing
	}
	e.taken[n] = true
	return http.StatusOK
}

// answer lets the endpoint answer with the status from now on, so slowly; 0 = 200.
func (e *endpoint) answer(status int, slow time.Duration) {
	e.mu.Lock()
	defer e.mu.Unlock()
	select {
	case <-e.hanging:
	default:
		close(e.hanging)
	}
	e.refusing, e.slow = status, slow
}

func (e *endpoint) count() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.requests)
}

func (e *endpoint) mostInFlight() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.most
}

func (e *endpoint) arrival(n int) (time.Time, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	at, ok := e.arrived[n]
	return at, ok
}

// delivered is how many events were answered with 200.
func (e *endpoint) delivered() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.taken)
}

// since are the requests that came after the time.
func (e *endpoint) since(start time.Time) (list []time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, at := range e.requests {
		if at.After(start) {
			list = append(list, at)
		}
	}
	return list
}

// mostPerSecond is how many requests came within any one second.
func mostPerSecond(times []time.Time) (most int) {
	slices.SortFunc(times, time.Time.Compare)
	first := 0
	for i, at := range times {
		for at.Sub(times[first]) >= time.Second {
			first++
		}
		most = max(most, i-first+1)
	}
	return most
}

// newStreet makes one; overrides are the application's, as JSON, and delivery is that of every subscription.
func newStreet(w *world, endpoints int, overrides string, delivery object) *street {
	w.t.Helper()
	s := &street{world: w, application: w.application("standard", overrides), delivery: delivery}
	for range endpoints {
		s.ends = append(s.ends, newEndpoint(w.t))
	}
	for i := range s.ends {
		s.subscribe(i)
	}
	return s
}

// subscribe makes a subscription for an endpoint.
func (s *street) subscribe(i int) {
	s.t.Helper()
	more := object{"event_types": []string{"to." + strconv.Itoa(i)}}
	if s.delivery != nil {
		more["delivery"] = s.delivery
	}
	s.ends[i].subscription = s.subscription(s.application, s.ends[i].URL, more)["id"].(string)
}

// pile publishes so many events for the first endpoint, in batches.
func (s *street) pile(events int) {
	s.t.Helper()
	const batch = 500
	for from := 0; from < events; from += batch {
		list := make([]string, 0, batch)
		for n := from; n < min(from+batch, events); n++ {
			list = append(list, fmt.Sprintf(`{"type":"to.0","payload":{"n":%d}}`, n))
		}
		s.call("POST", "/v1/applications/"+s.application+"/events/batch", `{"events":[`+strings.Join(list, ",")+`]}`, 202)
	}
}

// drive publishes at the rate for so long, to one endpoint after the other, whatever the answers do. It returns how long
// each event that was accepted took from when it was due to its arrival, but for the first endpoint's, which may hang,
// and how often publishing was answered with which status; 0 = not at all.
func (s *street) drive(rate float64, span time.Duration) (latencies []time.Duration, statuses map[int]int) {
	s.t.Helper()
	type sent struct {
		end, n, status int
		due            time.Time
	}
	events := make([]*sent, 0, int(rate*span.Seconds()))
	start := time.Now()
	var publishing sync.WaitGroup
	for i := range cap(events) {
		due := start.Add(time.Duration(float64(i) / rate * float64(time.Second)))
		<-time.After(time.Until(due))
		e := &sent{end: i % len(s.ends), n: int(due.UnixNano()), due: due}
		events = append(events, e)
		publishing.Go(func() { e.status = s.send(e.end, e.n) })
	}
	publishing.Wait()
	statuses = map[int]int{}
	for _, e := range events {
		statuses[e.status]++
		if e.end == 0 || e.status != http.StatusAccepted {
			continue
		}
		var at time.Time
		require.Eventually(s.t, func() (ok bool) { at, ok = s.ends[e.end].arrival(e.n); return ok }, patience, time.Millisecond)
		latencies = append(latencies, at.Sub(e.due))
	}
	return latencies, statuses
}

// send publishes an event for an endpoint and returns the answer's status; 0 = there was none.
func (s *street) send(end, n int) int {
	body := fmt.Sprintf(`{"type":"to.%d","payload":{"n":%d}}`, end, n)
	req, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost,
		s.url+"/v1/applications/"+s.application+"/events", strings.NewReader(body))
	if err != nil {
		return 0
	}
	req.Header.Set("Authorization", "Bearer "+s.key)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, res.Body)
	return res.StatusCode
}
