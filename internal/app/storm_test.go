package app_test

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// storm is many events at once to several FIFO subscriptions of one application, and the receiver that judges how
// they arrive. What it promises must hold whatever happens to the sender meanwhile.
type storm struct {
	t                      *testing.T
	queues, events, client int
	// within is how long the storm may last.
	within   time.Duration
	receiver *httptest.Server
	app      string
	// sequences are the events' by number, as their 202 said; accepted is how many there are.
	sequences []float64
	accepted  atomic.Int64

	mu sync.Mutex
	// arrived are the numbers of the requests at each queue, in the order in which they came; taken are those that
	// were answered 200.
	arrived [][]int
	taken   []map[int]bool
	// inFlight counts the requests at each queue, overlaps those that found another.
	inFlight []int
	overlaps int
}

func newStorm(t *testing.T, queues, events, clients int) *storm {
	t.Helper()
	s := &storm{
		t: t, queues: queues, events: events, client: clients, within: time.Minute, sequences: make([]float64, events),
		arrived: make([][]int, queues), taken: make([]map[int]bool, queues), inFlight: make([]int, queues),
	}
	for q := range s.taken {
		s.taken[q] = map[int]bool{}
	}
	s.receiver = newReceiver(t, s.track(http.HandlerFunc(s.receive)))
	return s
}

func (s *storm) receive(w http.ResponseWriter, r *http.Request) {
	var queue int
	_, _ = fmt.Sscanf(r.URL.Path, "/%d", &queue)
	body, _ := io.ReadAll(r.Body)
	var event struct {
		N int `json:"n"`
	}
	if json.Unmarshal(body, &event) != nil {
		w.WriteHeader(http.StatusBadRequest) // cut off by a kill
		return
	}
	<-time.After(time.Millisecond)
	w.WriteHeader(s.note(queue, event.N))
}

// note records a request and answers it: of five events one is refused at its first attempt.
func (s *storm) note(queue, n int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	first := true
	for _, earlier := range s.arrived[queue] {
		if earlier == n {
			first = false
		}
	}
	s.arrived[queue] = append(s.arrived[queue], n)
	h := fnv.New32a()
	_, _ = fmt.Fprintf(h, "%d/%d", queue, n)
	if first && h.Sum32()%5 == 0 {
		return http.StatusServiceUnavailable
	}
	s.taken[queue][n] = true
	return http.StatusOK
}

// track counts requests in flight; it wraps the receiver.
func (s *storm) track(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var queue int
		_, _ = fmt.Sscanf(r.URL.Path, "/%d", &queue)
		s.mu.Lock()
		s.inFlight[queue]++
		if s.inFlight[queue] > 1 {
			s.overlaps++
		}
		s.mu.Unlock()
		defer func() {
			s.mu.Lock()
			s.inFlight[queue]--
			s.mu.Unlock()
		}()
		next.ServeHTTP(w, r)
	})
}

// setUp creates the application and its queues.
func (s *storm) setUp(w *world) {
	s.app = w.application("standard", `{"ordering":"fifo","retry":{"kind":"fixed","interval":"20ms"}}`)
	for q := range s.queues {
		w.subscription(s.app, fmt.Sprintf("%s/%d", s.receiver.URL, q), nil)
	}
}

// publish publishes all events from parallel clients. api tells where the API answers now; a request that fails is
// made again under its idempotency key.
func (s *storm) publish(api func() string) {
	var group sync.WaitGroup
	next := make(chan int)
	for range s.client {
		group.Go(func() {
			for n := range next {
				s.publishOne(api, n)
			}
		})
	}
	for n := range s.events {
		next <- n
	}
	close(next)
	group.Wait()
}

func (s *storm) publishOne(api func() string, n int) {
	body := fmt.Sprintf(`{"type":"a.b","payload":{"n":%d},"idempotency_key":"n%d"}`, n, n)
	deadline := time.Now().Add(s.within)
	for time.Now().Before(deadline) {
		if sequence, ok := s.try(api()+"/v1/applications/"+s.app+"/events", body); ok {
			s.sequences[n] = sequence
			s.accepted.Add(1)
			return
		}
		<-time.After(50 * time.Millisecond)
	}
	s.t.Errorf("event %d was not accepted in time", n)
}

// missing is how many deliveries have not been taken.
func (s *storm) missing() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, taken := range s.taken {
		n += s.events - len(taken)
	}
	return n
}

// requireOrder waits for every delivery and judges them all.
func (s *storm) requireOrder() {
	s.t.Helper()
	require.Eventuallyf(s.t, func() bool { return s.missing() == 0 }, s.within, 20*time.Millisecond,
		"%d deliveries are missing", s.missing())
	s.mu.Lock()
	defer s.mu.Unlock()
	requests := 0
	for q, arrived := range s.arrived {
		requests += len(arrived)
		for i := 1; i < len(arrived); i++ {
			require.LessOrEqualf(s.t, s.sequences[arrived[i-1]], s.sequences[arrived[i]],
				"queue %d: event %d arrived before event %d", q, arrived[i-1], arrived[i])
		}
	}
	require.Zero(s.t, s.overlaps, "two requests of one queue were in flight at once")
	s.t.Logf("%d deliveries in order, %d requests", s.queues*s.events, requests)
}

// try publishes once and returns the event's sequence.
func (s *storm) try(url, body string) (float64, bool) {
	req, err := http.NewRequest(http.MethodPost, url, strings.NewReader(body)) //nolint:noctx // bounded by the client
	if err != nil {
		return 0, false
	}
	req.Header.Set("Authorization", "Bearer "+operatorKey)
	res, err := (&http.Client{Timeout: 10 * time.Second}).Do(req)
	if err != nil {
		return 0, false
	}
	defer res.Body.Close()
	var answer struct {
		Sequence float64 `json:"sequence"`
	}
	if res.StatusCode != http.StatusAccepted || json.NewDecoder(res.Body).Decode(&answer) != nil {
		return 0, false
	}
	return answer.Sequence, true
}

func TestALV24_QueuesKeepTheirOrderUnderParallelPublishersAndFailures(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		s := newStorm(w.t, 4, 60, 8)
		s.setUp(w)
		s.publish(w.base)
		s.requireOrder()
	})
}
