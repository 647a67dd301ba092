package observe_test

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/internal/observe"
	"github.com/posthorn/posthorn/models"
)

// gauges gathers the metrics whose one sample is a gauge.
func gauges(t *testing.T, m *observe.Metrics) map[string]float64 {
	t.Helper()
	families, err := m.Registry().Gather()
	require.NoError(t, err)
	values := map[string]float64{}
	for _, family := range families {
		if gauge := family.GetMetric()[0].GetGauge(); gauge != nil {
			values[family.GetName()] = gauge.GetValue()
		}
	}
	return values
}

func TestQueuesAreReadAtMostEveryFifteenSeconds(t *testing.T) {
	t.Parallel()
	m := observe.NewMetrics(observe.NewLogger(&bytes.Buffer{}, "error", "text"))
	now, reads := time.Unix(1, 0), 0
	m.WatchQueues(func(context.Context) (models.Queues, error) {
		reads++
		return models.Queues{Depth: 10 * reads, HeadAge: time.Duration(reads) * 1500 * time.Millisecond}, nil
	}, func() time.Time { return now })
	require.Zero(t, reads, "nobody has asked")

	for range 3 {
		values := gauges(t, m)
		require.InDelta(t, 10, values["posthorn_queue_depth"], 0)
		require.InDelta(t, 1.5, values["posthorn_queue_head_age_seconds"], 0)
		now = now.Add(5*time.Second - time.Nanosecond)
	}
	require.Equal(t, 1, reads)
	now = now.Add(3 * time.Nanosecond)
	require.InDelta(t, 20, gauges(t, m)["posthorn_queue_depth"], 0)
}

func TestQueuesAreLeftOutWhileTheDatabaseIsDown(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	m := observe.NewMetrics(observe.NewLogger(&log, "info", "text"))
	now, down := time.Unix(1, 0), true
	m.WatchQueues(func(context.Context) (models.Queues, error) {
		if down {
			return models.Queues{}, errors.New("connection refused")
		}
		return models.Queues{Depth: 1}, nil
	}, func() time.Time { return now })

	for range 3 {
		require.NotContains(t, gauges(t, m), "posthorn_queue_depth")
	}
	require.Equal(t, 1, bytes.Count(log.Bytes(), []byte("connection refused")), "it is not asked again at once")
	down, now = false, now.Add(15*time.Second)
	require.InDelta(t, 1, gauges(t, m)["posthorn_queue_depth"], 0)
}
