package demo

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// totals count what has been seen.
type totals struct {
	events, invocations, attempts, retries, delivered, abandoned int
	// requests came to the receiver for settled deliveries; exact is how many bodies were as expected.
	requests, exact int
	// checked requests must prove who sent them; genuine ones did.
	checked, genuine int
	// queued events had to come in the order of acceptance; ordered ones did.
	queued, ordered int
	// faults name what is not as it should be.
	faults []string
	// example is a delivery worth looking at: of those that succeeded the one with the most attempts.
	example *delivery
}

// settle counts a delivery that has ended, and compares what the receiver got.
func (s *show) settle(d *delivery) {
	t := &s.totals
	hits := s.receiver.take(d.target.path, d.eventID)
	switch {
	case d.last.Status != d.sample.ending():
		if !d.target.endpoint.endless {
			t.faults = append(t.faults, d.describe())
		}
		return
	case d.last.Status == "abandoned":
		t.abandoned++
	default:
		t.delivered++
		if t.example == nil || d.attempts > t.example.attempts {
			t.example = d
		}
		if len(hits) == 0 {
			t.faults = append(t.faults, d.describe()+", but the receiver knows nothing of it")
		}
	}
	for before, h := range hits {
		t.judge(d, h, before)
	}
}

// judge compares one request, which came after a number of others for the same event.
func (t *totals) judge(d *delivery, h hit, before int) {
	want, err := d.sample.body(d.tenant.scenario.envelope, d.eventID, d.tenant.id, before)
	t.requests++
	if err == nil && h.body == want {
		t.exact++
	}
	if h.proof != unproven {
		t.checked++
	}
	if h.proof == genuine {
		t.genuine++
	}
}

// describe says where the delivery stands.
func (d *delivery) describe() string {
	text := fmt.Sprintf("%s %s → %s: %s after %s", d.tenant.scenario.profile, d.sample.name, d.target.endpoint.name,
		cmp.Or(d.last.Status, "unknown"), plural(d.attempts, "attempt"))
	if e := d.last.LastError; e != nil {
		text += fmt.Sprintf(", last error %s: %s", e.Code, e.Message)
	}
	return text
}

func (n number) describe() string { return n.tenant.scenario.profile + " " + n.sample.name }

// missing is what keeps a run from being a success; nil = nothing.
func (s *show) missing() error {
	faults := slices.Clone(s.totals.faults)
	for _, id := range slices.Sorted(maps.Keys(s.open)) {
		if d := s.open[id]; !d.target.endpoint.endless {
			faults = append(faults, d.describe())
		}
	}
	for _, n := range s.queue {
		faults = append(faults, n.describe()+": not published")
	}
	if s.totals.exact != s.totals.requests {
		faults = append(faults, fmt.Sprintf("%d of %d bodies differ from what was published",
			s.totals.requests-s.totals.exact, s.totals.requests))
	}
	if s.totals.genuine != s.totals.checked {
		faults = append(faults, fmt.Sprintf("%d of %d requests lack the signature or key that their receiver checks",
			s.totals.checked-s.totals.genuine, s.totals.checked))
	}
	if s.totals.ordered != s.totals.queued {
		faults = append(faults, fmt.Sprintf("%d events of FIFO queues came in another order than they were accepted in",
			s.totals.queued-s.totals.ordered))
	}
	if s.totals.delivered == 0 {
		faults = append(faults, "nothing was delivered")
	}
	if len(faults) == 0 {
		return nil
	}
	return errors.New("the demo is incomplete:\n  " + strings.Join(faults, "\n  "))
}

// count tells the totals.
func (s *show) count() {
	t := s.totals
	say := s.timeline.say
	say("")
	say("%s, %s: %d delivered%s in %v with %s (%s)", plural(t.events, "event"), plural(t.invocations, "invocation"),
		t.delivered, t.given(), time.Since(s.started).Round(100*time.Millisecond), plural(t.attempts, "attempt"),
		plural(t.retries, "retry"))
	say("bodies   %d of %d byte for byte as published: 100.50, 776027772607, Ελληνικά, spacing, key order", t.exact, t.requests)
	say("senders  %d of %d proven by the signature or key that their receiver checks", t.genuine, t.checked)
	if t.queued > 0 {
		say("order    %d of %d events of FIFO queues one after the other, as accepted", t.ordered, t.queued)
	}
	for _, id := range slices.Sorted(maps.Keys(s.open)) {
		say("open     %s", s.open[id].describe())
	}
}

// given tells of the events that were rightly given up.
func (t *totals) given() string {
	if t.abandoned == 0 {
		return ""
	}
	return fmt.Sprintf(" and %d abandoned for a newer one, as must be,", t.abandoned)
}

// signposts say where to look next. After Once the server ends, and its data folder stays.
func (s *show) signposts() {
	say := s.timeline.say
	if s.options.Once {
		say("\nLook around: `posthorn dev` on the same data folder serves")
	} else {
		say("\nLook around:")
	}
	say("  API reference       %s/docs", s.client.base)
	if s.options.TemporalUIURL != "" {
		say("  Temporal UI         %s", s.options.TemporalUIURL)
	}
	if d := s.totals.example; d != nil {
		say("  a delivery's log    %s/v1/invocations/%s/logs   (operator key needed)", s.client.base, d.id)
		s.point("  the same, Temporal", d)
	}
	for _, d := range s.open {
		if d.target.endpoint.endless {
			s.point("  one that fails", d)
		}
	}
}

func (s *show) point(label string, d *delivery) {
	if d.last.TemporalURL != "" {
		s.timeline.say("%-20s  %s", label, d.last.TemporalURL)
	}
}
