package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestPercentilesAreMeasuredValues(t *testing.T) {
	t.Parallel()
	var ns []int64
	for i := 100; i >= 1; i-- {
		ns = append(ns, int64(i)*int64(time.Millisecond))
	}
	require.Equal(t, latencies{P50: 50, P95: 95, P99: 99, P999: 100, Max: 100}, percentiles(ns))
	require.Equal(t, latencies{P50: 1.5, P95: 1.5, P99: 1.5, P999: 1.5, Max: 1.5}, percentiles([]int64{1_500_000}))
	require.Equal(t, latencies{P50: 1, P95: 2, P99: 2, P999: 2, Max: 2}, percentiles([]int64{2_000_000, 1_000_000}))
	require.Zero(t, percentiles(nil))
}

func TestMiddle(t *testing.T) {
	t.Parallel()
	require.InDelta(t, 2, middle([]float64{3, 1, 2}), 0)
	require.InDelta(t, 2.5, middle([]float64{4, 1, 2, 3}), 0)
	require.Zero(t, middle(nil))
}

func TestPerSecond(t *testing.T) {
	t.Parallel()
	require.InDelta(t, 50, perSecond(100, int64(2*time.Second)), 0)
	require.Zero(t, perSecond(100, 0))
}

func TestMedianOfRunsKeepsTheWorstCounts(t *testing.T) {
	t.Parallel()
	m := median([]result{
		{Run: "1", Mode: "open", EndToEndP50: 5, CPUPer1000: 9, Deliveries: 10},
		{Run: "2", Mode: "open", EndToEndP50: 7, CPUPer1000: 7, Deliveries: 8, Losses: 2, Duplicates: 1},
		{Run: "3", Mode: "open", EndToEndP50: 6, CPUPer1000: 8, Deliveries: 10},
	})
	require.Equal(t, result{
		Run: "median", Mode: "open", EndToEndP50: 6, CPUPer1000: 8, Deliveries: 8, Losses: 2, Duplicates: 1,
	}, m)
}

func TestVerdict(t *testing.T) {
	t.Parallel()
	require.NoError(t, verdict([]result{{Run: "1", Deliveries: 5, Duplicates: 2}}))
	require.EqualError(t, verdict([]result{{Run: "1"}, {Run: "2", Deliveries: 5, Losses: 1}}),
		"run 2: 1 of 6 deliveries lost, 0 events refused")
	require.Error(t, verdict([]result{{Run: "1", Refused: 1}}))
	require.Error(t, verdict(nil))
}

func TestTableHasALineForEachResult(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	require.NoError(t, table(&out, []result{{Run: "1", Mode: "closed"}, {Run: "median", Mode: "closed"}}))
	require.Equal(t, 3, strings.Count(out.String(), "\n"))
	require.Contains(t, out.String(), "median")
}
