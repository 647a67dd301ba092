package models

import (
	"encoding/binary"
	"hash/fnv"
	"math"
	"time"
)

// RetryKind says how the delay before retry n is computed.
type RetryKind string

// The kinds, with the delay before retry n = 1, 2, … of each.
const (
	RetryFixed       RetryKind = "fixed"       // interval
	RetryExponential RetryKind = "exponential" // initial · factor^(n−1)
	RetryPolynomial  RetryKind = "polynomial"  // initial · n^degree
	RetrySchedule    RetryKind = "schedule"    // delays[n−1], then exhausted
)

// Bounds of every delay, and of what a policy may list.
const (
	MinRetryDelay   = 10 * time.Millisecond
	MaxRetryDelay   = 168 * time.Hour
	MaxRetryEntries = 100
	// PreviewLength is how many delays a preview lists at most.
	PreviewLength = 100
)

// RetryPolicy says when a failed delivery is tried again and when it is given up. It is a value: every method is
// pure, so the same policy gives the same times in every process.
type RetryPolicy struct {
	Kind RetryKind `json:"kind" yaml:"kind"`
	// Interval is the delay of kind fixed.
	Interval Duration `json:"interval,omitempty" yaml:"interval,omitempty"`
	// Initial is the base of kinds exponential and polynomial.
	Initial Duration `json:"initial,omitempty" yaml:"initial,omitempty"`
	// Factor is exponential's base, at least 1.
	Factor float64 `json:"factor,omitempty" yaml:"factor,omitempty"`
	// Degree is polynomial's exponent, above 0.
	Degree float64 `json:"degree,omitempty" yaml:"degree,omitempty"`
	// Delays are schedule's, in order; a delivery is exhausted after the last.
	Delays []Duration `json:"delays,omitempty" yaml:"delays,omitempty"`
	// MaxInterval caps every delay, jitter included; 0 = MaxRetryDelay.
	MaxInterval Duration `json:"max_interval,omitempty" yaml:"max_interval,omitempty"`
	// MaxAttempts counts the first attempt; 0 = unlimited.
	MaxAttempts int `json:"max_attempts,omitempty" yaml:"max_attempts,omitempty"`
	// MaxAge is how long after the start of the first attempt one may still start; 0 = unlimited.
	MaxAge Duration `json:"max_age,omitempty" yaml:"max_age,omitempty"`
	// Jitter is the largest fraction (0–1) added to a delay; which part of it is added follows from the seed.
	Jitter float64 `json:"jitter,omitempty" yaml:"jitter,omitempty"`
}

// Delay returns the delay before retry n (n = 1, 2, …), without jitter, and whether there is such a retry.
func (p RetryPolicy) Delay(n int) (time.Duration, bool) {
	if n < 1 || (p.MaxAttempts > 0 && n >= p.MaxAttempts) {
		return 0, false
	}
	switch p.Kind {
	case RetryFixed:
		return p.capped(p.Interval.Std()), true
	case RetryExponential:
		return p.capped(scale(p.Initial.Std(), math.Pow(p.Factor, float64(n-1)))), true
	case RetryPolynomial:
		return p.capped(scale(p.Initial.Std(), math.Pow(float64(n), p.Degree))), true
	case RetrySchedule:
		if n > len(p.Delays) {
			return 0, false
		}
		return p.capped(p.Delays[n-1].Std()), true
	default:
		return 0, false
	}
}

// Next returns when the attempt after the n-th one (n counts from 1) is due, and false when the policy is used up.
// first is the start of the first attempt, finished the end of the n-th; seed makes the jitter of one invocation
// differ from another's and stay the same over restarts.
func (p RetryPolicy) Next(n int, first, finished time.Time, seed string) (time.Time, bool) {
	delay, ok := p.Delay(n)
	if !ok {
		return time.Time{}, false
	}
	next := finished.Add(p.capped(delay + p.jitter(delay, n, seed)))
	if p.MaxAge > 0 && next.Sub(first) > p.MaxAge.Std() {
		return time.Time{}, false
	}
	return next, true
}

