package api

import (
	"context"
	"sync"
	"time"

	"github.com/posthorn/posthorn/models"
)

const (
	// maxHandshakes is how many handshakes are in flight at a time in one process: each is a GET to a URL that nobody has
	// proven to own, and may take ten seconds.
	maxHandshakes = 32
	// maxHandshakesOfOne is how many of them are one application's, so that none keeps the others from theirs.
	maxHandshakesOfOne = 16
)

// handshakes bounds what is in flight; a subscription has one at a time.
type handshakes struct {
	mu            sync.Mutex
	subscriptions map[string]struct{}
	applications  map[string]int
}

func newHandshakes() *handshakes {
	return &handshakes{subscriptions: map[string]struct{}{}, applications: map[string]int{}}
}

// begin takes a place for the subscription's handshake, which end gives back. It does not wait: it refuses with
// CodeConflict where the subscription has one in flight, and with CodeRateLimited where too many others are.
func (h *handshakes) begin(sub *models.Subscription) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, busy := h.subscriptions[sub.ID]; busy {
		return models.Errorf(models.CodeConflict, "the URL is being verified already")
	}
	if h.applications[sub.ApplicationID] >= maxHandshakesOfOne {
		return tooManyHandshakes(maxHandshakesOfOne, "of the application ")
	}
	if len(h.subscriptions) >= maxHandshakes {
		return tooManyHandshakes(maxHandshakes, "")
	}
	h.subscriptions[sub.ID] = struct{}{}
	h.applications[sub.ApplicationID]++
	return nil
}

func (h *handshakes) end(sub *models.Subscription) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.subscriptions, sub.ID)
	h.applications[sub.ApplicationID]--
	if h.applications[sub.ApplicationID] == 0 {
		delete(h.applications, sub.ApplicationID)
	}
}

func tooManyHandshakes(most int, whose string) error {
	refusal := models.Errorf(models.CodeRateLimited, "%d URLs %sare being verified at this moment", most, whose)
	refusal.RetryAfter = time.Second
	return refusal
}

// shakeHands does the handshake of the call's subscription with the URL, if there is a place for it.
func (s *server) shakeHands(ctx context.Context, c *call, url, member string) error {
	if err := s.handshakes.begin(c.subscription); err != nil {
		return err
	}
	defer s.handshakes.end(c.subscription)
	return s.Verifier.Verify(ctx, url, member, c.application.HandshakeKey)
}
