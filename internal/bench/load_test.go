package main

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// published is what the stand-in for Posthorn reads of an event.
type published struct {
	Type      string          `json:"type"`
	NotBefore time.Time       `json:"not_before"`
	Payload   json.RawMessage `json:"payload"`
}

// startStandIn accepts events and hands deliver the sending of each to the subscription.
func startStandIn(t *testing.T, url string, deliver func(send func())) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var event published
		if json.NewDecoder(r.Body).Decode(&event) != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		deliver(func() {
			answer, err := http.Post(url, "application/json", strings.NewReader(string(event.Payload))) //nolint:noctx // a test's
			if err == nil {
				_, _ = io.Copy(io.Discard, answer.Body)
				_ = answer.Body.Close()
			}
		})
		w.WriteHeader(http.StatusAccepted)
		_, _ = w.Write([]byte(`{}`))
	}))
	t.Cleanup(server.Close)
	return server
}

// loadOn prepares a load of n events against a stand-in.
func loadOn(t *testing.T, n int, deliver func(send func())) *load {
	t.Helper()
	r, err := startReceiver(t.Context())
	require.NoError(t, err)
	t.Cleanup(r.close)
	a := newAPI("", "key", 4)
	a.events = startStandIn(t, r.urlOf(0), deliver).URL
	l := newLoad(a, newLedger(n, 1), 100, 1024)
	r.expect(l.ledger, 100)
	return l
}

func TestClosedLoadMeasuresEveryDelivery(t *testing.T) {
	t.Parallel()
	l := loadOn(t, 50, func(send func()) { send() })
	l.closed(t.Context(), 4)
	l.delivered(t.Context(), 1)
	r := judge(options{mode: modeClosed, events: 50, subscriptions: 1}, l, rest{usage: usage{cpu: time.Second, peakRSS: 5e6}})
	require.Equal(t, 50, r.Deliveries)
	require.Zero(t, r.Duplicates)
	require.NoError(t, verdict([]result{r}))
	require.Positive(t, r.EndToEndP50)
	require.Positive(t, r.EventsPerS)
	require.InDelta(t, 20, r.CPUPer1000, 0)
	require.InDelta(t, 5, r.MaxRSS, 0)
}

func TestALossyRunFails(t *testing.T) {
	t.Parallel()
	var n atomic.Int64
	l := loadOn(t, 10, func(send func()) {
		if n.Add(1) != 4 {
			send()
		}
	})
	l.closed(t.Context(), 2)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	l.delivered(ctx, 1)
	r := judge(options{mode: modeClosed, events: 10, subscriptions: 1}, l, rest{})
	require.Equal(t, 9, r.Deliveries)
	require.Equal(t, 1, r.Losses)
	require.Error(t, verdict([]result{r}))
}

func TestDuplicatesAreCountedAndLoseNothing(t *testing.T) {
	t.Parallel()
	l := loadOn(t, 5, func(send func()) { send(); send() })
	l.closed(t.Context(), 1)
	l.delivered(t.Context(), 1)
	r := judge(options{events: 5, subscriptions: 1}, l, rest{})
	require.Equal(t, 5, r.Duplicates)
	require.Equal(t, 5, r.Deliveries)
	require.NoError(t, verdict([]result{r}))
}

func TestRefusedEventsFailTheRun(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "no", http.StatusServiceUnavailable)
	}))
	defer server.Close()
	a := newAPI("", "key", 1)
	a.events = server.URL
	l := newLoad(a, newLedger(3, 1), 0, 64)
	l.closed(t.Context(), 1)
	l.delivered(t.Context(), 1)
	r := judge(options{events: 3, subscriptions: 1}, l, rest{})
	require.Equal(t, 3, r.Refused)
	require.Error(t, verdict([]result{r}))
	require.ErrorContains(t, l.failure(), "503")
}

// While one answer hangs, the others still go out when they are due, and its latency counts the wait.
func TestOpenLoadDoesNotOmitWhatASlowAnswerDelays(t *testing.T) {
	t.Parallel()
	var n atomic.Int64
	third := make(chan struct{})
	l := loadOn(t, 4, func(send func()) {
		switch n.Add(1) {
		case 1:
			<-third
		case 3:
			close(third)
		}
		send()
	})
	l.open(t.Context(), 50)
	l.delivered(t.Context(), 1)
	require.GreaterOrEqual(t, l.accepted[0]-l.due[0], int64(40*time.Millisecond))
	for i := range 3 {
		require.Equal(t, int64(20*time.Millisecond), l.due[i+1]-l.due[i])
	}
}

// What of a backlog has been accepted long before counts from when it is due.
func TestABacklogCountsFromWhenItIsDue(t *testing.T) {
	t.Parallel()
	const later = 60 * time.Millisecond
	begun := time.Now()
	l := loadOn(t, 5, func(send func()) {
		time.AfterFunc(time.Until(begun.Add(2*later)), send)
	})
	l.backlog(t.Context(), 5, later)
	l.delivered(t.Context(), 1)
	r := judge(options{mode: modeDrain, events: 5, subscriptions: 1, concurrency: 5}, l, rest{usage: usage{cpu: time.Second}})
	require.Equal(t, 5, r.Deliveries)
	require.Equal(t, 5, r.Concurrency)
	took := float64(l.ledger.last.Load()-l.ready) / 1e6
	require.InDelta(t, took, r.EndToEndMax, 0.001)
	require.InDelta(t, took/1000, r.Seconds, 0.001)
	require.GreaterOrEqual(t, l.ready, int64(later))
	var e published
	require.NoError(t, json.Unmarshal(event(1, 100, l.notBefore), &e))
	require.True(t, l.notBefore.Equal(e.NotBefore))
}

func TestEventHasItsSizeAndNumber(t *testing.T) {
	t.Parallel()
	for _, size := range []int{minPayload, 1024, 100_000} {
		var e published
		require.NoError(t, json.Unmarshal(event(4711, size, time.Time{}), &e))
		require.Len(t, e.Payload, size)
		n, ok := numberOf(e.Payload[:32])
		require.True(t, ok)
		require.Equal(t, 4711, n)
	}
	for _, head := range []string{"", "{}", `{"n":12`, `{"n":x,`, `{"m":1,`} {
		_, ok := numberOf([]byte(head))
		require.False(t, ok, head)
	}
}

func TestLedgerIgnoresDeliveriesOfAnotherLoad(t *testing.T) {
	t.Parallel()
	l := newLedger(3, 2)
	for _, slot := range [][2]int{{0, -1}, {0, 3}, {2, 0}, {-1, 0}} {
		l.record(slot[0], slot[1])
	}
	require.Zero(t, l.arrived.Load())
	l.record(1, 2)
	require.EqualValues(t, 1, l.arrived.Load())
	require.Positive(t, l.first[5].Load())
}
