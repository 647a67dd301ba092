package models_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/models"
)

func claim(p models.RetryPolicy) *models.Claim {
	return &models.Claim{
		InvocationID: "i", Number: 1, Trigger: models.TriggerScheduled, EventID: "e", Spec: &models.Spec{Retry: p},
	}
}

func failedAt(start time.Time) models.Result {
	return models.Result{
		StartedAt: start, FinishedAt: start.Add(2 * time.Second), Outcome: models.AttemptFailed,
		Error: &models.AttemptError{Code: models.AttemptStatus},
	}
}

func TestSettle(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	at := func(d time.Duration) *time.Time { moment := start.Add(d); return &moment }
	cases := map[string]struct {
		change func(c *models.Claim, r *models.Result)
		status models.InvocationStatus
		next   *time.Time
	}{
		"success":       {func(_ *models.Claim, r *models.Result) { r.Outcome = models.AttemptSucceeded }, models.StatusSucceeded, nil},
		"first failure": {func(*models.Claim, *models.Result) {}, models.StatusRetrying, at(time.Hour + 2*time.Second)},
		"last failure":  {func(c *models.Claim, _ *models.Result) { c.PolicyAttempts = 72 }, models.StatusFailed, nil},
		"one before the last": {
			func(c *models.Claim, _ *models.Result) { c.PolicyAttempts = 71 }, models.StatusRetrying, at(time.Hour + 2*time.Second),
		},
		"a redelivery's failure changes nothing": {
			func(c *models.Claim, _ *models.Result) { c.Trigger, c.PolicyAttempts = models.TriggerRedeliver, 72 }, "", nil,
		},
		"a redelivery's success ends it": {
			func(c *models.Claim, r *models.Result) {
				c.Trigger, r.Outcome = models.TriggerRedeliver, models.AttemptSucceeded
			}, models.StatusSucceeded, nil,
		},
		"a test is tried once": {func(c *models.Claim, _ *models.Result) { c.Trigger = models.TriggerTest }, models.StatusFailed, nil},
		"Retry-After beyond the policy": {
			func(_ *models.Claim, r *models.Result) { r.RetryAfter = 3 * time.Hour }, models.StatusRetrying, at(3*time.Hour + 2*time.Second),
		},
		"Retry-After within the policy": {
			func(_ *models.Claim, r *models.Result) { r.RetryAfter = time.Second }, models.StatusRetrying, at(time.Hour + 2*time.Second),
		},
		"Retry-After does not stretch max_age": {
			func(c *models.Claim, r *models.Result) {
				c.Spec.Retry.MaxAge, r.RetryAfter = d("2h"), 3*time.Hour
			}, models.StatusRetrying, at(2 * time.Hour),
		},
		"max_age counts from the first attempt": {
			func(c *models.Claim, _ *models.Result) {
				c.Spec.Retry.MaxAge, c.FirstAttemptAt, c.PolicyAttempts = d("3h"), at(-2*time.Hour), 2
			}, models.StatusFailed, nil,
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			claim, result := claim(viva()), failedAt(start)
			c.change(claim, &result)
			got := claim.Settle(result)
			require.Equal(t, c.status, got.Status)
			require.Equal(t, c.next, got.NextAttemptAt)
			require.Same(t, claim, got.Claim)
		})
	}
}

func TestRetryCountOfTheEnvelope(t *testing.T) {
	t.Parallel()
	c := claim(viva())
	require.Zero(t, c.RetryCount())
	c.Number = 4
	require.Equal(t, 3, c.RetryCount())
}
