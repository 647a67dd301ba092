package main

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/require"
)

// lines are what `go test -json` writes, for the package p where none is given.
func lines(t *testing.T, list ...string) io.Reader {
	t.Helper()
	for i, line := range list {
		if !strings.Contains(line, `"Package"`) && strings.HasPrefix(line, "{") {
			list[i] = `{"Package":"p",` + line[1:]
		}
	}
	return strings.NewReader(strings.Join(list, "\n"))
}

func TestResultsAreThoseOfTheTopLevelTests(t *testing.T) {
	t.Parallel()
	var progress bytes.Buffer
	results, err := readResults(lines(t,
		`{"Action":"start"}`,
		`{"Action":"run","Test":"TestVIV1_A"}`,
		`{"Action":"run","Test":"TestVIV1_A/sqlite"}`,
		`{"Action":"output","Test":"TestVIV1_A/sqlite","Output":"--- PASS\n"}`,
		`{"Action":"pass","Test":"TestVIV1_A/sqlite","Elapsed":0.1}`,
		`{"Action":"skip","Test":"TestVIV1_A/postgres","Elapsed":0}`,
		`{"Action":"pass","Test":"TestVIV1_A","Elapsed":0.2}`,
		`{"Action":"run","Test":"TestVIV2_B"}`,
		`{"Action":"run","Test":"TestVIV2_B/sqlite"}`,
		`{"Action":"output","Test":"TestVIV2_B/sqlite","Output":"    b_test.go:7: no answer\n"}`,
		`{"Action":"fail","Test":"TestVIV2_B/sqlite","Elapsed":0.1}`,
		`{"Action":"fail","Test":"TestVIV2_B","Elapsed":0.2}`,
		`{"Action":"run","Test":"TestVIV3_C"}`,
		`{"Action":"skip","Test":"TestVIV3_C","Elapsed":0}`,
		`{"Action":"output","Output":"FAIL\n"}`,
		`{"Action":"fail","Elapsed":1}`,
		`{"Package":"q","Action":"pass","Test":"TestVIV2_B","Elapsed":0.2}`,
	), &progress)
	require.NoError(t, err)
	require.Equal(t, map[key]outcome{
		{"p", "TestVIV1_A"}: passed, {"p", "TestVIV2_B"}: failed, {"p", "TestVIV3_C"}: missing, {"q", "TestVIV2_B"}: passed,
	}, results)
	require.Contains(t, progress.String(), "passed      0.2s  TestVIV1_A\n")
	require.Contains(t, progress.String(), "failed      0.2s  TestVIV2_B\n    b_test.go:7: no answer\n")
	require.Contains(t, progress.String(), "skipped     0.0s  TestVIV3_C\n")
	require.NotContains(t, progress.String(), "--- PASS", "what a test that passed wrote")
}

func TestWhatACrashCutOffFailed(t *testing.T) {
	t.Parallel()
	var progress bytes.Buffer
	results, err := readResults(lines(t,
		`{"Action":"run","Test":"TestVIV1_A"}`,
		`{"Action":"output","Test":"TestVIV1_A","Output":"before\n"}`,
		`{"Action":"output","Output":"panic: out of luck\n"}`,
		`{"Action":"fail","Elapsed":1}`,
	), &progress)
	require.NoError(t, err)
	require.Equal(t, map[key]outcome{{"p", "TestVIV1_A"}: failed}, results)
	require.Contains(t, progress.String(), "panic: out of luck")
	require.Contains(t, progress.String(), "before")
}

func TestAPackageThatDoesNotBuildHasNoResults(t *testing.T) {
	t.Parallel()
	var progress bytes.Buffer
	results, err := readResults(lines(t,
		`{"ImportPath":"p [p.test]","Action":"build-output","Output":"p/a.go:3:1: syntax error\n"}`,
		`{"ImportPath":"p [p.test]","Action":"build-fail"}`,
		`{"Action":"start"}`,
		`{"Action":"output","Output":"FAIL\tp [build failed]\n"}`,
		`{"Action":"fail","Elapsed":0,"FailedBuild":"p [p.test]"}`,
		`no JSON at all`,
	), &progress)
	require.NoError(t, err)
	require.Empty(t, results)
	for _, want := range []string{"syntax error", "build failed", "no JSON at all"} {
		require.Contains(t, progress.String(), want)
	}
	_, err = readResults(iotest.ErrReader(errors.New("cut off")), io.Discard)
	require.ErrorContains(t, err, "cut off")
}

func TestTheCommandNamesEachTestAndPackageOnce(t *testing.T) {
	t.Parallel()
	require.Equal(t,
		[]string{"test", "-json", "-timeout", "1m0s", "-run", "^(TestVIV1_A|TestVIV2_B)$", "p", "q"},
		goTest(time.Minute, []test{{"p", "TestVIV1_A", nil}, {"q", "TestVIV1_A", nil}, {"q", "TestVIV2_B", nil}}))
}

func TestTheTable(t *testing.T) {
	t.Parallel()
	wanted := []requirement{{"VIV-1", "X", ""}, {"VIV-2", "X", ""}, {"VIV-3", "I", ""}, {"VIV-4", "C", ""}, {"VIV-35", "N", ""}}
	tests := []test{
		{"m/p", "TestVIV1_A", []string{"VIV-1"}},
		{"m/q", "TestVIV1_2_B", []string{"VIV-1", "VIV-2"}},
		{"m/q", "TestVIV1_Skipped", []string{"VIV-1"}},
		{"m/q", "TestVIV3_Skipped", []string{"VIV-3"}},
	}
	results := map[key]outcome{
		{"m/p", "TestVIV1_A"}: passed, {"m/q", "TestVIV1_2_B"}: passed,
		{"m/q", "TestVIV1_Skipped"}: missing, {"m/q", "TestVIV3_Skipped"}: missing,
	}
	var out strings.Builder
	c := writeTable(&out, wanted, tests, results)
	require.Equal(t, `ID      STRENGTH  RESULT        TESTS
VIV-1   X         passed        p.TestVIV1_A, q.TestVIV1_2_B, q.TestVIV1_Skipped
VIV-2   X         passed        q.TestVIV1_2_B
VIV-3   I         missing       q.TestVIV3_Skipped
VIV-4   C         missing       
VIV-35  N         not testable  

5 requirements: 2 passed, 0 failed, 2 missing, 1 not testable
`, out.String())
	require.ErrorContains(t, c.err(), "not all")

	results[key{"m/p", "TestVIV1_A"}] = failed
	c = writeTable(io.Discard, wanted[:2], tests, results)
	require.Equal(t, counts{passed: 1, failed: 1}, c)
	require.Error(t, c.err())
	require.NoError(t, writeTable(io.Discard, wanted[1:2], tests, results).err())
	require.NoError(t, writeTable(io.Discard, wanted[4:], nil, map[key]outcome{}).err())

	out.Reset()
	writeTable(&out, wanted[1:], tests, nil)
	require.Contains(t, out.String(), "VIV-2   X         not run       q.TestVIV1_2_B\n")
	require.Contains(t, out.String(), "VIV-4   C         missing       \n")
}
