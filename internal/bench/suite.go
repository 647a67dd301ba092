package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"
)

// The suites.
const (
	suiteFull   = "full"   // what docs/performance.md promises, three runs each
	suiteQuick  = "quick"  // the same, one run each
	suiteGrowth = "growth" // how the cost grows
)

// measurement is one line, or several, of a suite's table.
type measurement struct {
	name    string
	options options
	targets []target
}

// target is a figure and what it has to be.
type target struct {
	figure string
	of     func(result) float64
	// most and least bound it; 0 = it is only told.
	most, least float64
}

// met reports whether the figure is within its bounds.
func (t target) met(value float64) bool {
	return (t.most == 0 || value <= t.most) && (t.least == 0 || value >= t.least)
}

// bound says it for people.
func (t target) bound() string {
	switch {
	case t.most > 0:
		return fmt.Sprintf("≤ %g", t.most)
	case t.least > 0:
		return fmt.Sprintf("≥ %g", t.least)
	default:
		return "–"
	}
}

func (t target) verdict(value float64) string {
	switch {
	case t.most == 0 && t.least == 0:
		return ""
	case t.met(value):
		return "met"
	default:
		return "MISSED"
	}
}

// The figures that suites tell.
func cost(most float64) target {
	return target{"CPU-seconds per 1,000 deliveries", func(r result) float64 { return r.CPUPer1000Deliveries }, most, 0}
}

func delivered(least float64) target {
	return target{"delivered/s", func(r result) float64 { return r.DeliveriesPerS }, 0, least}
}

func endToEnd(percentile string, most float64) target {
	return target{"end to end " + percentile + ", ms", func(r result) float64 {
		return map[string]float64{"p50": r.EndToEndP50, "p99": r.EndToEndP99, "p99.9": r.EndToEndP999}[percentile]
	}, most, 0}
}

func accept(percentile string, most float64) target {
	return target{"accept " + percentile + ", ms", func(r result) float64 {
		return map[string]float64{"p50": r.AcceptP50, "p99": r.AcceptP99, "p99.9": r.AcceptP999}[percentile]
	}, most, 0}
}

func peak() target {
	return target{"peak memory, MB", func(r result) float64 { return r.MaxRSS }, 0, 0}
}

// base are the options of a suite's measurements, from those of the command line.
func (o options) base() options {
	b := options{
		mode: modeClosed, topology: topologyEmbedded, ordering: "none", events: 2000, concurrency: 32, payload: 1024,
		subscriptions: 1, warmUp: 20, repeats: o.repeats, timeout: o.timeout, binary: o.binary, settings: o.settings, keep: o.keep,
	}
	if o.suite == suiteQuick {
		b.repeats = 1
	}
	return b
}

// measurements of the suite that the options name.
func (o options) measurements() []measurement {
	list := targets()
	if o.suite == suiteGrowth {
		list = growth()
	}
	for i := range list {
		changed := list[i].options
		list[i].options = o.base().with(changed)
		list[i].options.name = list[i].name
		list[i].options.complete()
	}
	return list
}

// with replaces what the given options have.
func (o options) with(changes options) options {
	set(&o.mode, changes.mode)
	set(&o.topology, changes.topology)
	set(&o.ordering, changes.ordering)
	set(&o.events, changes.events)
	set(&o.concurrency, changes.concurrency)
	set(&o.payload, changes.payload)
	set(&o.subscriptions, changes.subscriptions)
	set(&o.rate, changes.rate)
	set(&o.duration, changes.duration)
	set(&o.stored, changes.stored)
	set(&o.waiting, changes.waiting)
	set(&o.eventsPerWorkflow, changes.eventsPerWorkflow)
	return o
}

func set[T comparable](to *T, value T) {
	var zero T
	if value != zero {
		*to = value
	}
}

