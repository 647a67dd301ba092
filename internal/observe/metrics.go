package observe

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/posthorn/posthorn/models"
)

// Metrics are Posthorn's own, under the prefix posthorn_.
type Metrics struct {
	registry   *prometheus.Registry
	logger     *slog.Logger
	answered   *prometheus.HistogramVec
	accepted   *prometheus.CounterVec
	attempts   *prometheus.CounterVec
	duration   prometheus.Histogram
	ended      *prometheus.CounterVec
	delivery   prometheus.Histogram
	dispatched prometheus.Counter
	lag        prometheus.Histogram
	reconciled prometheus.Counter
	lost       prometheus.Counter
	unfiltered *prometheus.CounterVec
	denied     *prometheus.CounterVec
}

// NewMetrics makes the metrics of one process. Attempts are also logged, one line each.
func NewMetrics(logger *slog.Logger) *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		logger:   logger,
		answered: histograms("posthorn_publish_duration_seconds",
			"Requests to publish, from their first byte to the answer, by result: accepted, refused (4xx), failed (5xx).",
			prometheus.ExponentialBuckets(0.001, 2, 15), "result"),
		accepted: counters("posthorn_events_accepted_total", "Events answered with 202, by whether they were repeats.", "duplicate"),
		attempts: counters("posthorn_attempts_total", "Attempts settled, by trigger, outcome and error code.",
			"trigger", "outcome", "error"),
		duration: histogram("posthorn_attempt_duration_seconds", "From the start of an attempt to its answer.",
			prometheus.ExponentialBuckets(0.001, 2, 16)),
		ended: counters("posthorn_invocations_ended_total",
			"Invocations that an attempt ended, by status: succeeded, or failed where the policy was used up.", "status"),
		delivery: histogram("posthorn_delivery_duration_seconds", "From the acceptance of an event to its scheduled delivery.",
			prometheus.ExponentialBuckets(0.005, 3, 14)),
		dispatched: counter("posthorn_dispatched_total", "Invocations handed to workflows."),
		lag: histogram("posthorn_dispatch_lag_seconds", "From when a row was due to when the dispatcher took it.",
			prometheus.ExponentialBuckets(0.001, 4, 10)),
		reconciled: counter("posthorn_reconciled_total",
			"Rows that nobody worked on; more than none tells of a crash or an outage."),
		lost: counter("posthorn_claims_lost_total",
			"Attempts whose worker was taken for dead before it could settle them."),
		unfiltered: counters("posthorn_filter_errors_total",
			"Filters that could not tell whether an event matches, so that it passed, by reason.", "reason"),
		denied: counters("posthorn_requests_denied_total",
			"Requests refused for their credentials (unauthenticated) or their key's role (forbidden).", "code"),
	}
	m.registry.MustRegister(m.answered, m.accepted, m.attempts, m.duration, m.ended, m.delivery, m.dispatched, m.lag,
		m.reconciled, m.lost, m.unfiltered, m.denied,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	m.begin()
	return m
}

// begin shows the series that alerts look at from the start, as 0: a rate needs to see the first step.
func (m *Metrics) begin() {
	for _, result := range []string{resultAccepted, resultRefused, resultFailed} {
		m.answered.WithLabelValues(result)
	}
	for _, duplicate := range []string{"false", "true"} {
		m.accepted.WithLabelValues(duplicate)
	}
	for _, status := range []models.InvocationStatus{models.StatusSucceeded, models.StatusFailed} {
		m.ended.WithLabelValues(string(status))
	}
	for _, code := range []models.Code{models.CodeUnauthenticated, models.CodeForbidden} {
		m.denied.WithLabelValues(string(code))
	}
	for _, reason := range []string{"expression", "evaluation", "cost", "time"} { // see ingest and filter
		m.unfiltered.WithLabelValues(reason)
	}
	for _, trigger := range []models.Trigger{models.TriggerScheduled, models.TriggerRedeliver, models.TriggerTest} {
		m.attempts.WithLabelValues(string(trigger), string(models.AttemptSucceeded), "")
		for _, code := range models.AttemptErrorCodes() {
			m.attempts.WithLabelValues(string(trigger), string(models.AttemptFailed), string(code))
		}
	}
}

func counter(name, help string) prometheus.Counter {
	return prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
}

func counters(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
}

func histogram(name, help string, buckets []float64) prometheus.Histogram {
	return prometheus.NewHistogram(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets})
}

func histograms(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets}, labels)
}

// Registry is what /metrics serves.
func (m *Metrics) Registry() *prometheus.Registry { return m.registry }

// What became of a request to publish.
const (
	resultAccepted = "accepted"
	resultRefused  = "refused"
	resultFailed   = "failed"
)

// Published notes a request to publish that was answered with the status, after so long.
func (m *Metrics) Published(status int, took time.Duration) {
	result := resultAccepted
	switch {
	case status >= http.StatusInternalServerError:
		result = resultFailed
	case status >= http.StatusBadRequest:
		result = resultRefused
	}
	m.answered.WithLabelValues(result).Observe(took.Seconds())
}

// Accepted counts an event answered with 202.
func (m *Metrics) Accepted(duplicate bool) {
	label := "false"
	if duplicate {
		label = "true"
	}
	m.accepted.WithLabelValues(label).Inc()
}

// FilterFailed counts and logs a filter that could not tell whether an event matches.
func (m *Metrics) FilterFailed(ctx context.Context, subscriptionID, reason string) {
	m.unfiltered.WithLabelValues(reason).Inc()
	m.logger.LogAttrs(ctx, slog.LevelInfo, "filter failed, the event passes",
		slog.String("subscription_id", subscriptionID), slog.String("reason", reason))
}

// Denied counts a request that was refused for its credentials or its role.
func (m *Metrics) Denied(code models.Code) { m.denied.WithLabelValues(string(code)).Inc() }

// Dispatched counts rows handed to workflows; lag is how late the oldest was.
func (m *Metrics) Dispatched(rows int, lag time.Duration) {
	m.dispatched.Add(float64(rows))
	m.lag.Observe(lag.Seconds())
}

// Reconciled counts rows that the reconciler brought up.
func (m *Metrics) Reconciled(rows int) { m.reconciled.Add(float64(rows)) }
