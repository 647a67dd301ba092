package main

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/internal/program"
)

func TestParseStat(t *testing.T) {
	t.Parallel()
	p, err := parseStat("42 (a (b) c) S 7 42 42 0 -1 4194560 1 2 3 4 150 50 10 5 20 0 11 0 100 1 1 1\n")
	require.NoError(t, err)
	require.Equal(t, process{pid: 42, parent: 7, cpu: 2150 * time.Millisecond}, p)
	for _, line := range []string{"", "42 bash S 7", "42 (bash) S 7 1 2", "x (bash) S 7 42 42 0 -1 0 1 2 3 4 1 1 1 1 20"} {
		_, err := parseStat(line)
		require.Error(t, err, line)
	}
}

func TestDescends(t *testing.T) {
	t.Parallel()
	tree := map[int]process{1: {pid: 1}, 2: {pid: 2, parent: 1}, 3: {pid: 3, parent: 2}, 8: {pid: 8, parent: 9}, 9: {pid: 9, parent: 8}}
	require.True(t, descends(tree, 3, 1))
	require.True(t, descends(tree, 1, 1))
	require.False(t, descends(tree, 1, 2))
	require.False(t, descends(tree, 8, 1))
}

// sleeping is a process that does nothing.
func sleeping(t *testing.T) *program.Process {
	t.Helper()
	p, err := program.Start(program.Command{Name: "sleep", Argv: []string{"sleep", "60"}, Log: filepath.Join(t.TempDir(), "log")})
	require.NoError(t, err)
	t.Cleanup(func() { _ = p.Kill() }) // it may have ended
	return p
}

func TestUsageOfATree(t *testing.T) {
	t.Parallel()
	p := sleeping(t)
	all, err := usageOf(os.Getpid())
	require.NoError(t, err)
	one, err := usageOf(p.Pid())
	require.NoError(t, err)
	require.Positive(t, one.peakRSS)
	require.Positive(t, one.rss)
	require.LessOrEqual(t, one.rss, one.peakRSS)
	require.Greater(t, all.peakRSS, one.peakRSS)
	_, err = usageOf(1 << 30)
	require.Error(t, err)
}
