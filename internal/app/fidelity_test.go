package app_test

import (
	"crypto/sha256"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// poisonCases is how many payloads the plain suite sends; `make fault` sends 10,000.
const poisonCases = 120

// Every byte of a payload arrives as it was published: on the first try, on the retry and on a redelivery.
func TestF52_F53_F55_F56_F57_PayloadsArriveByteForByte(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		w.delivers(corpus(w.t, poisonCases, 50), 4*patience)
	})
}

// In an envelope, too: the payload's own bytes stand in the body. Alviere's are delivered in their order.
func TestF52_PayloadsInEnvelopesKeepTheirBytes(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		payloads, receiver, app := corpus(t, poisonCases, 50), newSink(t), w.alviere()
		w.account(app, receiver.URL)
		w.publishes(app, "ACCOUNT", payloads)
		require.Eventually(t, func() bool { return len(receiver.got()) == len(payloads) }, 4*patience, 20*time.Millisecond)
		for i, got := range receiver.got() {
			require.Truef(t, strings.HasSuffix(string(got.body), `,"entity":`+payloads[i]+`}`), "%.200q", got.body)
		}
	})
}

// digests is a receiver that keeps the SHA-256 of each body, and refuses each event once.
type digests struct {
	*httptest.Server

	mu   sync.Mutex
	sums map[string][][sha256.Size]byte
}

func newDigests(t *testing.T) *digests {
	t.Helper()
	d := &digests{sums: map[string][][sha256.Size]byte{}}
	d.Server = newReceiver(t, http.HandlerFunc(d.serve))
	return d
}

func (d *digests) serve(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	id := r.Header.Get("webhook-id")
	d.mu.Lock()
	defer d.mu.Unlock()
	d.sums[id] = append(d.sums[id], sha256.Sum256(body))
	if len(d.sums[id]) == 1 {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
}

// have says whether each event has come so many times.
func (d *digests) have(times int, ids []string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, id := range ids {
		if len(d.sums[id]) < times {
			return false
		}
	}
	return true
}

// publishes publishes the payloads in batches of less than 500 events and 8 MiB, and returns the events' ids.
func (w *world) publishes(app, eventType string, payloads []string) (ids []string) {
	w.t.Helper()
	var events []string
	size := 0
	send := func() {
		if len(events) == 0 {
			return
		}
		answer := w.call("POST", "/v1/applications/"+app+"/events/batch", `{"events":[`+strings.Join(events, ",")+`]}`, 202)
		for _, result := range answer["results"].([]any) {
			require.Nil(w.t, result.(map[string]any)["error"])
			ids = append(ids, result.(map[string]any)["id"].(string))
		}
		events, size = nil, 0
	}
	for _, payload := range payloads {
		if len(events) == 500 || size+len(payload) > 7<<20 {
			send()
		}
		events = append(events, `{"type":"`+eventType+`","payload":`+payload+`}`)
		size += len(payload) + 100
	}
	send()
	return ids
}

// delivers publishes the payloads to a receiver that refuses each once, redelivers them all, and compares the bytes of
// all three; each of the two parts may take as long as said.
func (w *world) delivers(payloads []string, patience time.Duration) {
	w.t.Helper()
	receiver := newDigests(w.t)
	app := w.application("standard", `{"retry":{"kind":"fixed","interval":"10ms","max_attempts":5}}`)
	w.subscription(app, receiver.URL, nil)
	ids := w.publishes(app, "p", payloads)
	require.Len(w.t, ids, len(payloads))
	require.Eventually(w.t, func() bool { return receiver.have(2, ids) }, patience, 100*time.Millisecond, "not all were retried")
	require.Eventually(w.t, func() bool {
		return w.redeliveries(app, `{"dry_run":true,"filter":{"status":"succeeded"}}`).count("matched") == len(ids)
	}, patience, 100*time.Millisecond)
	job := w.redeliveries(app, `{"filter":{"status":"succeeded"},"rate":1000}`)
	require.Equal(w.t, len(ids), w.jobEnds(job["id"], patience).count("succeeded"))
	for i, id := range ids {
		want := sha256.Sum256([]byte(payloads[i]))
		require.Lenf(w.t, receiver.sums[id], 3, "payload %d", i)
		for try, got := range receiver.sums[id] {
			require.Equalf(w.t, want, got, "payload %d, try %d: %.200q", i, try, payloads[i])
		}
	}
}
