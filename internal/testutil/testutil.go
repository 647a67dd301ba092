// Package testutil holds what the tests of several packages need and no library has. Only tests import it; a lint rule
// sees to it.
package testutil

import (
	"math/rand/v2"
	"os"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

// EnvSeed names the variable by which a test that draws at random is run again as it was.
const EnvSeed = "POSTHORN_TEST_SEED"

// Seed is what [EnvSeed] says, or a random number; the log of a failure shows it.
func Seed(tb testing.TB) uint64 {
	tb.Helper()
	seed := rand.Uint64() //nolint:gosec // a seed of tests
	if given := os.Getenv(EnvSeed); given != "" {
		var err error
		seed, err = strconv.ParseUint(given, 10, 64)
		require.NoError(tb, err)
	}
	tb.Logf("%s=%d", EnvSeed, seed)
	return seed
}
