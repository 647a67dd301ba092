package observe_test

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/internal/observe"
	"github.com/posthorn/posthorn/models"
)

// attempted returns the line that a settlement leaves.
func attempted(t *testing.T, s models.Settlement) (line map[string]any, text string) {
	t.Helper()
	var log bytes.Buffer
	observe.NewMetrics(observe.NewLogger(&log, "info", "json")).Attempted(t.Context(), s, true)
	require.Equal(t, 1, bytes.Count(log.Bytes(), []byte("\n")))
	require.NoError(t, json.Unmarshal(log.Bytes(), &line))
	return line, log.String()
}

func TestAttemptLeavesOneLineWithoutWhatIsPrivate(t *testing.T) {
	t.Parallel()
	next := time.Unix(60, 0)
	line, text := attempted(t, models.Settlement{
		Claim: &models.Claim{
			InvocationID: "inv", SubscriptionID: "sub", ApplicationID: "app", EventID: "event", EventType: "a.b", Number: 3,
			Trigger: models.TriggerScheduled, Traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
			URL:     "https://user:canary@receiver.example:8443/canary?token=canary",
			Payload: []byte("canary"), Secrets: models.Secrets{SecurityKey: "canary"},
		},
		Result: models.Result{
			Outcome: models.AttemptFailed, StatusCode: 503, StartedAt: time.Unix(0, 0), FinishedAt: time.Unix(1, 500_000_000),
			Error:        &models.AttemptError{Code: models.AttemptStatus, Message: "canary"},
			ResponseBody: []byte("canary"),
		},
		Status: models.StatusRetrying, NextAttemptAt: &next,
	})
	require.NotContains(t, text, "canary")
	delete(line, "time")
	require.Equal(t, map[string]any{
		"level": "INFO", "msg": "attempt", "application_id": "app", "subscription_id": "sub", "invocation_id": "inv",
		"event_id": "event", "event_type": "a.b", "attempt": 3.0, "kind": "scheduled", "host": "receiver.example:8443",
		"outcome": "failed", "status_code": 503.0, "error": "status", "duration_ms": 1500.0, "status": "retrying",
		"kept": true, "next_attempt_at": "1970-01-01T00:01:00Z", "trace_id": "0af7651916cd43dd8448eb211c80319c",
	}, line)
}

func TestAttemptLineTellsWhatItWasFor(t *testing.T) {
	t.Parallel()
	for want, claim := range map[string]models.Claim{
		"scheduled":  {Trigger: models.TriggerScheduled},
		"test":       {Trigger: models.TriggerTest},
		"redelivery": {Trigger: models.TriggerRedeliver, RedeliveryID: "command"},
		"job":        {Trigger: models.TriggerRedeliver, RedeliveryID: "command", JobID: "job"},
	} {
		line, _ := attempted(t, models.Settlement{Claim: &claim, Result: models.Result{Outcome: models.AttemptSucceeded}})
		require.Equal(t, want, line["kind"])
	}
}
