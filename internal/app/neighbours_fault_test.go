//go:build fault

package app_test

import (
	"net/http"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/internal/store"
)

// faultRate is the load in events a second: 40 % of the 148 that two quiet cores sustain (docs/performance.md), unless
// POSTHORN_FAULT_RATE says otherwise.
func faultRate(t *testing.T) float64 {
	t.Helper()
	if text := os.Getenv("POSTHORN_FAULT_RATE"); text != "" {
		rate, err := strconv.ParseFloat(text, 64)
		require.NoError(t, err)
		return rate
	}
	return 60
}

// newWarmStreet is a street of twenty endpoints that has had a little load, and the rate of what is to come.
func newWarmStreet(t *testing.T, databaseURL string) (*street, float64) {
	t.Helper()
	cfg := embedded(t)
	cfg.DatabaseURL = databaseURL
	s := newStreet(start(t, cfg, everything), 20, impatient, nil)
	rate := faultRate(t)
	t.Logf("%g events/s to 20 endpoints", rate)
	s.drive(rate, turnTime/4)
	return s, rate
}

// impatient is a policy whose retries come soon, so that what one turn leaves behind is gone before the next.
const impatient = `{"timeout":"10s","retry":{"kind":"exponential","initial":"1s","factor":2,"max_interval":"8s","jitter":0.2}}`

const (
	rounds   = 5
	turnTime = 20 * time.Second
)

func keepConnections(t *testing.T) {
	t.Helper()
	transport := http.DefaultTransport.(*http.Transport)
	before := transport.MaxIdleConnsPerHost
	transport.MaxIdleConnsPerHost = 100
	t.Cleanup(func() { transport.MaxIdleConnsPerHost = before })
}

// hang lets every request wait until the next call of answer.
func (e *endpoint) hang() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.hanging = make(chan struct{})
}

// quantile is the smallest latency that so many of them do not exceed.
func quantile(list []time.Duration, share float64) time.Duration {
	sorted := slices.Sorted(slices.Values(list))
	return sorted[min(len(sorted)-1, int(share*float64(len(sorted))))]
}

// turn is one turn of load; it adds to the 99th percentiles of its kind.
func (s *street) turn(rate float64, kind string, p99s map[string][]time.Duration) {
	s.t.Helper()
	took, statuses := s.drive(rate, turnTime)
	s.t.Logf("%-18s p50 %s, p99 %s, max %s; publishing %v", kind, quantile(took, 0.5).Round(time.Microsecond),
		quantile(took, 0.99).Round(time.Microsecond), quantile(took, 1).Round(time.Microsecond), statuses)
	require.Zero(s.t, statuses[http.StatusServiceUnavailable], "publishing goes on")
	require.Greater(s.t, statuses[http.StatusAccepted], int(rate*turnTime.Seconds())*99/100)
	p99s[kind] = append(p99s[kind], quantile(took, 0.99))
}

// compare requires that the healthy endpoints' p99 is at most factor times what it was without the unhealthy one in the
// turn before. It goes by the median of the turns: the machine has others to serve, now and then.
func compare(t *testing.T, p99s map[string][]time.Duration, kind string, factor float64) {
	t.Helper()
	ratios := make([]float64, 0, len(p99s[kind]))
	for i, p99 := range p99s[kind] {
		ratios = append(ratios, float64(p99)/float64(p99s["without"][i]))
	}
	slices.Sort(ratios)
	t.Logf("p99, median of the turns: %s without, %s %s; times %.2f, the median of %.2f",
		median(p99s["without"]), median(p99s[kind]), kind, ratios[len(ratios)/2], ratios)
	require.LessOrEqual(t, ratios[len(ratios)/2], factor, kind)
}

// settled waits until nothing is open for the first endpoint.
func (s *street) settled() {
	s.t.Helper()
	require.Eventually(s.t, func() bool {
		for _, status := range []string{"pending", "retrying"} {
			page := s.call("GET", "/v1/applications/"+s.application+"/invocations?limit=1&status="+status, nil, 200)
			if len(page["items"].([]any)) > 0 {
				return false
			}
		}
		return true
	}, 10*patience, 200*time.Millisecond)
}

func TestF65_AHangingEndpointDoesNotSlowOthersDown(t *testing.T) {
	keepConnections(t)
	for name, database := range databases(t) {
		t.Run(name, func(t *testing.T) {
			s, rate := newWarmStreet(t, database(t))
			p99s := map[string][]time.Duration{}
			for range rounds {
				s.turn(rate, "without", p99s)
				s.ends[0].hang()
				s.turn(rate, "with", p99s)
				s.ends[0].answer(0, 0)
				s.settled()
			}
			t.Logf("at most %d requests hung at once", s.ends[0].mostInFlight())
			require.LessOrEqual(t, s.ends[0].mostInFlight(), store.FlightsPerSubscription)
			compare(t, p99s, "with", 1.2)
		})
	}
}

func TestF65_ABacklogBehindAHangingEndpointDoesNotSlowOthersDown(t *testing.T) {
	const backlog = 20_000
	keepConnections(t)
	for name, database := range databases(t) {
		t.Run(name, func(t *testing.T) {
			s, rate := newWarmStreet(t, database(t))
			p99s := map[string][]time.Duration{}
			for range 3 {
				s.turn(rate, "without", p99s)
				s.ends[0].hang()
				began := time.Now()
				s.pile(backlog)
				t.Logf("published %d events for it in %s", backlog, time.Since(began).Round(time.Millisecond))
				s.turn(rate, "while it lines up", p99s)
				s.turn(rate, "with", p99s)
				s.call("DELETE", "/v1/subscriptions/"+s.ends[0].subscription, nil, 204)
				s.ends[0].answer(0, 0)
				s.settled()
				s.subscribe(0)
			}
			t.Logf("at most %d requests hung at once", s.ends[0].mostInFlight())
			require.LessOrEqual(t, s.ends[0].mostInFlight(), store.FlightsPerSubscription)
			compare(t, p99s, "with", 1.5)
		})
	}
}

func TestF66_ATenantOverItsLimitDoesNotSlowOthersDown(t *testing.T) {
	const limit = 20
	keepConnections(t)
	cfg := embedded(t)
	cfg.RateLimitApplication = limit
	w := start(t, cfg, everything)
	noisy, other := newStreet(w, 1, impatient, nil), newStreet(w, 5, impatient, nil)
	p99s := map[string][]time.Duration{}
	other.drive(limit/2, turnTime/4) // warms up
	for range rounds {
		other.turn(limit/2, "without", p99s)
		var noise sync.WaitGroup
		noise.Go(func() {
			began := time.Now()
			_, statuses := noisy.drive(10*limit, turnTime)
			t.Logf("the noisy one's answers: %v", statuses)
			noisy.requireLimited(statuses, limit, time.Since(began))
		})
		other.turn(limit/2, "with", p99s)
		noise.Wait()
	}
	compare(t, p99s, "with", 1.5)
}

// A machine that sustains 100 events a second drains ten thousand of them in minutes, at whatever rate.
func TestF67_TenThousandThatFailedTogetherComeBackAtTheirRate(t *testing.T) {
	for name, database := range databases(t) {
		t.Run(name, func(t *testing.T) {
			cfg := embedded(t)
			cfg.DatabaseURL = database(t)
			retryStorm(start(t, cfg, everything), 10_000, 60)
		})
	}
}
