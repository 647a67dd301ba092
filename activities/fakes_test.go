package activities_test

import (
	"context"
	"log/slog"
	"sync"
	"time"

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
	// outcome changes what a settlement came to; nil = what it says.
	outcome func(s models.Settlement, settled *models.Settled)
	// woken counts the calls of Wake.
	woken int
	// sent, settled and observed are what reached the receiver, the database and the observer.
	sent              []string
	settled, observed []models.Settlement
	asked             int
}

func newWorld() *world {
	w := &world{gates: map[string][]models.Gate{}, lost: map[string]bool{}}
	w.Activities = &activities.Activities{
		Gatekeeper: w, Sender: w, Observer: w, Owner: "owner", Now: time.Now, Logger: slog.New(slog.DiscardHandler),
		Wake: func() { w.mu.Lock(); defer w.mu.Unlock(); w.woken++ },
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

func (w *world) Send(ctx context.Context, claim *models.Claim) models.Result {
	started := time.Now()
	w.mu.Lock()
	w.sent = append(w.sent, claim.Token)
	answer := w.answer
	w.mu.Unlock()
	result := models.Result{Outcome: models.AttemptSucceeded, StatusCode: 200}
	if answer != nil {
		result = answer(claim)
	}
	if ctx.Err() != nil {
		panic("the request was cut off: " + claim.Token)
	}
	result.StartedAt, result.FinishedAt = started, time.Now()
	return result
}

func (w *world) Settle(_ context.Context, s models.Settlement) (models.Settled, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := next(&w.settleErrors); err != nil {
		return models.Settled{}, err
	}
	if w.lost[s.Claim.Token] {
		return models.Settled{}, nil
	}
	w.settled = append(w.settled, s)
	settled := models.Settled{Kept: true, Status: s.Status}
	if w.outcome != nil {
		w.outcome(s, &settled)
	}
	return settled, nil
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

// granted is a gate's yes to a first attempt.
func granted(id, token string, policy models.RetryPolicy) models.Gate {
	return models.Gate{InvocationID: id, Verdict: models.VerdictGranted, Claim: &models.Claim{
		Token: token, InvocationID: id, Number: 1, Trigger: models.TriggerScheduled, Spec: &models.Spec{Retry: policy},
	}}
}

// redelivery is a gate's yes to the command "c" for "a".
func redelivery() models.Gate {
	gate := granted("a", "c", models.RetryPolicy{})
	gate.Claim.Trigger, gate.Claim.RedeliveryID = models.TriggerRedeliver, "c"
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

// attempt runs the activity for "a" once, as Temporal would.
func (w *world) attempt() (status activities.AttemptResult, err error) {
	env := environment()
	env.RegisterActivity(w.Attempt)
	value, err := env.ExecuteActivity(w.Attempt, activities.AttemptInput{Invocation: "a"})
	if err == nil {
		err = value.Get(&status)
	}
	return status, err
}

// redeliver carries out the command "c" for "a".
func (w *world) redeliver() (result activities.RedeliverResult, err error) {
	env := environment()
	env.RegisterActivity(w.Redeliver)
	value, err := env.ExecuteActivity(w.Redeliver, activities.RedeliverInput{Invocation: "a", Command: "c"})
	if err == nil {
		err = value.Get(&result)
	}
	return result, err
}
