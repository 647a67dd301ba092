package observe_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/internal/observe"
	"github.com/posthorn/posthorn/models"
)

func TestAttemptLeavesOneLineWithoutWhatIsPrivate(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	m := observe.NewMetrics(observe.NewLogger(&log, "info", "json"))
	failed := models.Settlement{
		Claim: &models.Claim{
			InvocationID: "inv", EventType: "a.b", Number: 3, Trigger: models.TriggerScheduled,
			URL: "https://canary.example", Payload: []byte("canary"), Secrets: models.Secrets{SecurityKey: "canary"},
		},
		Result: models.Result{
			Outcome: models.AttemptFailed, StatusCode: 503, FinishedAt: time.Unix(1, 0), StartedAt: time.Unix(0, 0),
			Error: &models.AttemptError{Code: models.AttemptStatus, Message: "the receiver answered 503"},
		},
		Status: models.StatusRetrying,
	}
	m.Attempted(t.Context(), failed, true)
	require.Equal(t, 1, bytes.Count(log.Bytes(), []byte("\n")))
	for _, want := range []string{`"invocation_id":"inv"`, `"number":3`, `"status_code":503`, `"error":"status"`, `"then":"retrying"`} {
		require.Contains(t, log.String(), want)
	}
	require.NotContains(t, log.String(), "canary")
}

func TestMetricsHaveThePrefix(t *testing.T) {
	t.Parallel()
	m := observe.NewMetrics(observe.NewLogger(&bytes.Buffer{}, "error", "text"))
	m.Accepted(false)
	m.Dispatched(2, time.Second)
	m.Reconciled(1)
	m.FilterFailed(t.Context(), "sub", "cost")
	m.Denied(models.CodeForbidden)
	families, err := m.Registry().Gather()
	require.NoError(t, err)
	own := map[string]bool{}
	for _, family := range families {
		own[family.GetName()] = true
	}
	for _, name := range []string{
		"posthorn_events_accepted_total", "posthorn_dispatched_total", "posthorn_dispatch_lag_seconds",
		"posthorn_reconciled_total", "posthorn_filter_errors_total", "posthorn_requests_denied_total",
	} {
		require.True(t, own[name], name)
	}
}
