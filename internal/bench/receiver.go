package main

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// numbered is how each payload begins: its number follows.
const numbered = `{"n":`

// ledger is when each delivery of one load arrived. Its slots are subscription × events + event, without locks: the
// receiver must cost next to nothing.
type ledger struct {
	base   time.Time
	events int
	first  []atomic.Int64 // ns after base, 0 = not yet
	count  []atomic.Int32
	// arrived counts slots that are no longer empty.
	arrived atomic.Int64
	// last is when the latest of those came, ns after base.
	last atomic.Int64
}

func newLedger(events, subscriptions int) *ledger {
	return &ledger{
		base: time.Now(), events: events,
		first: make([]atomic.Int64, events*subscriptions), count: make([]atomic.Int32, events*subscriptions),
	}
}

// since is the time after base in ns, never 0.
func (l *ledger) since() int64 { return max(1, int64(time.Since(l.base))) }

// record notes a delivery; one of another load is ignored.
func (l *ledger) record(subscription, event int) {
	slot := subscription*l.events + event
	if event < 0 || event >= l.events || slot < 0 || slot >= len(l.first) {
		return
	}
	if l.count[slot].Add(1) > 1 {
		return
	}
	now := l.since()
	l.first[slot].Store(now)
	for {
		if last := l.last.Load(); now <= last || l.last.CompareAndSwap(last, now) {
			break
		}
	}
	l.arrived.Add(1)
}

// duplicates counts deliveries after each slot's first.
func (l *ledger) duplicates() int {
	n := 0
	for i := range l.count {
		n += max(0, int(l.count[i].Load())-1)
	}
	return n
}

// receiver answers every delivery with 204 and notes it in the ledger of the load that runs.
type receiver struct {
	url    string
	server *http.Server
	ledger atomic.Pointer[ledger]
	// offset is the number of the load's first event: warm-up and measurement share one sequence.
	offset atomic.Int64
}

func startReceiver(ctx context.Context) (*receiver, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	r := &receiver{url: "http://" + l.Addr().String()}
	r.server = &http.Server{Handler: http.HandlerFunc(r.serve), ReadHeaderTimeout: 10 * time.Second}
	go r.server.Serve(l) //nolint:errcheck // ends with close
	return r, nil
}

func (r *receiver) close() { _ = r.server.Close() }

// expect makes l the ledger of the events from offset on.
func (r *receiver) expect(l *ledger, offset int) {
	r.ledger.Store(nil)
	r.offset.Store(int64(offset))
	r.ledger.Store(l)
}

// urlOf is where the subscription's deliveries go.
func (r *receiver) urlOf(subscription int) string { return r.url + "/" + strconv.Itoa(subscription) }

func (r *receiver) serve(w http.ResponseWriter, request *http.Request) {
	var head [32]byte
	n, _ := io.ReadFull(request.Body, head[:]) // a short body has no number
	_, err := io.Copy(io.Discard, request.Body)
	subscription, pathErr := strconv.Atoi(strings.TrimPrefix(request.URL.Path, "/"))
	number, ok := numberOf(head[:n])
	if err != nil || pathErr != nil || !ok {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	if l := r.ledger.Load(); l != nil {
		l.record(subscription, number-int(r.offset.Load()))
	}
	w.WriteHeader(http.StatusNoContent)
}

// numberOf reads the number at the beginning of a payload.
func numberOf(head []byte) (int, bool) {
	rest, ok := bytes.CutPrefix(head, []byte(numbered))
	digits, _, end := bytes.Cut(rest, []byte(","))
	n, err := strconv.Atoi(string(digits))
	return n, ok && end && err == nil
}
