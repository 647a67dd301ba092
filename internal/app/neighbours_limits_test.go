package app_test

import (
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// long is for what takes hundreds of attempts, on a machine that is busy.
const long = 4 * patience

func TestF65_ASlowEndpointHasNoMoreInFlightThanItsCap(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		const most, events = 4, 30
		s := newStreet(w, 1, `{"retry":{"kind":"fixed","interval":"50ms","jitter":1}}`, object{"max_in_flight": most})
		end := s.ends[0]
		end.answer(http.StatusServiceUnavailable, 100*time.Millisecond)
		s.pile(events)
		require.Eventually(w.t, func() bool { return end.count() >= 2*events }, long, 10*time.Millisecond)
		end.answer(0, 20*time.Millisecond)
		require.Eventually(w.t, func() bool { return end.delivered() == events }, long, 10*time.Millisecond)
		require.Equal(w.t, most, end.mostInFlight())
	})
}

func TestF66_ATenantOverItsLimitGets429AndNobodyElse(t *testing.T) {
	t.Parallel()
	const limit, span = 10, 3 * time.Second
	cfg := embedded(t)
	cfg.RateLimitApplication = limit
	w := start(t, cfg, everything)
	noisy, other := newStreet(w, 1, "", nil), newStreet(w, 2, "", nil)
	var both sync.WaitGroup
	both.Go(func() {
		began := time.Now()
		_, statuses := noisy.drive(10*limit, span)
		noisy.requireLimited(statuses, limit, time.Since(began))
	})
	latencies, statuses := other.drive(limit/2, span)
	both.Wait()
	require.Equal(t, map[int]int{http.StatusAccepted: limit / 2 * 3}, statuses)
	require.NotEmpty(t, latencies, "and what it published has arrived")
}

// requireLimited looks at the answers to a publisher that went far beyond its limit for so long; it may be called
// outside the test's goroutine.
func (s *street) requireLimited(statuses map[int]int, limit int, span time.Duration) {
	s.t.Helper()
	accepted, refused := statuses[http.StatusAccepted], statuses[http.StatusTooManyRequests]
	assert.LessOrEqual(s.t, float64(accepted), float64(limit)*(span.Seconds()+1)+1, "the limit, and a burst of a second")
	assert.Greater(s.t, refused, accepted)
	assert.Len(s.t, statuses, 2, "no other answer")
}

func TestF67_WhatFailedTogetherComesBackAtItsRate(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) { retryStorm(w, 120, 20) })
}

// retryStorm publishes events to an endpoint that refuses them, and lets it recover: it gets no more a second than its
// limit from then on, and all of them in the end.
func retryStorm(w *world, events int, limit int) {
	w.t.Helper()
	s := newStreet(w, 1, `{"retry":{"kind":"exponential","initial":"500ms","factor":2,"max_interval":"4s","jitter":0.5}}`,
		object{"rate_limit": limit})
	end := s.ends[0]
	end.answer(http.StatusServiceUnavailable, 0)
	s.pile(events)
	require.Eventually(w.t, func() bool {
		return w.call("GET", "/v1/subscriptions/"+end.subscription, nil, 200)["status"] == "failing" && end.count() > limit
	}, long, 20*time.Millisecond)

	recovered := time.Now()
	end.answer(0, 0)
	within := long + time.Duration(events/limit)*2*time.Second
	require.Eventually(w.t, func() bool { return end.delivered() == events }, within, 10*time.Millisecond)
	took := time.Since(recovered)
	came := end.since(recovered)
	w.t.Logf("%d events in %s after the recovery, %d in the busiest second", events, took.Round(time.Millisecond),
		mostPerSecond(came))
	require.LessOrEqual(w.t, mostPerSecond(came), 2*limit+1, "the limit, and a burst of a second")
	require.LessOrEqual(w.t, float64(len(came)), float64(limit)*(took.Seconds()+1)+1)
	require.Equal(w.t, "active", w.call("GET", "/v1/subscriptions/"+end.subscription, nil, 200)["status"])
}

func TestF67_ABacklogWithoutALimitDrainsAtABoundedRate(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		const events, perSecond = 150, 50
		s := newStreet(w, 1, `{"retry":{"kind":"fixed","interval":"1s","jitter":1}}`, nil)
		end := s.ends[0]
		end.answer(http.StatusServiceUnavailable, 0)
		s.pile(events / 5)
		require.Eventually(w.t, func() bool {
			return w.call("GET", "/v1/subscriptions/"+end.subscription, nil, 200)["status"] == "failing"
		}, long, 20*time.Millisecond)
		s.pile(events)
		waiting := end.count()
		recovered := time.Now()
		end.answer(0, 0)
		require.Eventually(w.t, func() bool { return end.delivered() == events }, long, 10*time.Millisecond)
		took := time.Since(recovered)
		w.t.Logf("%d of %d had come before the recovery, the rest in %s, %d in the busiest second", waiting, events,
			took.Round(time.Millisecond), mostPerSecond(end.since(recovered)))
		const lined = events - events/5 // the others were retrying
		require.Greater(w.t, took, time.Second*lined*3/4/perSecond, "a burst at first, then at the rate of the line")
	})
}
