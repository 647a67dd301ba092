package program_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/internal/program"
)

func shell(t *testing.T, script string) program.Command {
	t.Helper()
	return program.Command{
		Name: "script", Argv: []string{"sh", "-c", script}, Env: program.CleanEnvironment(), Log: filepath.Join(t.TempDir(), "log"),
	}
}

func started(t *testing.T, c program.Command) *program.Process {
	t.Helper()
	p, err := program.Start(c)
	require.NoError(t, err)
	t.Cleanup(func() { _ = p.Kill() })
	return p
}

func TestTheLogHasTheOutputOfEachStart(t *testing.T) {
	t.Parallel()
	c := shell(t, "echo out; echo err >&2; exit 3")
	for range 2 {
		require.Equal(t, 3, started(t, c).State().ExitCode())
	}
	c.OnlyErrors = true
	p := started(t, c)
	<-p.Exited()
	require.False(t, p.Running())
	require.Equal(t, "out\nerr\nout\nerr\nerr\n", p.Tail())
}

func TestRunSaysHowTheProgramEnded(t *testing.T) {
	t.Parallel()
	require.NoError(t, program.Run(t.Context(), shell(t, "true")))
	require.ErrorContains(t, program.Run(t.Context(), shell(t, "echo why; exit 3")), "exit status 3; the end of its log:\nwhy")

	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	require.ErrorContains(t, program.Run(ctx, shell(t, "exec sleep 600")), "killed")
}

func TestAProgramThatIsNotThereIsNamed(t *testing.T) {
	t.Parallel()
	_, err := program.Start(program.Command{Name: "nobody", Argv: []string{"/nowhere"}, Log: filepath.Join(t.TempDir(), "log")})
	require.ErrorContains(t, err, "start nobody")
	_, err = program.Start(program.Command{Name: "nobody", Argv: []string{"true"}, Log: filepath.Join(t.TempDir(), "a", "b")})
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestAProcessEndsAsItIsAskedTo(t *testing.T) {
	t.Parallel()
	p := started(t, shell(t, "exec sleep 600"))
	require.True(t, p.Running())
	require.NoError(t, p.Stop(time.Minute))
	require.Equal(t, "signal: terminated", p.State().String())
	require.NoError(t, p.Stop(time.Minute), "it has ended already")
	require.ErrorContains(t, p.Signal(syscall.SIGSTOP), "script does not run")
	require.Error(t, p.Kill())

	deaf := started(t, shell(t, "trap '' TERM; echo deaf; while :; do sleep 0.1; done"))
	require.Eventually(t, func() bool { return deaf.Tail() == "deaf\n" }, time.Minute, time.Millisecond)
	require.ErrorContains(t, deaf.Stop(10*time.Millisecond), "script did not stop within 10ms")
	require.False(t, deaf.Running())
}

func TestReadyIsWhatReadyzSays(t *testing.T) {
	t.Parallel()
	status := http.StatusOK
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/readyz" {
			w.WriteHeader(status)
		}
	}))
	t.Cleanup(server.Close)
	require.NoError(t, program.Ready(t.Context(), server.URL))
	status = http.StatusServiceUnavailable
	require.ErrorContains(t, program.Ready(t.Context(), server.URL), "503")
	server.Close()
	require.Error(t, program.Ready(t.Context(), server.URL))
}

func TestSettingsOfAnotherPosthornDoNotComeThrough(t *testing.T) {
	t.Setenv("POSTHORN_LISTEN", "127.0.0.1:1")
	t.Setenv("TEMPORAL_API_KEY", "another server's")
	t.Setenv("POST", "stays")
	env := program.CleanEnvironment()
	require.Contains(t, env, "POST=stays")
	require.False(t, slices.ContainsFunc(env, func(pair string) bool {
		return strings.HasPrefix(pair, "POSTHORN_") || strings.HasPrefix(pair, "TEMPORAL_")
	}))
}

func TestPortsAreFreeAndDifferent(t *testing.T) {
	t.Parallel()
	ports, err := program.FreePorts(t.Context(), 20)
	require.NoError(t, err)
	slices.Sort(ports)
	require.Len(t, slices.Compact(ports), 20)
	require.Less(t, ports[19], 1<<15, "Temporal stores no higher ones")
}
