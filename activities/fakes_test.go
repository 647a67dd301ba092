package activities_test

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	sdklog "go.temporal.io/sdk/log"
	"go.temporal.io/sdk/testsuite"

	"github.com/posthorn/posthorn/activities"
	"github.com/posthorn/posthorn/models"
)

// world is one worker's activities on a scripted gate and receiver.
type world struct {
	*activities.Activities

	mu sync.Mutex
	// gates answer Claim, and ClaimRedelivery, for an invocation or a command in order; the last one stays.
	gates map[string][]models.Gate
	// claimErrors are what the next calls of Claim and ClaimRedelivery fail with.
	claimErrors []error
	// settleErrors are what the next calls of Settle fail with.
	settleErrors []error
	// lost are tokens whose claims were taken over.
	lost map[string]bool
	// answer makes the receiver's answer; nil = HTTP 200.
	answer func(claim *models.Claim) models.Result
	// sent, settled and observed are what reached the receiver, the database and the observer.
	sent              []string
	settled, observed []models.Settlement
	asked             int
}

func newWorld() *world {
	w := &world{gates: map[string][]models.Gate{}, lost: map[string]bool{}}
	w.Activities = &activities.Activities{
		Gatekeeper: w, Sender: w, Observer: w, Owner: "owner", Now: time.Now, Logger: slog.New(slog.DiscardHandler),
	}
	return w
}

func (w *world) Claim(_ context.Context, owner string, ids []string) ([]models.Gate, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if owner != "owner" {
		panic("claimed for " + owner)
	}
	if err := next(&w.claimErrors); err != nil {
		return nil, err
	}
	var answers []models.Gate
	for _, id := range ids {
		if len(w.gates[id]) > 0 {
			answers = append(answers, w.take(id))
		}
	}
	return answers, nil
}

func (w *world) ClaimRedelivery(_ context.Context, _, command string) (models.Gate, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := next(&w.claimErrors); err != nil {
		return models.Gate{}, err
	}
	return w.take(command), nil
}

func (w *world) take(key string) models.Gate {
	w.asked++
	answer := w.gates[key][0]
	if len(w.gates[key]) > 1 {
		w.gates[key] = w.gates[key][1:]
	}
	return answer
}

func (w *world) Send(_ context.Context, claim *models.Claim) models.Result {
	started := time.Now()
	w.mu.Lock()
	w.sent = append(w.sent, claim.Token)
	answer := w.answer
	w.mu.Unlock()
	result := models.Result{Outcome: models.AttemptSucceeded, StatusCode: 200}
	if answer != nil {
		result = answer(claim)
	}
	result.StartedAt, result.FinishedAt = started, time.Now()
	return result
}

func (w *world) Settle(_ context.Context, s models.Settlement) (bool, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := next(&w.settleErrors); err != nil {
		return false, err
	}
	if w.lost[s.Claim.Token] {
		return false, nil
	}
	w.settled = append(w.settled, s)
	return true, nil
}

func (w *world) Attempted(_ context.Context, s models.Settlement, _ bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.observed = append(w.observed, s)
}

func next(errs *[]error) error {
	if len(*errs) == 0 {
		return nil
	}
	err := (*errs)[0]
	*errs = (*errs)[1:]
	return err
}

// granted is a gate's yes. The token is the invocation's id and the attempt's number.
func granted(id, token string, policy models.RetryPolicy) models.Gate {
	return models.Gate{InvocationID: id, Verdict: models.VerdictGranted, Claim: &models.Claim{
		Token: token, InvocationID: id, Number: 1, Trigger: models.TriggerScheduled, Spec: &models.Spec{Retry: policy},
	}}
}

func redelivery(id, command string) models.Gate {
	gate := granted(id, command, models.RetryPolicy{})
	gate.Claim.Trigger, gate.Claim.RedeliveryID = models.TriggerRedeliver, command
	return gate
}

func closed(id string, status models.InvocationStatus) models.Gate {
	return models.Gate{InvocationID: id, Verdict: models.VerdictClosed, Status: status}
}

func every(interval time.Duration, attempts int) models.RetryPolicy {
	return models.RetryPolicy{
		Kind: models.RetryFixed, Interval: models.Duration(interval), MaxAttempts: attempts,
	}
}

func unavailable(*models.Claim) models.Result {
	return models.Result{
		Outcome: models.AttemptFailed, StatusCode: 503,
		Error: &models.AttemptError{Code: models.AttemptStatus, Message: "HTTP 503"},
	}
}

// slowly answers 200 to the claims with these tokens after a time, to others at once.
func slowly(d time.Duration, tokens ...string) func(*models.Claim) models.Result {
	return func(claim *models.Claim) models.Result {
		for _, token := range tokens {
			if claim.Token == token {
				<-time.After(d)
			}
		}
		return models.Result{Outcome: models.AttemptSucceeded, StatusCode: 200}
	}
}

func environment() *testsuite.TestActivityEnvironment {
	suite := testsuite.WorkflowTestSuite{}
	suite.SetLogger(sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler)))
	return suite.NewTestActivityEnvironment()
}

// attempt runs the activity once, as Temporal would.
func (w *world) attempt(t *testing.T, id string) (activities.StatusOf, error) {
	t.Helper()
	env := environment()
	env.RegisterActivity(w.Attempt)
	var status activities.StatusOf
	value, err := env.ExecuteActivity(w.Attempt, activities.AttemptInput{Invocation: id})
	if err == nil {
		require.NoError(t, value.Get(&status))
	}
	return status, err
}

func (w *world) redeliver(t *testing.T, id, command string) (activities.RedeliverResult, error) {
	t.Helper()
	env := environment()
	env.RegisterActivity(w.Redeliver)
	var result activities.RedeliverResult
	value, err := env.ExecuteActivity(w.Redeliver, activities.RedeliverInput{Invocation: id, Command: command})
	if err == nil {
		require.NoError(t, value.Get(&result))
	}
	return result, err
}
