package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestEveryMeasurementOfASuiteIsPossible(t *testing.T) {
	t.Parallel()
	for name, repeats := range map[string]int{suiteFull: 5, suiteQuick: 1, suiteGrowth: 5} {
		o, err := parse([]string{"-suite", name, "-repeats", "5", "-env", "GOGC=100"}, io.Discard)
		require.NoError(t, err)
		names := map[string]bool{}
		for _, m := range o.measurements() {
			require.NoError(t, m.options.check(), "%s: %s", name, m.name)
			require.False(t, names[m.name], m.name)
			names[m.name] = true
			require.Equal(t, m.name, m.options.name)
			require.Equal(t, repeats, m.options.repeats)
			require.Equal(t, pairs{"GOGC=100"}, m.options.settings)
			require.NotEmpty(t, m.targets)
		}
	}
}

func TestMeasurementTellsItsTargets(t *testing.T) {
	t.Parallel()
	m := measurement{"five", options{}, []target{cost(1.5), delivered(900), accept("p99", 20), endToEnd("p99.9", 0), peak()}}
	var out bytes.Buffer
	m.tell(&out, result{CPUPer1000Deliveries: 1.5, DeliveriesPerS: 899.9, AcceptP99: 20.1, EndToEndP999: 7, MaxRSS: 300})
	require.Equal(t, []string{
		"| five | CPU-seconds per 1,000 deliveries | ≤ 1.5 | 1.5 | met |",
		"| five | delivered/s | ≥ 900 | 899.9 | MISSED |",
		"| five | accept p99, ms | ≤ 20 | 20.1 | MISSED |",
		"| five | end to end p99.9, ms | – | 7 |  |",
		"| five | peak memory, MB | – | 300 |  |",
	}, strings.Split(strings.TrimSpace(strings.ReplaceAll(out.String(), "\t", " ")), "\n"))
}

func TestIdleIsAPartOfOneCore(t *testing.T) {
	t.Parallel()
	r := judgeIdle(options{mode: modeIdle}, usage{cpu: 300 * time.Millisecond, peakRSS: 3e8, rss: 2e8}, time.Minute)
	require.InDelta(t, 0.5, r.IdleCPU, 0)
	require.InDelta(t, 200, r.RSS, 0)
	require.NoError(t, verdict([]result{r}))
}

// A program that ends at once makes every measurement fail, and the suite with them.
func TestASuiteWhoseRunsFailFails(t *testing.T) {
	t.Parallel()
	binary := filepath.Join(t.TempDir(), "posthorn")
	require.NoError(t, os.WriteFile(binary, []byte("#!/bin/sh\necho no luck\nexit 1\n"), 0o700))
	var out, told bytes.Buffer
	err := bench(t.Context(), []string{"-suite", "growth", "-repeats", "1", "-binary", binary}, &out, &told)
	require.ErrorContains(t, err, "25 subscriptions: run 1")
	require.ErrorContains(t, err, "no luck")
	require.Contains(t, told.String(), "| 100000 events wait")
	require.Equal(t, len(growth()), strings.Count(told.String(), "FAILED"))
	require.Empty(t, out.String())
}
