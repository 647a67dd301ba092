package fault_test

import (
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"
)

// patience is how long a test waits for what must happen; far more than it takes, on a machine that is busy.
const patience = 90 * time.Second

// full reports whether outages take as long as they would in earnest.
func full() bool { return os.Getenv("POSTHORN_FAULT_FULL") == "1" }

// outageOf is how long an outage lasts: as it is given in full, at most a minute under the tag fault, else seconds.
func outageOf(inFull time.Duration) time.Duration {
	if full() {
		return inFull
	}
	if given, err := time.ParseDuration(os.Getenv("POSTHORN_FAULT_OUTAGE")); err == nil {
		return min(inFull, given)
	}
	return min(inFull, scaled)
}

// seed is what all choices of this process follow from.
//
//nolint:gochecknoglobals // one for the process, so that one variable repeats a run
var seed = sync.OnceValue(func() uint64 {
	if text := os.Getenv("POSTHORN_FAULT_SEED"); text != "" {
		given, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			panic("POSTHORN_FAULT_SEED: " + err.Error())
		}
		return given
	}
	return rand.Uint64()
})

// dice are the choices of one test; the log says how to repeat them.
func dice(t *testing.T) *rand.Rand {
	t.Helper()
	t.Logf("POSTHORN_FAULT_SEED=%d", seed())
	return rand.New(rand.NewPCG(seed(), 0))
}

// number is a positive number from the environment, or the fallback.
func number(t *testing.T, name string, fallback int) int {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return fallback
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("%s must be a positive number", name)
	}
	return n
}
