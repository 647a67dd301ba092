package worker

import (
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.temporal.io/sdk/client"
)

// sdkLabels are the SDK's tags that its metrics are told apart by. Each metric has all of them; those that it does not
// use are empty, which is to Prometheus as if they were not there. Any other tag is dropped.
var sdkLabels = []string{ //nolint:gochecknoglobals // a constant in all but kind
	"namespace", "worker_type", "workflow_type", "activity_type", "task_queue", "operation", "poller_type",
	"failure_reason", "status_code", "cause",
}

// Metrics shows what the Temporal SDK counts in the registry, under the SDK's names (temporal_…), counters with the suffix
// _total and durations in seconds with _seconds, as the SDK's documentation has them for Prometheus.
func Metrics(registry prometheus.Registerer) client.MetricsHandler {
	return sdkMetrics{families: &families{
		registry: registry, counters: map[string]*prometheus.CounterVec{}, gauges: map[string]*prometheus.GaugeVec{},
		histograms: map[string]*prometheus.HistogramVec{},
	}, values: make([]string, len(sdkLabels))}
}

type sdkMetrics struct {
	families *families
	values   []string
}

// WithTags implements client.MetricsHandler.
func (m sdkMetrics) WithTags(tags map[string]string) client.MetricsHandler {
	values := slices.Clone(m.values)
	for i, label := range sdkLabels {
		if value, ok := tags[label]; ok {
			values[i] = strings.ToValidUTF8(value, "?")
		}
	}
	return sdkMetrics{families: m.families, values: values}
}

// Counter implements client.MetricsHandler.
func (m sdkMetrics) Counter(name string) client.MetricsCounter {
	vec := family(m.families, m.families.counters, name, func() *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name + "_total", Help: sdkHelp}, sdkLabels)
	})
	return sdkCounter{vec.WithLabelValues(m.values...)}
}

// Gauge implements client.MetricsHandler.
func (m sdkMetrics) Gauge(name string) client.MetricsGauge {
	vec := family(m.families, m.families.gauges, name, func() *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: sdkHelp}, sdkLabels)
	})
	return sdkGauge{vec.WithLabelValues(m.values...)}
}

// Timer implements client.MetricsHandler.
func (m sdkMetrics) Timer(name string) client.MetricsTimer {
	vec := family(m.families, m.families.histograms, name, func() *prometheus.HistogramVec {
		return prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: name + "_seconds", Help: sdkHelp, Buckets: prometheus.ExponentialBuckets(0.001, 4, 10),
		}, sdkLabels)
	})
	return sdkTimer{vec.WithLabelValues(m.values...)}
}

const sdkHelp = "Of the Temporal SDK; see https://docs.temporal.io/references/sdk-metrics."

// families are the metrics that the SDK has named so far.
type families struct {
	registry   prometheus.Registerer
	mu         sync.RWMutex
	counters   map[string]*prometheus.CounterVec
	gauges     map[string]*prometheus.GaugeVec
	histograms map[string]*prometheus.HistogramVec
}

func family[V prometheus.Collector](f *families, known map[string]V, name string, fresh func() V) V {
	f.mu.RLock()
	vec, ok := known[name]
	f.mu.RUnlock()
	if ok {
		return vec
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if vec, ok = known[name]; !ok {
		vec = fresh()
		_ = f.registry.Register(vec) // a name that the registry does not take is counted and not shown
		known[name] = vec
	}
	return vec
}

type sdkCounter struct{ counter prometheus.Counter }

func (c sdkCounter) Inc(n int64) { c.counter.Add(float64(n)) }

type sdkGauge struct{ gauge prometheus.Gauge }

func (g sdkGauge) Update(value float64) { g.gauge.Set(value) }

type sdkTimer struct{ histogram prometheus.Observer }

func (t sdkTimer) Record(took time.Duration) { t.histogram.Observe(took.Seconds()) }
