package fault_test

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// canary is in every payload, and may be in no log.
const canary = "canary-of-a-payload"

// accepted is a line of the publisher's ledger: an event that was answered 202, or will be.
type accepted struct {
	key string
	sum [sha256.Size]byte
	// id and subscriptions are what the 202 said; "" = there was none yet.
	id            string
	subscriptions []string
}

// publisher publishes numbered events of one application, each under its idempotency key, and notes what it was told.
type publisher struct {
	client *client
	app    string

	mu     sync.Mutex
	ledger []accepted
	// unsure counts answers that told nothing: broken off, or 5xx; refused the 503s among them, and those without Retry-After.
	unsure, unavailable, unadvised int
	// slowest is the longest time to an answer.
	slowest time.Duration
}

// event is the request that publishes number n.
func event(app string, n int, kind string) (text, key string, payload []byte) {
	payload = fmt.Appendf(nil, `{"n":%d, "price": 100.50, "who":"%s"}`, n, canary)
	key = fmt.Sprintf("%s-%d", app, n)
	return fmt.Sprintf(`{"type":%q,"payload":%s,"idempotency_key":%q}`, kind, payload, key), key, payload
}

// told is the part of a 202 that the ledger keeps.
type told struct {
	ID          string `json:"id"`
	Duplicate   bool   `json:"duplicate"`
	Invocations []struct {
		ID             string `json:"id"`
		SubscriptionID string `json:"subscription_id"`
	} `json:"invocations"`
	Error *struct {
		Detail string `json:"detail"`
	} `json:"error"`
}

// errNotAccepted tells that an event got no 202 in time.
var errNotAccepted = errors.New("not accepted")

// publish publishes one event of the type, again and again under its key until it is answered 202 or ctx ends.
func (p *publisher) publish(ctx context.Context, n int, kind string) (told, error) {
	text, key, payload := event(p.app, n, kind)
	line := p.begin(key, payload)
	var answer told
	body, err := p.insist(ctx, "/events", text)
	if err == nil {
		err = json.Unmarshal(body, &answer)
	}
	if err == nil {
		p.note(line, answer)
	}
	return answer, err
}

// batch publishes the events from number n on, one of each type given, like publish.
func (p *publisher) batch(ctx context.Context, n int, kinds []string) error {
	lines := make([]int, len(kinds))
	events := make([]string, len(kinds))
	for i, kind := range kinds {
		text, key, payload := event(p.app, n+i, kind)
		events[i], lines[i] = text, p.begin(key, payload)
	}
	body, err := p.insist(ctx, "/events/batch", `{"events":[`+strings.Join(events, ",")+`]}`)
	if err != nil {
		return err
	}
	var answer struct {
		Results []told `json:"results"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return err
	}
	for i, result := range answer.Results {
		if result.Error != nil {
			return fmt.Errorf("%w: event %d: %s", errNotAccepted, n+i, result.Error.Detail)
		}
		p.note(lines[i], result)
	}
	return nil
}

// insist repeats a request until it is answered 202.
func (p *publisher) insist(ctx context.Context, path, body string) ([]byte, error) {
	for {
		began := time.Now()
		a, err := p.client.ask(ctx, http.MethodPost, "/v1/applications/"+p.app+path, []byte(body))
		p.hear(a, err, time.Since(began))
		if err == nil && a.status == http.StatusAccepted {
			return a.body, nil
		}
		if err == nil && a.status < http.StatusInternalServerError && a.status != http.StatusTooManyRequests {
			return nil, fmt.Errorf("%w: %d %s", errNotAccepted, a.status, a.body)
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("%w: %w; last answer %d %s", errNotAccepted, ctx.Err(), a.status, a.body)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func (p *publisher) hear(a answer, err error, took time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.slowest = max(p.slowest, took)
	if err != nil || a.status >= http.StatusInternalServerError {
		p.unsure++
	}
	if err == nil && a.status == http.StatusServiceUnavailable {
		p.unavailable++
		if a.header.Get("Retry-After") == "" {
			p.unadvised++
		}
	}
}

func (p *publisher) begin(key string, payload []byte) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ledger = append(p.ledger, accepted{key: key, sum: sha256.Sum256(payload)})
	return len(p.ledger) - 1
}

func (p *publisher) note(line int, answer told) {
	p.mu.Lock()
	defer p.mu.Unlock()
	entry := &p.ledger[line]
	entry.id = answer.ID
	for _, invocation := range answer.Invocations {
		entry.subscriptions = append(entry.subscriptions, invocation.SubscriptionID)
	}
}

// accepted are the events that were answered 202.
func (p *publisher) accepted() []accepted {
	p.mu.Lock()
	defer p.mu.Unlock()
	var list []accepted
	for _, entry := range p.ledger {
		if entry.id != "" {
			list = append(list, entry)
		}
	}
	return list
}

// many publishes count events of the type, from number first on, from several clients at once.
func (p *publisher) many(t *testing.T, first, count, clients int, kind string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience+2*outageOf(10*time.Minute))
	defer cancel()
	numbers := make(chan int)
	var group sync.WaitGroup
	var failed error
	var mu sync.Mutex
	for range clients {
		group.Go(func() {
			for n := range numbers {
				if _, err := p.publish(ctx, n, kind); err != nil {
					mu.Lock()
					failed = errors.Join(failed, err)
					mu.Unlock()
				}
			}
		})
	}
	for n := first; n < first+count; n++ {
		numbers <- n
	}
	close(numbers)
	group.Wait()
	require.NoError(t, failed)
}
