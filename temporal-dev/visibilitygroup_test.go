package temporaldev_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	temporaldev "github.com/posthorn/posthorn/temporal-dev"
)

// What follows is what the server writes to visibility: each write is one call from a goroutine of its own.

func TestAStartIsNotWrittenBesideItsClose(t *testing.T) {
	t.Parallel()
	v := temporaldev.OpenVisibility(t)
	var writes sync.WaitGroup
	for n := range 20 {
		writes.Go(func() { require.NoError(t, v.RecordStart(t.Context(), fmt.Sprint("run-", n), 1)) })
	}
	require.Eventually(t, func() bool { return v.Waiting() == 20 }, 10*time.Second, time.Millisecond)
	for n := range 20 {
		writes.Go(func() { require.NoError(t, v.RecordClose(t.Context(), fmt.Sprint("run-", n), 2)) })
	}
	writes.Wait()

	require.Equal(t, 20, v.Statements(), "one for each run")
	require.Less(t, v.Transactions(), 20)
	for n := range 20 {
		require.Equal(t, int64(2), v.Version(t, fmt.Sprint("run-", n)))
	}
}

func TestAStartIsWrittenWithoutAClose(t *testing.T) {
	t.Parallel()
	v := temporaldev.OpenVisibility(t)
	require.NoError(t, v.RecordStart(t.Context(), "running", 1))
	require.Equal(t, int64(1), v.Version(t, "running"))

	require.NoError(t, v.RecordClose(t.Context(), "running", 3))
	require.NoError(t, v.RecordClose(t.Context(), "running", 2), "as when a task is tried again")
	require.Equal(t, int64(3), v.Version(t, "running"))

	require.NoError(t, v.Delete(t.Context(), "running"))
	require.Zero(t, v.Version(t, "running"))
}

func TestManyStartsAreNotHeld(t *testing.T) {
	t.Parallel()
	v := temporaldev.OpenVisibility(t)
	const many = temporaldev.MaxHeldStarts + 50
	var writes sync.WaitGroup
	for n := range many {
		writes.Go(func() { require.NoError(t, v.RecordStart(t.Context(), fmt.Sprint("run-", n), 1)) })
	}
	require.Eventually(t, func() bool { return v.Statements() == 50 }, 10*time.Second, time.Millisecond)
	writes.Wait()
	require.Equal(t, many, v.Statements())
}

func TestAWriteThatCannotBeCommittedFails(t *testing.T) {
	t.Parallel()
	v := temporaldev.OpenVisibility(t)
	broken := errors.New("the disk is full")
	v.FailCommits(broken)
	require.ErrorIs(t, v.RecordClose(t.Context(), "run", 1), broken)
	require.Zero(t, v.Version(t, "run"))

	v.FailCommits(nil)
	require.NoError(t, v.RecordClose(t.Context(), "run", 1))
	require.Equal(t, int64(1), v.Version(t, "run"))
}

func TestAWriteThatFailsLeavesTheOthers(t *testing.T) {
	t.Parallel()
	v := temporaldev.OpenVisibility(t)
	var writes sync.WaitGroup
	writes.Go(func() { require.Error(t, v.RecordBadly(t.Context(), "bad")) })
	writes.Go(func() { require.NoError(t, v.RecordClose(t.Context(), "good", 1)) })
	writes.Wait()
	require.Equal(t, int64(1), v.Version(t, "good"))
	require.Zero(t, v.Version(t, "bad"))
}

func TestWritesWhileItCloses(t *testing.T) {
	t.Parallel()
	v := temporaldev.OpenVisibility(t)
	var writes sync.WaitGroup
	writes.Go(func() { require.NoError(t, v.RecordStart(t.Context(), "held", 1)) })
	require.Eventually(t, func() bool { return v.Waiting() == 1 }, 10*time.Second, time.Millisecond)
	v.Stop()
	writes.Wait()
	require.Equal(t, int64(1), v.Version(t, "held"))
	require.NoError(t, v.RecordClose(t.Context(), "late", 1))
	require.Equal(t, int64(1), v.Version(t, "late"))
}

func TestACallerThatGivesUp(t *testing.T) {
	t.Parallel()
	v := temporaldev.OpenVisibility(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, v.RecordStart(ctx, "run", 1), context.Canceled)
}
