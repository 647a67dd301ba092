package main

import (
	"runtime"
	"time"
)

// judge turns what was recorded into figures.
func judge(o options, l *load, used rest) result {
	r := resultOf(o)
	r.Duplicates = l.ledger.duplicates()
	var accept, lag, endToEnd []int64
	var lastAccepted int64
	for i, at := range l.accepted {
		if at == 0 {
			continue
		}
		accept, lag = append(accept, at-l.due[i]), append(lag, l.sent[i]-l.due[i])
		lastAccepted = max(lastAccepted, at)
		for s := range o.subscriptions {
			if arrived := l.ledger.first[s*o.events+i].Load(); arrived > 0 {
				endToEnd = append(endToEnd, max(0, arrived-l.from(i)))
			} else {
				r.Losses++
			}
		}
	}
	r.Deliveries, r.Refused = len(endToEnd), o.events-len(accept)
	start, end := l.from(0), l.ledger.last.Load()
	r.Seconds = digits(time.Duration(max(0, end-start)).Seconds())
	r.EventsPerS, r.DeliveriesPerS = perSecond(len(accept), end-start), perSecond(r.Deliveries, end-start)
	r.AcceptedPerS = perSecond(len(accept), lastAccepted-l.due[0])
	a, e := percentiles(accept), percentiles(endToEnd)
	r.AcceptP50, r.AcceptP95, r.AcceptP99, r.AcceptP999 = a.P50, a.P95, a.P99, a.P999
	r.EndToEndP50, r.EndToEndP95, r.EndToEndP99, r.EndToEndP999, r.EndToEndMax = e.P50, e.P95, e.P99, e.P999, e.Max
	r.SendLagP99 = percentiles(lag).P99
	r.use(used)
	r.CPUPer1000 = digits(used.cpu.Seconds() * 1000 / float64(o.events))
	if r.Deliveries > 0 {
		r.CPUPer1000Deliveries = digits(used.cpu.Seconds() * 1000 / float64(r.Deliveries))
	}
	return r
}

// resultOf has what the options say and no figures yet.
func resultOf(o options) result {
	r := result{
		Case: o.name, Mode: o.mode, Topology: o.topology, Database: o.database(), CPUs: runtime.NumCPU(), Events: o.events,
		Subscriptions: o.subscriptions, Ordering: o.ordering, EventsPerWorkflow: o.eventsPerWorkflow, PayloadBytes: o.payload,
		WarmUp: o.warmUp, Stored: o.stored, Waiting: o.waiting,
	}
	switch o.mode {
	case modeOpen:
		r.Rate = o.rate
	case modeClosed, modeDrain:
		r.Concurrency = o.concurrency
	}
	return r
}

func (r *result) use(used rest) {
	r.CPUSeconds, r.Running = digits(used.cpu.Seconds()), used.running
	r.MaxRSS, r.RSS = digits(float64(used.peakRSS)/1e6), digits(float64(used.rss)/1e6)
}

// judgeIdle turns what a system used while nothing happened into figures.
func judgeIdle(o options, used usage, took time.Duration) result {
	r := resultOf(o)
	r.use(rest{usage: used})
	r.Seconds = digits(took.Seconds())
	r.IdleCPU = digits(used.cpu.Seconds() / took.Seconds() * 100)
	return r
}
