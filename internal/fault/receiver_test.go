package fault_test

import (
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/require"
)

// delivery is what a receiver expects once: an event, at a subscription.
type delivery struct{ event, subscription string }

// request is one line of the ledger.
type request struct {
	delivery
	at, answered time.Time
	// sent is the sender's webhook-timestamp.
	sent int64
	sum  [sha256.Size]byte
	// status is what was answered; 0 = the connection was dropped, or is still held.
	status int
	// forged is set where the signature does not fit, cut where the sender was gone before it had its answer.
	forged, cut bool
}

// behaviour is what a receiver does with a request.
type behaviour struct {
	status int
	after  time.Duration
	// hold keeps the answer back until the receiver lets go.
	hold bool
	// drop ends the connection instead.
	drop bool
}

// receiver is the customers' side: it answers as it is told and writes everything down. Nothing is ever taken out of
// its ledger.
type receiver struct {
	*httptest.Server
	mu     sync.Mutex
	ledger []request
	// arrived lists the ledger's lines of each delivery; delivered counts deliveries that were answered 2xx.
	arrived   map[delivery][]int
	delivered int
	// applications counts the same by application.
	applications map[string]int
	held         int
	// behave decides, under the lock, by what is known: how often this delivery came before.
	behave func(d delivery, before int) behaviour
	letGo  chan struct{}
	// subscriptions and verifiers belong to the paths that requests come to.
	subscriptions map[string]place
	verifiers     map[string]*standardwebhooks.Webhook
	// anyTime lets a webhook-timestamp differ from this machine's clock.
	anyTime bool
}

func newReceiver(t *testing.T) *receiver {
	t.Helper()
	r := &receiver{
		arrived: map[delivery][]int{}, letGo: make(chan struct{}),
		subscriptions: map[string]place{}, applications: map[string]int{}, verifiers: map[string]*standardwebhooks.Webhook{},
		behave: func(delivery, int) behaviour { return behaviour{status: http.StatusOK} },
	}
	r.Server = httptest.NewServer(http.HandlerFunc(r.receive))
	t.Cleanup(func() {
		r.release()
		r.CloseClientConnections()
		r.Close()
	})
	return r
}

// behaves makes the receiver answer so from now on.
func (r *receiver) behaves(behave func(d delivery, before int) behaviour) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.behave = behave
}

// flaky refuses, drops or delays some requests, by the dice; never one that was refused before.
func flaky(dice *rand.Rand) func(delivery, int) behaviour {
	return func(_ delivery, before int) behaviour {
		switch n := dice.IntN(100); {
		case before == 0 && n < 3:
			return behaviour{status: http.StatusServiceUnavailable}
		case before == 0 && n < 4:
			return behaviour{drop: true}
		case n < 10:
			return behaviour{status: http.StatusOK, after: time.Duration(dice.IntN(50)) * time.Millisecond}
		default:
			return behaviour{status: http.StatusOK}
		}
	}
}

// release lets go of every request that is held, and of those that come from now on.
func (r *receiver) release() {
	r.mu.Lock()
	defer r.mu.Unlock()
	select {
	case <-r.letGo:
	default:
		close(r.letGo)
	}
}

// place is whose deliveries come to a path.
type place struct{ application, subscription string }

// knows tells the receiver whose a path is, and the secret that is signed with.
func (r *receiver) knows(path string, p place, secret string) error {
	verifier, err := standardwebhooks.NewWebhook(secret)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.subscriptions[path], r.verifiers[path] = p, verifier
	return err
}

