//go:build unix

// CPU time, which tests of what something costs measure; Windows has no getrusage.

package testutil

import (
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// CPUTime is what this whole process has used so far, in user and system mode: a receiver or a Temporal server that the
// test runs in it included.
func CPUTime(tb testing.TB) time.Duration {
	tb.Helper()
	var usage syscall.Rusage
	require.NoError(tb, syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
