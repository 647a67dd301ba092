package observe

import (
	"context"
	"log/slog"
	"net/url"
	"time"

	"github.com/posthorn/posthorn/models"
)

// Attempted counts an attempt that was settled and writes its canonical log line. kept is false when its claim was
// lost, so that nothing was stored.
func (m *Metrics) Attempted(ctx context.Context, s models.Settlement, kept bool) {
	c, r := s.Claim, s.Result
	took := r.FinishedAt.Sub(r.StartedAt)
	m.attempts.WithLabelValues(string(c.Trigger), string(r.Outcome), errorCode(r)).Inc()
	m.duration.Observe(took.Seconds())
	switch {
	case !kept:
		m.lost.Inc()
	case s.Status == models.StatusSucceeded && c.Trigger == models.TriggerScheduled:
		m.delivery.Observe(r.FinishedAt.Sub(c.AcceptedAt).Seconds())
		m.ended.WithLabelValues(string(s.Status)).Inc()
	case s.Status == models.StatusSucceeded, s.Status == models.StatusFailed:
		m.ended.WithLabelValues(string(s.Status)).Inc()
	}
	m.logger.LogAttrs(ctx, slog.LevelInfo, "attempt", attemptLine(s, took, kept)...)
}

func errorCode(r models.Result) string {
	if r.Error == nil {
		return ""
	}
	return string(r.Error.Code)
}

// attemptLine is what the log says of an attempt: ids, numbers and codes. Nothing of the payload, the headers or the
// answer is in it, and of the URL the host alone: paths and queries may hold credentials.
func attemptLine(s models.Settlement, took time.Duration, kept bool) []slog.Attr {
	c, r := s.Claim, s.Result
	line := []slog.Attr{
		slog.String("application_id", c.ApplicationID), slog.String("subscription_id", c.SubscriptionID),
		slog.String("invocation_id", c.InvocationID), slog.String("event_id", c.EventID),
		slog.String("event_type", c.EventType), slog.Int("attempt", c.Number), slog.String("kind", kindOf(c)),
		slog.String("host", hostOf(c.URL)), slog.String("outcome", string(r.Outcome)),
		slog.Int("status_code", r.StatusCode), slog.String("error", errorCode(r)),
		slog.Int64("duration_ms", took.Milliseconds()), slog.String("status", string(s.Status)), slog.Bool("kept", kept),
	}
	if s.NextAttemptAt != nil {
		line = append(line, slog.Time("next_attempt_at", s.NextAttemptAt.UTC()))
	}
	if c.JobID != "" {
		line = append(line, slog.String("job_id", c.JobID))
	}
	if id := c.TraceID(); id != "" {
		line = append(line, slog.String("trace_id", id))
	}
	return line
}

// kindOf says what an attempt was made for: the policy, a redelivery by hand, one of a job, or a test.
func kindOf(c *models.Claim) string {
	switch {
	case c.JobID != "":
		return "job"
	case c.Trigger == models.TriggerRedeliver:
		return "redelivery"
	default:
		return string(c.Trigger)
	}
}

func hostOf(raw string) string {
	u, err := url.Parse(raw)
	if err != nil { // a URL is checked when it is stored
		return ""
	}
	return u.Host
}