func (r *receiver) receive(w http.ResponseWriter, req *http.Request) {
	if req.Method == "PRI" { // a Temporal client that looks for a server whose port this was
		return
	}
	body, err := io.ReadAll(req.Body)
	if err != nil {
		panic(http.ErrAbortHandler) // cut before it was all here: not a request yet
	}
	line, does := r.record(req, body)
	if does.hold {
		select {
		case <-r.letGo:
		case <-req.Context().Done():
			r.noteCut(line)
			panic(http.ErrAbortHandler)
		}
	}
	if does.after > 0 {
		<-time.After(does.after)
	}
	if does.drop {
		panic(http.ErrAbortHandler)
	}
	r.answer(req.URL.Path, line, does.status)
	w.WriteHeader(does.status)
}

func (r *receiver) record(req *http.Request, body []byte) (line int, does behaviour) {
	r.mu.Lock()
	defer r.mu.Unlock()
	entry := request{at: time.Now(), sum: sha256.Sum256(body)}
	entry.event, entry.subscription = req.Header.Get("webhook-id"), r.subscriptions[req.URL.Path].subscription
	entry.sent, _ = strconv.ParseInt(req.Header.Get("webhook-timestamp"), 10, 64)
	verify := (*standardwebhooks.Webhook).Verify
	if r.anyTime {
		verify = (*standardwebhooks.Webhook).VerifyIgnoringTimestamp
	}
	if verifier := r.verifiers[req.URL.Path]; verifier == nil || verify(verifier, body, req.Header) != nil {
		entry.forged = true
	}
	does = r.behave(entry.delivery, len(r.arrived[entry.delivery]))
	if does.hold {
		r.held++
	}
	line = len(r.ledger)
	r.ledger = append(r.ledger, entry)
	r.arrived[entry.delivery] = append(r.arrived[entry.delivery], line)
	return line, does
}

func (r *receiver) answer(path string, line, status int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ledger[line].answered, r.ledger[line].status = time.Now(), status
	if !success(status) {
		return
	}
	for _, other := range r.arrived[r.ledger[line].delivery] {
		if other != line && success(r.ledger[other].status) {
			return
		}
	}
	r.delivered++
	r.applications[r.subscriptions[path].application]++
}

// deliveredOf is how many deliveries of an application were taken.
func (r *receiver) deliveredOf(application string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.applications[application]
}

func (r *receiver) noteCut(line int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ledger[line].cut = true
}

// cuts are how many requests were cut while they were held, and how many of their deliveries came again since.
func (r *receiver) cuts() (cut, again int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, lines := range r.arrived {
		for n, line := range lines {
			if !r.ledger[line].cut {
				continue
			}
			cut++
			if n < len(lines)-1 {
				again++
			}
		}
	}
	return cut, again
}

func success(status int) bool { return status/100 == 2 }

// requests are those of a delivery, oldest first.
func (r *receiver) requests(d delivery) []request {
	r.mu.Lock()
	defer r.mu.Unlock()
	var list []request
	for _, line := range r.arrived[d] {
		list = append(list, r.ledger[line])
	}
	return list
}

// counts are how many requests came, how many deliveries were taken, and how many requests were held.
func (r *receiver) counts() (requests, delivered, held int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.ledger), r.delivered, r.held
}

// awaitHeld waits until so many requests have been held.
func (r *receiver) awaitHeld(t *testing.T, n int) {
	t.Helper()
	require.Eventuallyf(t, func() bool { _, _, held := r.counts(); return held >= n }, patience, 5*time.Millisecond,
		"%d requests were to hang", n)
}

// awaitDelivered waits until so many deliveries were taken, and returns how long that took.
func (r *receiver) awaitDelivered(t *testing.T, n int, within time.Duration) time.Duration {
	t.Helper()
	began := time.Now()
	last := 0
	for time.Since(began) < within {
		if _, last, _ = r.counts(); last >= n {
			return time.Since(began)
		}
		<-time.After(5 * time.Millisecond)
	}
	require.FailNow(t, fmt.Sprintf("%d of %d deliveries arrived within %s", last, n, within))
	return 0
}

// pathOf is the path of a receiver's nth subscription.
func pathOf(n int) string { return "/" + strconv.Itoa(n) }
