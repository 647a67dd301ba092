package workflows_test

import (
	"context"
	"sync"
	"time"

	"github.com/posthorn/posthorn/models"
)

// script answers the attempts at one invocation.
type script func(claim *models.Claim) models.Result

// receiver is the other end of every delivery: it answers each invocation by its script.
type receiver struct {
	mu      sync.Mutex
	now     func() time.Time
	scripts map[string]script
	// sent are the requests in the order in which they came in.
	sent []string
}

func (r *receiver) Send(_ context.Context, claim *models.Claim) models.Result {
	started := r.now()
	r.mu.Lock()
	r.sent = append(r.sent, claim.InvocationID)
	answer := r.scripts[claim.InvocationID]
	r.mu.Unlock()
	result := answer(claim)
	result.StartedAt, result.FinishedAt = started, r.now()
	return result
}

// requests is how many requests came in for the invocation.
func (r *receiver) requests(id string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := 0
	for _, sent := range r.sent {
		if sent == id {
			n++
		}
	}
	return n
}

func ok(*models.Claim) models.Result {
	return models.Result{Outcome: models.AttemptSucceeded, StatusCode: 200}
}

func unavailable(*models.Claim) models.Result {
	return models.Result{
		Outcome: models.AttemptFailed, StatusCode: 503,
		Error: &models.AttemptError{Code: models.AttemptStatus, Message: "HTTP 503"},
	}
}

// okAfter fails so many times.
func okAfter(failures int) script {
	return func(c *models.Claim) models.Result {
		if c.Number <= failures {
			return unavailable(c)
		}
		return ok(c)
	}
}

// okWhenRedelivered fails every scheduled attempt.
func okWhenRedelivered(c *models.Claim) models.Result {
	if c.Trigger == models.TriggerRedeliver {
		return ok(c)
	}
	return unavailable(c)
}

// first runs do at the first attempt, before the answer.
func first(do func(), answer script) script {
	return func(c *models.Claim) models.Result {
		if c.Number == 1 {
			do()
		}
		return answer(c)
	}
}

// hanging answers when released.
func hanging(release <-chan struct{}, answer script) script {
	return func(c *models.Claim) models.Result {
		<-release
		return answer(c)
	}
}

// observer ignores what happens.
type observer struct{}

func (observer) Attempted(context.Context, models.Settlement, bool) {}

func hourly(attempts int) models.RetryPolicy {
	return models.RetryPolicy{
		Kind: models.RetryFixed, Interval: models.Duration(time.Hour), MaxAttempts: attempts,
	}
}
