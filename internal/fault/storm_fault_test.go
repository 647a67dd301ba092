//go:build fault

package fault_test

import (
	"testing"
	"time"
)

func TestF07_StormEmbedded(t *testing.T) {
	d := deploy(t, shape{logLevel: "info"})
	s := newStorm(t, d, number(t, "POSTHORN_FAULT_STORM_EVENTS", stormEventsEmbedded))
	s.blow(t, number(t, "POSTHORN_FAULT_STORM_KILLS", stormKillsEmbedded), 5500*time.Millisecond)
}
