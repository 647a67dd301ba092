// Package observe is how operators see what happens: the log, the metrics, and the one line that every attempt
// leaves in each.
package observe

import (
	"context"
	"io"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/posthorn/posthorn/models"
)

// NewLogger logs to w from the given level ("debug", "info", "warn", "error") on, as "text" or "json".
func NewLogger(w io.Writer, level, format string) *slog.Logger {
	var least slog.Level
	if err := least.UnmarshalText([]byte(level)); err != nil {
		least = slog.LevelInfo
	}
	options := &slog.HandlerOptions{Level: least}
	if format == "json" {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}

// Metrics are Posthorn's own, under the prefix posthorn_.
type Metrics struct {
	registry   *prometheus.Registry
	logger     *slog.Logger
	accepted   *prometheus.CounterVec
	attempts   *prometheus.CounterVec
	duration   prometheus.Histogram
	dispatched prometheus.Counter
	lag        prometheus.Histogram
	reconciled prometheus.Counter
	lost       prometheus.Counter
	unfiltered *prometheus.CounterVec
	denied     *prometheus.CounterVec
}

// NewMetrics makes the metrics of one process. Attempts are also logged, at debug level where they succeed.
func NewMetrics(logger *slog.Logger) *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		logger:   logger,
		accepted: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "posthorn_events_accepted_total", Help: "Events answered with 202, by whether they were repeats.",
		}, []string{"duplicate"}),
		attempts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "posthorn_attempts_total", Help: "Attempts settled, by trigger, outcome and error code.",
		}, []string{"trigger", "outcome", "error"}),
		duration: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "posthorn_attempt_duration_seconds", Help: "From the start of an attempt to its answer.",
			Buckets: prometheus.ExponentialBuckets(0.001, 2, 16),
		}),
		dispatched: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "posthorn_dispatched_total", Help: "Invocations handed to workflows.",
		}),
		lag: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "posthorn_dispatch_lag_seconds", Help: "From when a row was due to when the dispatcher took it.",
			Buckets: prometheus.ExponentialBuckets(0.001, 4, 10),
		}),
		reconciled: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "posthorn_reconciled_total", Help: "Rows that nobody worked on; more than none tells of a crash or an outage.",
		}),
		lost: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "posthorn_claims_lost_total", Help: "Attempts whose worker was taken for dead before it could settle them.",
		}),
		unfiltered: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "posthorn_filter_errors_total",
			Help: "Filters that could not tell whether an event matches, so that it passed, by reason.",
		}, []string{"reason"}),
		denied: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "posthorn_requests_denied_total",
			Help: "Requests refused for their credentials (unauthenticated) or their key's role (forbidden).",
		}, []string{"code"}),
	}
	m.registry.MustRegister(m.accepted, m.attempts, m.duration, m.dispatched, m.lag, m.reconciled, m.lost, m.unfiltered, m.denied,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Registry is what /metrics serves.
func (m *Metrics) Registry() *prometheus.Registry { return m.registry }

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

// Attempted counts an attempt and writes its canonical log line: ids, numbers and codes, nothing of the payload,
// the URL or the headers.
func (m *Metrics) Attempted(ctx context.Context, s models.Settlement, kept bool) {
	c, r := s.Claim, s.Result
	code := ""
	if r.Error != nil {
		code = string(r.Error.Code)
	}
	if !kept {
		m.lost.Inc()
	}
	took := r.FinishedAt.Sub(r.StartedAt)
	m.attempts.WithLabelValues(string(c.Trigger), string(r.Outcome), code).Inc()
	m.duration.Observe(took.Seconds())
	level := slog.LevelDebug
	if r.Outcome == models.AttemptFailed {
		level = slog.LevelInfo
	}
	m.logger.LogAttrs(ctx, level, "attempt",
		slog.String("invocation_id", c.InvocationID), slog.String("subscription_id", c.SubscriptionID),
		slog.String("event_id", c.EventID), slog.String("event_type", c.EventType),
		slog.Int("number", c.Number), slog.String("trigger", string(c.Trigger)),
		slog.String("outcome", string(r.Outcome)), slog.Int("status_code", r.StatusCode), slog.String("error", code),
		slog.Duration("took", took), slog.String("then", string(s.Status)), slog.Bool("kept", kept))
}
