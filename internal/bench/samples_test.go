package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDriftIsThePercentageOfAnHour(t *testing.T) {
	t.Parallel()
	var samples []sample
	for n := range 121 { // an hour; the first quarter is warming up
		s := sample{Seconds: float64(n * 30), ResidentMB: 200, HeapMB: 100, Descriptors: 50 + float64(n%2), Goroutines: 300}
		if n < 30 {
			s.ResidentMB, s.Goroutines = 10, 5
		} else {
			s.HeapMB += float64(n) / 120 * 10 // ten more an hour
		}
		samples = append(samples, s)
	}
	d := driftOf(samples)
	require.Zero(t, d.ResidentMB)
	require.Zero(t, d.Goroutines)
	require.InDelta(t, 0, d.Descriptors, 0.1, "up and down is not up")
	require.InDelta(t, 10/106.25*100, d.HeapMB, 0.1)
	require.Nil(t, driftOf(samples[:2]))

	var out strings.Builder
	require.NoError(t, tableOfSamples(&out, samples, d))
	require.Equal(t, 1+maxShown+1, strings.Count(out.String(), "\n"))
	require.Contains(t, out.String(), "60.0")
	require.NoError(t, tableOfSamples(&out, nil, nil))
}
