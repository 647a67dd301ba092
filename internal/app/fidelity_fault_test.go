//go:build fault

package app_test

import (
	"slices"
	"testing"
	"time"
)

// The full size of what fidelity_test.go shows: 10,000 payloads on each database, 60,000 deliveries in all.
func TestFaultF52_F53_F55_F56_F57_TenThousandPayloadsArriveByteForByte(t *testing.T) {
	for _, database := range []string{"sqlite", "postgres"} {
		t.Run(database, func(t *testing.T) { shared.on(t, database).deliversInTurns(corpus(t, 10_000, 200), 250, 5*time.Minute) })
	}
}

// deliversInTurns is delivers with so many payloads at a time: a machine that is busy is not to be buried.
func (w *world) deliversInTurns(payloads []string, size int, patience time.Duration) {
	w.t.Helper()
	done := 0
	for turn := range slices.Chunk(payloads, size) {
		w.delivers(turn, patience)
		done += len(turn)
		w.t.Logf("%d of %d payloads arrived three times, byte for byte", done, len(payloads))
	}
}

// One event of 1 MiB, 1,000 subscriptions: 1 GB at the receiver.
func TestFaultF58_FanOutToAThousandCarriesNoPayloadThroughTemporal(t *testing.T) {
	for _, database := range []string{"sqlite", "postgres"} {
		t.Run(database, func(t *testing.T) { shared.on(t, database).fansOut(1000, 10*time.Minute) })
	}
}
