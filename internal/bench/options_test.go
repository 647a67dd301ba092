package main

import (
	"bytes"
	"flag"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestParse(t *testing.T) {
	t.Parallel()
	o, err := parse(nil, io.Discard)
	require.NoError(t, err)
	require.Equal(t, 2000, o.events)
	require.Equal(t, "sqlite", o.database())
	o, err = parse([]string{"-mode", "open", "-rate", "2.5", "-duration", "4s", "-database-url", "postgres://x"}, io.Discard)
	require.NoError(t, err)
	require.Equal(t, 10, o.events)
	require.Equal(t, 4*time.Second, o.duration)
	require.Equal(t, "postgres", o.database())
}

func TestParseRefusesWhatIsOutOfBounds(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{
		{"-mode", "both"},
		{"-events", "0"},
		{"-events", "1000001"},
		{"-events", "1000000", "-subscriptions", "6"},
		{"-subscriptions", "0"},
		{"-concurrency", "0"},
		{"-payload", "10"},
		{"-repeats", "0"},
		{"-warmup", "-1"},
		{"-timeout", "0s"},
		{"-mode", "open", "-rate", "0"},
		{"closed"},
		{"-topology", "mesh"},
		{"-topology", "cluster", "-sample", "10s"},
		{"-topology", "cluster", "-database-url", "postgres://x"},
		{"-stored", "-1"},
		{"-waiting", "10000001"},
		{"-waiting", "1", "-database-url", "postgres://x"},
		{"-events-per-workflow", "-1"},
		{"-mode", "stored", "-stored", "10"},
		{"-env", "KEY"},
		{"-env", "=VALUE"},
		{"-suite", "slow"},
		{"-suite=false"},
	} {
		_, err := parse(args, io.Discard)
		require.Error(t, err, args)
	}
}

func TestHelpListsTheFlags(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	_, err := parse([]string{"-h"}, &out)
	require.ErrorIs(t, err, flag.ErrHelp)
	require.Contains(t, out.String(), "-database-url")
}

func TestParseModes(t *testing.T) {
	t.Parallel()
	o, err := parse([]string{
		"-mode", "idle", "-topology", "cluster", "-env", "A=1", "-env", "B=x=y", "-events-per-workflow", "50",
	}, io.Discard)
	require.NoError(t, err)
	require.Zero(t, o.events)
	require.Equal(t, time.Minute, o.duration)
	require.Equal(t, 3, o.repeats)
	require.Equal(t, "postgres", o.database())
	require.Equal(t, []string{"POSTHORN_EVENTS_PER_WORKFLOW=50", "A=1", "B=x=y"}, o.environment())
}

func TestParseSuites(t *testing.T) {
	t.Parallel()
	for want, args := range map[string][]string{
		"":                {"-repeats", "2"},
		suiteFull:         {"-suite", "-repeats", "2"},
		suiteQuick:        {"-suite", "quick", "-repeats", "2"},
		suiteGrowth:       {"-repeats", "2", "-suite", "growth"},
		suiteGrowth + " ": {"-suite=growth", "-repeats", "2"},
	} {
		o, err := parse(args, io.Discard)
		require.NoError(t, err, args)
		require.Equal(t, strings.TrimSpace(want), o.suite, args)
		require.Equal(t, 2, o.repeats, args)
	}
}
