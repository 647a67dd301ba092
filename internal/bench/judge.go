package main

import (
	"runtime"
	"time"
)

// judge turns what was recorded into figures.
func judge(o options, l *load, used rest) result {
	r := result{
		Mode: o.mode, Database: o.database(), CPUs: runtime.NumCPU(), Events: o.events, Subscriptions: o.subscriptions,
		Ordering:     o.ordering,
		PayloadBytes: o.payload, WarmUp: o.warmUp, Duplicates: l.ledger.duplicates(),
	}
	if o.mode == modeOpen {
		r.Rate = o.rate
	} else {
		r.Concurrency = o.concurrency
	}
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
				endToEnd = append(endToEnd, arrived-l.due[i])
			} else {
				r.Losses++
			}
		}
	}
	r.Deliveries, r.Refused = len(endToEnd), o.events-len(accept)
	start, end := l.due[0], l.ledger.last.Load()
	r.Seconds = digits(time.Duration(max(0, end-start)).Seconds())
	r.EventsPerS, r.DeliveriesPerS = perSecond(len(accept), end-start), perSecond(r.Deliveries, end-start)
	r.AcceptedPerS = perSecond(len(accept), lastAccepted-start)
	a, e := percentiles(accept), percentiles(endToEnd)
	r.AcceptP50, r.AcceptP95, r.AcceptP99 = a.P50, a.P95, a.P99
	r.EndToEndP50, r.EndToEndP95, r.EndToEndP99, r.EndToEndMax = e.P50, e.P95, e.P99, e.Max
	r.SendLagP99 = percentiles(lag).P99
	r.CPUSeconds, r.MaxRSS = digits(used.cpu.Seconds()), digits(float64(used.peakRSS)/1e6)
	r.Running = used.running
	r.CPUPer1000 = digits(used.cpu.Seconds() * 1000 / float64(o.events))
	return r
}
