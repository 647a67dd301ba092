package main

import (
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// check runs `posthorn profiles check` on a file with the text; the process' exit status is 1 where there is an error.
func check(t *testing.T, text string) (file string, err error) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "acme.yaml")
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	return file, run([]string{"profiles", "check", file})
}

func TestProfilesCheckTakesAGoodFile(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("profiles/viva.yaml")
	require.NoError(t, err)
	_, err = check(t, string(text))
	require.NoError(t, err)
}

func TestProfilesCheckNamesFileLineAndKnobOfEachFault(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("profiles/viva.yaml")
	require.NoError(t, err)
	bad := strings.NewReplacer("timeout: 10s", "timeout: 10m", "subscription_limit: 100", "subscription_limit: 0")
	file, err := check(t, bad.Replace(string(text)))
	require.EqualError(t, err, file+" cannot be used:\n"+
		file+":18: timeout must be 100ms to 60s\n"+file+":29: subscription_limit must be 1 to 100000")

	require.ErrorIs(t, run([]string{"profiles", "check", filepath.Join(t.TempDir(), "absent.yaml")}), os.ErrNotExist)
}

func TestHealthIsThatOfTheProcessThatListens(t *testing.T) {
	t.Parallel()
	answers := http.StatusOK
	process := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/readyz" {
			answers = http.StatusNotFound
		}
		w.WriteHeader(answers)
	}))
	defer process.Close()
	_, port, err := net.SplitHostPort(process.Listener.Addr().String())
	require.NoError(t, err)
	require.NoError(t, run([]string{"health", "--listen", "0.0.0.0:" + port}))
	require.NoError(t, run([]string{"health", "--worker-listen", ":" + port}))
	answers = http.StatusServiceUnavailable
	require.ErrorContains(t, run([]string{"health", "--url", process.URL}), "503")
	process.Close()
	require.ErrorContains(t, run([]string{"health", "--url", process.URL}), "refused")
	require.ErrorContains(t, run([]string{"health", "--listen", "nowhere"}), `"nowhere"`)
}
