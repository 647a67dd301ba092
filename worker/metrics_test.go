package worker_test

import (
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/worker"
)

func TestMetricsOfTheSDKAreShownUnderTheirDocumentedNames(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewPedanticRegistry()
	m := worker.Metrics(registry).WithTags(map[string]string{"namespace": "default", "stranger": "x"})
	m.Counter("temporal_request").Inc(2)
	m.WithTags(map[string]string{"operation": "Start\xff"}).Counter("temporal_request").Inc(3)
	m.Gauge("temporal_num_pollers").Update(4)
	m.Timer("temporal_request_latency").Record(1500 * time.Millisecond)

	families, err := registry.Gather()
	require.NoError(t, err)
	values := map[string]float64{}
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			name := family.GetName()
			for _, label := range metric.GetLabel() {
				if label.GetValue() != "" {
					name += " " + label.GetName() + "=" + label.GetValue()
				}
			}
			values[name] = valueOf(metric)
		}
	}
	require.Equal(t, map[string]float64{
		"temporal_request_total namespace=default":                  2,
		"temporal_request_total namespace=default operation=Start?": 3,
		"temporal_num_pollers namespace=default":                    4,
		"temporal_request_latency_seconds namespace=default":        1.5,
	}, values)
}

func valueOf(m *dto.Metric) float64 {
	switch {
	case m.GetCounter() != nil:
		return m.GetCounter().GetValue()
	case m.GetGauge() != nil:
		return m.GetGauge().GetValue()
	default:
		return m.GetHistogram().GetSampleSum()
	}
}

// What the SDK does for each thing that it counts: about thirty of them go into one delivery.
func BenchmarkMetricsOfTheSDK(b *testing.B) {
	m := worker.Metrics(prometheus.NewRegistry()).WithTags(map[string]string{
		"namespace": "default", "worker_type": "none", "task_queue": "posthorn", "workflow_type": "none", "activity_type": "none",
	})
	tags := map[string]string{"operation": "RespondWorkflowTaskCompleted"}
	b.ReportAllocs()
	for b.Loop() {
		tagged := m.WithTags(tags)
		tagged.Counter("temporal_request").Inc(1)
		tagged.Timer("temporal_request_latency").Record(time.Millisecond)
	}
}
