package main

import (
	"math"
	"slices"
	"time"
)

// latencies are percentiles in ms, by the nearest-rank method: each is a value that was measured.
type latencies struct {
	P50, P95, P99, P999 float64
	Max                 float64
}

// percentiles sorts the durations, ns, in place.
func percentiles(ns []int64) latencies {
	if len(ns) == 0 {
		return latencies{}
	}
	slices.Sort(ns)
	at := func(p float64) float64 {
		rank := int(math.Ceil(p / 100 * float64(len(ns))))
		return milliseconds(ns[max(rank, 1)-1])
	}
	return latencies{P50: at(50), P95: at(95), P99: at(99), P999: at(99.9), Max: milliseconds(ns[len(ns)-1])}
}

// milliseconds keeps three digits after the point.
func milliseconds(ns int64) float64 { return digits(float64(ns) / float64(time.Millisecond)) }

// digits keeps three digits after the point.
func digits(f float64) float64 { return math.Round(f*1000) / 1000 }

// middle is the median; of an even number of values the mean of both in the middle.
func middle(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	half := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[half]
	}
	return digits((sorted[half-1] + sorted[half]) / 2)
}

// perSecond is 0 where no time has passed.
func perSecond(n int, ns int64) float64 {
	if ns <= 0 {
		return 0
	}
	return digits(float64(n) / time.Duration(ns).Seconds())
}
