package observe_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/internal/observe"
	"github.com/posthorn/posthorn/models"
)

func TestMetricsHaveThePrefix(t *testing.T) {
	t.Parallel()
	m := observe.NewMetrics(observe.NewLogger(&bytes.Buffer{}, "error", "text"))
	m.Accepted(false)
	m.Dispatched(2, time.Second)
	m.Reconciled(1)
	m.FilterFailed(t.Context(), "sub", "cost")
	m.Denied(models.CodeForbidden)
	m.Published(202, time.Millisecond)
	families, err := m.Registry().Gather()
	require.NoError(t, err)
	own := map[string]bool{}
	for _, family := range families {
		own[family.GetName()] = true
	}
	for _, name := range []string{
		"posthorn_events_accepted_total", "posthorn_dispatched_total", "posthorn_dispatch_lag_seconds",
		"posthorn_reconciled_total", "posthorn_filter_errors_total", "posthorn_requests_denied_total",
		"posthorn_publish_duration_seconds", "posthorn_attempts_total", "posthorn_invocations_ended_total",
	} {
		require.True(t, own[name], name)
	}
}