// Preview is what a policy amounts to when every attempt fails at once.
type Preview struct {
	// Delays are the first ones, at most PreviewLength.
	Delays []Duration `json:"delays"`
	// Attempts is how many are made in all, the first included; nil = unlimited.
	Attempts *int `json:"attempts"`
	// Total is from the first attempt to the last; nil = unlimited.
	Total *Duration `json:"total"`
}

// previewHorizon bounds the count of a policy that is limited by age alone and whose delays go on growing: by next to
// nothing, it would not end soon. One that goes on after so many attempts is shown as unlimited.
const previewHorizon = 1_000_000

// Preview lists the policy's delays and sums them, jitter left out.
func (p RetryPolicy) Preview() Preview {
	preview := Preview{Delays: []Duration{}}
	unlimited := p.MaxAttempts == 0 && p.MaxAge == 0 && p.Kind != RetrySchedule
	start := time.Unix(0, 0)
	p.Jitter = 0
	last := start
	for n := 1; n <= previewHorizon; n++ {
		next, ok := p.Next(n, start, last, "")
		switch {
		case !ok:
			preview.end(n, last.Sub(start))
			return preview
		case n <= PreviewLength:
			preview.Delays = append(preview.Delays, Duration(next.Sub(last)))
		case unlimited:
			return preview
		case p.steady(n):
			preview.end(p.steadyEnd(n, last.Sub(start)))
			return preview
		}
		last = next
	}
	return preview
}

func (p *Preview) end(attempts int, total time.Duration) {
	length := Duration(total)
	p.Attempts, p.Total = &attempts, &length
}

// steady reports whether every delay from retry n on is the same, so that what remains need not be counted one by one.
func (p RetryPolicy) steady(n int) bool {
	delay, ok := p.Delay(n)
	return ok && delay > 0 &&
		(p.Kind == RetryFixed || p.Kind != RetrySchedule && delay == p.capped(MaxRetryDelay))
}

// steadyEnd is how many attempts a limited policy makes whose delays are all the same from retry n on, and how long
// they take, a time.Duration's most where it is more. elapsed is from the first attempt to the n-th.
func (p RetryPolicy) steadyEnd(n int, elapsed time.Duration) (int, time.Duration) {
	delay, _ := p.Delay(n)
	more := int64(math.MaxInt64)
	if p.MaxAge > 0 {
		more = int64((p.MaxAge.Std() - elapsed) / delay)
	}
	if p.MaxAttempts > 0 {
		more = min(more, int64(p.MaxAttempts-n))
	}
	if more > int64((math.MaxInt64-elapsed)/delay) {
		return n + int(more), math.MaxInt64
	}
	return n + int(more), elapsed + time.Duration(more)*delay
}

func (p RetryPolicy) capped(d time.Duration) time.Duration {
	limit := MaxRetryDelay
	if p.MaxInterval > 0 {
		limit = min(limit, p.MaxInterval.Std())
	}
	return min(d, limit)
}

// jitter is the part of p.Jitter that seed and n choose: even over invocations, the same on every machine.
func (p RetryPolicy) jitter(d time.Duration, n int, seed string) time.Duration {
	if p.Jitter == 0 {
		return 0
	}
	h := fnv.New64a()
	h.Write([]byte(seed))
	h.Write(binary.BigEndian.AppendUint64(nil, uint64(n))) //nolint:gosec // G115: n counts from 1
	fraction := float64(mix(h.Sum64())>>11) / (1 << 53)
	return scale(d, p.Jitter*fraction)
}

// mix is the finaliser of SplitMix64 (Steele, Lea, Flood 2014): FNV alone leaves neighbouring n close together.
func mix(z uint64) uint64 {
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb
	return z ^ (z >> 31)
}

// scale is d·f, saturating at MaxRetryDelay.
func scale(d time.Duration, f float64) time.Duration {
	scaled := float64(d) * f
	if scaled >= float64(MaxRetryDelay) {
		return MaxRetryDelay
	}
	return time.Duration(math.Round(scaled))
}