// targets are what the embedded mode has to show on two cores, and behind them what is only told.
func targets() []measurement {
	idleCPU := target{"CPU, % of one core", func(r result) float64 { return r.IdleCPU }, 3, 0}
	idleMemory := target{"memory, MB", func(r result) float64 { return r.RSS }, 300, 0}
	const fast = 50
	return []measurement{
		{"1 subscription", options{}, []target{cost(7), delivered(200), peak()}},
		{"5 subscriptions", options{subscriptions: 5, events: 1000}, []target{cost(1.5), delivered(900), peak()}},
		{"50 subscriptions", options{subscriptions: 50, events: 200}, []target{cost(0.8), delivered(0), peak()}},
		{
			"1 subscription, 50 events per workflow",
			options{eventsPerWorkflow: 50, events: 5000, concurrency: 128},
			[]target{cost(1.8), delivered(1000), peak()},
		},
		{"20 events/s", options{mode: modeOpen, rate: 20}, []target{endToEnd("p50", 10), endToEnd("p99", 30), endToEnd("p99.9", 0)}},
		{
			"50 events/s",
			options{mode: modeOpen, rate: fast},
			[]target{endToEnd("p99", 60), accept("p50", 0), accept("p99", 20), accept("p99.9", 0)},
		},
		{"idle", options{mode: modeIdle}, []target{idleCPU, idleMemory}},
		{"a backlog of 5,000", options{mode: modeDrain, events: 5000}, []target{cost(0), delivered(0)}},
		{
			"a backlog of 5,000, 50 events per workflow",
			options{mode: modeDrain, events: 5000, eventsPerWorkflow: 50},
			[]target{cost(0), delivered(0)},
		},
		{"100 KB", options{payload: 100 << 10, events: 1000}, []target{cost(0), delivered(0), peak()}},
		{"one FIFO queue", options{ordering: "fifo"}, []target{cost(0), delivered(0)}},
		{"cluster, 1 subscription", options{topology: topologyCluster}, []target{cost(0), delivered(0)}},
		{
			"cluster, 50 events/s",
			options{topology: topologyCluster, mode: modeOpen, rate: fast},
			[]target{endToEnd("p99", 0), accept("p99", 20)},
		},
	}
}

// growth is how the cost grows with the subscriptions of an event, with what waits, and with what is stored.
func growth() []measurement {
	told := []target{cost(0), delivered(0), accept("p99", 0), peak()}
	var list []measurement
	for _, n := range []int{1, 2, 5, 10, 25, 50} {
		list = append(list, measurement{
			fmt.Sprintf("%d subscriptions", n), options{subscriptions: n, events: max(200, 2000/n)}, told,
		})
	}
	for _, n := range []int{10_000, 100_000} {
		list = append(list, measurement{fmt.Sprintf("%d events wait", n), options{waiting: n}, told})
	}
	for _, n := range []int{100_000, 1_000_000} {
		list = append(list, measurement{fmt.Sprintf("%d events stored", n), options{stored: n}, told})
	}
	return append(list, measurement{"none wait, none stored", options{}, told})
}

// runSuite runs one measurement after the other and prints one table of all. It fails at the end when a run lost
// something; a target that is missed is told, and no failure.
func runSuite(ctx context.Context, o options, stdout, stderr io.Writer) error {
	var failures []error
	list := o.measurements()
	began := time.Now()
	table := tabwriter.NewWriter(stderr, 0, 0, 1, ' ', 0)
	tell(table, "| load\t| figure\t| target\t| median\t| \t|")
	tell(table, "| ---\t| ---\t| ---\t| ---\t| ---\t|")
	for i, m := range list {
		tell(stderr, "%d of %d: %s", i+1, len(list), m.name)
		results, err := repeat(ctx, m.options, stdout, stderr)
		if err == nil {
			err = verdict(results)
		}
		if err != nil {
			failures = append(failures, fmt.Errorf("%s: %w", m.name, err))
			tell(table, "| %s\t| \t| \t| failed\t| FAILED\t|", m.name)
		} else {
			m.tell(table, results[len(results)-1])
		}
		if ctx.Err() != nil {
			break
		}
	}
	tell(stderr, "\nMedians of %d, %s in all:\n", o.base().repeats, time.Since(began).Round(time.Second))
	return errors.Join(append(failures, table.Flush())...)
}

// tell writes the lines of one measurement.
func (m measurement) tell(table io.Writer, r result) {
	for _, t := range m.targets {
		value := t.of(r)
		tell(table, "| %s\t| %s\t| %s\t| %.4g\t| %s\t|", m.name, t.figure, t.bound(), value, t.verdict(value))
	}
}
