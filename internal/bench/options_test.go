package main

import (
	"bytes"
	"flag"
	"io"
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
