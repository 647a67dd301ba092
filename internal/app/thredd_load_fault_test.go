//go:build fault

package app_test

import (
	"testing"
	"time"
)

// The full size of what thredd_load_test.go shows: 1,000 events to 5 endpoints, and again beside one that hangs. A burst
// of 5,000 measures how much is done in a second: the sixth endpoint's share of the work is allowed for, and half as
// much again for the machine.
func TestFaultTHR15_AThousandEventsReachFiveEndpointsAlsoBesideOneThatHangs(t *testing.T) {
	alone(t, func(w *world) {
		w.scales(1000, 5, func(healthy time.Duration) time.Duration { return healthy*13/10 + 500*time.Millisecond })
	})
}
