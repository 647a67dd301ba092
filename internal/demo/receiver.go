package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
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
	endpoint endpoint
	// idMember is the body's member that holds the event's id; "" = the header webhook-id does.
	idMember string
	proof    proof
	// handshake is the answer to a GET; nil = none.
	handshake []byte
	// hits are the requests of each event, by the event's id, oldest first.
	hits map[string][]hit
	// arrivals are the ids of the events in the order of their requests, repetitions in a row left out.
	arrivals []string
}

// hit is one request that came.
type hit struct {
	body  string
	proof verdict
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
func (r *receiver) add(path string, e endpoint, idMember string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.places[path] = &place{endpoint: e, idMember: idMember, hits: map[string][]hit{}}
	return r.url + path
}

// expect makes the place check what comes.
func (r *receiver) expect(path string, p proof) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.places[path].proof = p
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

// takeArrivals removes and returns in which order the events came.
func (r *receiver) takeArrivals(path string) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	arrivals := r.places[path].arrivals
	r.places[path].arrivals = nil
	return arrivals
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
	id, script := p.eventID(header, body), p.endpoint.scriptFor(body)
	turn := min(len(p.hits[id]), len(script)-1)
	p.hits[id] = append(p.hits[id], hit{body: body, proof: p.proof.verify(header, body)})
	if n := len(p.arrivals); n == 0 || p.arrivals[n-1] != id {
		p.arrivals = append(p.arrivals, id)
	}
	return script[turn]
}

// eventID is by what receivers of the provider know an event again.
func (p *place) eventID(header http.Header, body string) string {
	if p.idMember == "" {
		return header.Get("Webhook-Id")
	}
	var (
		members map[string]json.RawMessage
		id      string
	)
	if json.Unmarshal([]byte(body), &members) == nil {
		_ = json.Unmarshal(members[p.idMember], &id) // absent or no string: an id that no event has
	}
	return id
}

func (e endpoint) scriptFor(body string) []step {
	for _, exception := range e.exceptions {
		if strings.Contains(body, exception.text) {
			return exception.script
		}
	}
	return e.script
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
