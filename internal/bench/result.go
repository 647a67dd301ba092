package main

import (
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
)

// result is one run, and one line of JSON.
type result struct {
	Run      string `json:"run"`            // "1", "2", … or "median"
	Case     string `json:"case,omitempty"` // of a suite
	Mode     string `json:"mode"`
	Topology string `json:"topology"`
	Database string `json:"database"`
	CPUs     int    `json:"cpus"` // of the machine
	// LoadBefore is the machine's load average over the minute before: above 0 somebody else was at work, too.
	LoadBefore float64 `json:"load_before"`

	Events        int    `json:"events"`
	Subscriptions int    `json:"subscriptions"`
	Ordering      string `json:"ordering"`
	// EventsPerWorkflow is what -events-per-workflow asked for; 0 = Posthorn's default.
	EventsPerWorkflow int `json:"events_per_workflow,omitempty"`
	// Stored and Waiting events were there before the run.
	Stored       int     `json:"stored,omitempty"`
	Waiting      int     `json:"waiting,omitempty"`
	PayloadBytes int     `json:"payload_bytes"`
	Concurrency  int     `json:"concurrency,omitempty"` // closed
	Rate         float64 `json:"rate,omitempty"`        // open; events a second
	WarmUp       int     `json:"warmup"`                // events before, in no figure

	Deliveries int `json:"deliveries"` // distinct ones that arrived
	Duplicates int `json:"duplicates"`
	Losses     int `json:"losses"`  // accepted, and not arrived in time
	Refused    int `json:"refused"` // events without a 202

	// Seconds is the time from the first event to the last delivery; the rates beside it are over that time,
	// accepted_per_s over the time to the last 202.
	Seconds        float64 `json:"seconds"`
	EventsPerS     float64 `json:"events_per_s"`
	DeliveriesPerS float64 `json:"deliveries_per_s"`
	AcceptedPerS   float64 `json:"accepted_per_s"`

	// Accept is from when an event was due (closed: sent) to its 202; end to end is to its arrival at the receiver.
	AcceptP50    float64 `json:"accept_p50_ms"`
	AcceptP95    float64 `json:"accept_p95_ms"`
	AcceptP99    float64 `json:"accept_p99_ms"`
	AcceptP999   float64 `json:"accept_p99_9_ms"`
	EndToEndP50  float64 `json:"end_to_end_p50_ms"`
	EndToEndP95  float64 `json:"end_to_end_p95_ms"`
	EndToEndP99  float64 `json:"end_to_end_p99_ms"`
	EndToEndP999 float64 `json:"end_to_end_p99_9_ms"`
	EndToEndMax  float64 `json:"end_to_end_max_ms"`
	// SendLag is how late the benchmark itself sent (open); it is part of the latencies above.
	SendLagP99 float64 `json:"send_lag_p99_ms"`

	// CPU is user and system time of all processes, Postgres' included, from the first event (drain: from when the backlog
	// is due) until they are at rest. Memory is the sum of the processes', without Postgres', which count what they share.
	CPUSeconds           float64 `json:"cpu_s"`
	CPUPer1000           float64 `json:"cpu_s_per_1000"` // events
	CPUPer1000Deliveries float64 `json:"cpu_s_per_1000_deliveries"`
	IdleCPU              float64 `json:"idle_cpu_pct,omitempty"` // idle: of one core
	MaxRSS               float64 `json:"max_rss_mb"`
	RSS                  float64 `json:"rss_mb"`      // at the end
	BenchCPU             float64 `json:"bench_cpu_s"` // publisher and receiver, not in cpu_s
	// Running is how many workflows had not closed a minute after the last delivery; their cost is not in cpu_s.
	Running int `json:"running_workflows"`

	// Samples and Drift are of a soak; a median has none.
	Samples []sample `json:"samples,omitempty"`
	Drift   *drift   `json:"drift,omitempty"`
}

// figures are what was measured, in one order for all results.
func (r *result) figures() []*float64 {
	return []*float64{
		&r.Seconds, &r.EventsPerS, &r.DeliveriesPerS, &r.AcceptedPerS, &r.AcceptP50, &r.AcceptP95, &r.AcceptP99,
		&r.AcceptP999, &r.EndToEndP50, &r.EndToEndP95, &r.EndToEndP99, &r.EndToEndP999, &r.EndToEndMax, &r.SendLagP99,
		&r.CPUSeconds, &r.CPUPer1000, &r.CPUPer1000Deliveries, &r.IdleCPU, &r.MaxRSS, &r.RSS, &r.BenchCPU,
	}
}

// median is the median of each figure; of the counts it has the worst.
func median(results []result) result {
	m := results[0]
	m.Run, m.Samples, m.Drift = "median", nil, nil
	for _, r := range results {
		m.Deliveries = min(m.Deliveries, r.Deliveries)
		m.Duplicates, m.Losses, m.Refused = max(m.Duplicates, r.Duplicates), max(m.Losses, r.Losses), max(m.Refused, r.Refused)
		m.Running = max(m.Running, r.Running)
	}
	for i, figure := range m.figures() {
		var values []float64
		for _, r := range results {
			values = append(values, *r.figures()[i])
		}
		*figure = middle(values)
	}
	return m
}

// verdict fails when a run lost or refused something.
func verdict(results []result) error {
	for _, r := range results {
		if r.Losses > 0 || r.Refused > 0 {
			return fmt.Errorf("run %s: %d of %d deliveries lost, %d events refused",
				r.Run, r.Losses, r.Deliveries+r.Losses, r.Refused)
		}
	}
	if len(results) == 0 {
		return errors.New("nothing was measured")
	}
	return nil
}

// table prints the results for people.
func table(out io.Writer, results []result) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	tell(w, "run\tmode\tdeliveries\tlost\ttwice\taccepted/s\tdelivered/s\taccept p50\tp95\tp99\tp99.9"+
		"\tend-to-end p50\tp95\tp99\tp99.9\tmax ms\tCPU s/1000 deliveries\tpeak MB\tidle CPU %%\tMB\t")
	for _, r := range results {
		tell(w, "%s\t%s\t%d\t%d\t%d\t%.1f\t%.1f\t%.1f\t%.1f\t%.1f\t%.1f\t%.1f\t%.1f\t%.1f\t%.1f\t%.1f\t%.2f\t%.0f\t%.2f\t%.0f\t",
			r.Run, r.Mode, r.Deliveries, r.Losses, r.Duplicates, r.AcceptedPerS, r.DeliveriesPerS,
			r.AcceptP50, r.AcceptP95, r.AcceptP99, r.AcceptP999, r.EndToEndP50, r.EndToEndP95, r.EndToEndP99, r.EndToEndP999,
			r.EndToEndMax, r.CPUPer1000Deliveries, r.MaxRSS, r.IdleCPU, r.RSS)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for _, r := range results {
		if len(r.Samples) == 0 {
			continue
		}
		if err := tableOfSamples(out, r.Samples, r.Drift); err != nil {
			return err
		}
	}
	return nil
}
