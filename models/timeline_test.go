package models

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestPercentileIsTheBoundOfAClass(t *testing.T) {
	t.Parallel()
	classes := make([]int, len(LatencyClasses()))
	require.Zero(t, (&TimelinePart{Classes: classes}).Percentile(50))
	classes[1], classes[4] = 19, 1 // 19 of 10 ms at most, 1 of 100 ms
	part := TimelinePart{Classes: classes}
	require.Equal(t, 10*time.Millisecond, part.Percentile(50))
	require.Equal(t, 10*time.Millisecond, part.Percentile(95))
	require.Equal(t, 100*time.Millisecond, part.Percentile(96))
	require.Equal(t, 100*time.Millisecond, part.Percentile(100))
}
