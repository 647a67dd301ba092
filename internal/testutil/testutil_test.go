package testutil_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/internal/testutil"
)

func TestSeedIsTheGivenOneOrDrawn(t *testing.T) {
	t.Setenv(testutil.EnvSeed, "")
	first := testutil.Seed(t)
	require.NotEqual(t, first, testutil.Seed(t))
	t.Setenv(testutil.EnvSeed, "18446744073709551615")
	require.Equal(t, ^uint64(0), testutil.Seed(t))
}

func TestCPUTimeGrowsByWhatIsUsed(t *testing.T) {
	t.Parallel()
	before := testutil.CPUTime(t)
	require.Positive(t, before)
	sum, enough := 0, time.Now().Add(10*time.Second)
	for testutil.CPUTime(t)-before < 10*time.Millisecond && time.Now().Before(enough) {
		sum++
	}
	require.GreaterOrEqual(t, testutil.CPUTime(t)-before, 10*time.Millisecond, sum)
}
