package observe_test

import (
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/internal/observe"
	"github.com/posthorn/posthorn/models"
)

// What an attempt's line and its metrics cost, the system call included.
func BenchmarkAttempted(b *testing.B) {
	nowhere, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	require.NoError(b, err)
	b.Cleanup(func() { _ = nowhere.Close() })
	m := observe.NewMetrics(observe.NewLogger(nowhere, "info", "json"))
	s := models.Settlement{
		Claim: &models.Claim{
			ApplicationID: models.NewID(), SubscriptionID: models.NewID(), InvocationID: models.NewID(), EventID: models.NewID(),
			EventType: "invoice.paid", Number: 1, Trigger: models.TriggerScheduled, URL: "https://receiver.example/hook",
		},
		Result: models.Result{
			Outcome: models.AttemptSucceeded, StatusCode: 200, StartedAt: time.Unix(0, 0), FinishedAt: time.Unix(0, 7_000_000),
		},
		Status: models.StatusSucceeded,
	}
	b.ReportAllocs()
	for b.Loop() {
		m.Attempted(b.Context(), s, true)
	}
}
