package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"
)

const (
	// maxBody is the largest request that the receiver keeps: Posthorn's largest payload and its envelope.
	maxBody = 2 << 20
	// longestHang bounds a step that hangs; the sender's timeout comes first.
	longestHang = 30 * time.Second
)

// receiver plays the subscribers: one path per endpoint, answers by script, a ledger of what came.
type receiver struct {
	url    string
	server http.Server

	mu     sync.Mutex
	places map[string]*place
}

// place is one endpoint at the receiver.
type place struct {
	script []step
	// secret verifies Standard Webhooks signatures; "" = this endpoint's requests are not signed.
	secret string
	// handshake is the answer to a GET; nil = none.
	handshake []byte
	// hits are the requests of each event, by the event's id, oldest first.
	hits map[string][]hit
}

// hit is one request that came.
type hit struct {
	body   string
	signed verdict
}

// startReceiver listens on a free port of this machine.
func startReceiver(ctx context.Context) (*receiver, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("start the demo's receiver: %w", err)
	}
	r := &receiver{url: "http://" + listener.Addr().String(), places: map[string]*place{}}
	r.server.ReadHeaderTimeout = 5 * time.Second
	r.server.Handler = http.HandlerFunc(r.serve)
	go r.server.Serve(listener) //nolint:errcheck // ends with close
	return r, nil
}

// close ends every request, those that hang too.
func (r *receiver) close() { _ = r.server.Close() }

// add makes a place and returns its URL.
func (r *receiver) add(path string, script []step) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.places[path] = &place{script: script, hits: map[string][]hit{}}
	return r.url + path
}

// expectSignatures makes the place verify what comes with the subscription's secret.
func (r *receiver) expectSignatures(path, secret string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.places[path].secret = secret
}

// answerHandshake makes the place answer a GET with the application's key.
func (r *receiver) answerHandshake(path, member, key string) error {
	answer, err := json.Marshal(map[string]string{member: key})
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.places[path].handshake = answer
	return nil
}

// take removes and returns what came for the event.
func (r *receiver) take(path, eventID string) []hit {
	r.mu.Lock()
	defer r.mu.Unlock()
	hits := r.places[path].hits[eventID]
	delete(r.places[path].hits, eventID)
	return hits
}

func (r *receiver) serve(w http.ResponseWriter, request *http.Request) {
	body, err := io.ReadAll(io.LimitReader(request.Body, maxBody))
	if err != nil {
		return // the sender went away
	}
	r.mu.Lock()
	p := r.places[request.URL.Path]
	r.mu.Unlock()
	switch {
	case p == nil:
		http.NotFound(w, request)
	case request.Method == http.MethodGet:
		r.greet(w, p)
	default:
		answer(w, request, r.note(p, request.Header, string(body)))
	}
}

func (r *receiver) greet(w http.ResponseWriter, p *place) {
	r.mu.Lock()
	handshake := p.handshake
	r.mu.Unlock()
	if handshake == nil {
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(handshake)
}

// note enters the request in the ledger and returns the script's answer.
func (r *receiver) note(p *place, header http.Header, body string) step {
	r.mu.Lock()
	defer r.mu.Unlock()
	id := header.Get("Webhook-Id")
	turn := min(len(p.hits[id]), len(p.script)-1)
	p.hits[id] = append(p.hits[id], hit{body: body, signed: verify(p.secret, header, body)})
	return p.script[turn]
}

func answer(w http.ResponseWriter, request *http.Request, s step) {
	if s != hang {
		w.WriteHeader(int(s))
		if s >= http.StatusBadRequest {
			_, _ = io.WriteString(w, "the demo's receiver fails on purpose")
		}
		return
	}
	select {
	case <-request.Context().Done():
	case <-time.After(longestHang):
	}
}
