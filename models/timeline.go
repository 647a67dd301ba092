package models

import "time"

// Timeline is how an application's attempts went over time, in parts of the same width.
type Timeline struct {
	// From is where the first part begins; Width is how long each is.
	From  time.Time
	Width time.Duration
	Parts []TimelinePart
}

// TimelinePart sums up the attempts that began in one part of a Timeline.
type TimelinePart struct {
	Succeeded, Failed int
	// Classes counts the attempts by how long they took: Classes[i] those of LatencyClasses()[i] at most that are in no
	// class before.
	Classes []int
}

// LatencyClasses are the upper bounds of the classes that attempts are counted in by how long they took, ascending. The
// last is above the longest timeout.
func LatencyClasses() []time.Duration {
	return []time.Duration{
		5 * time.Millisecond, 10 * time.Millisecond, 25 * time.Millisecond, 50 * time.Millisecond, 100 * time.Millisecond,
		250 * time.Millisecond, 500 * time.Millisecond, time.Second, 2500 * time.Millisecond, 5 * time.Second,
		10 * time.Second, 15 * time.Second, 30 * time.Second, 75 * time.Second,
	}
}

// Percentile is the bound of the class in which the p-th percentile of the attempts is, by nearest rank; 0 = there is
// no attempt.
func (t *TimelinePart) Percentile(p int) time.Duration {
	total := 0
	for _, n := range t.Classes {
		total += n
	}
	rank := (p*total + 99) / 100
	for i, n := range t.Classes {
		if rank -= n; n > 0 && rank <= 0 {
			return LatencyClasses()[i]
		}
	}
	return 0
}
