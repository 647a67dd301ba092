package main

import (
	"errors"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/stretchr/testify/require"
)

// composed is docker-compose.yml, filled in.
func composed(t *testing.T) *types.Project {
	t.Helper()
	root, err := filepath.Abs(filepath.Join("..", ".."))
	require.NoError(t, err)
	project, err := loader.LoadWithContext(t.Context(), types.ConfigDetails{
		WorkingDir: root, ConfigFiles: []types.ConfigFile{{Filename: filepath.Join(root, "docker-compose.yml")}},
		Environment: types.Mapping{"POSTGRES_PASSWORD": "p", "POSTHORN_MASTER_KEYS": "m", "POSTHORN_OPERATOR_KEY": "o"},
	})
	require.NoError(t, err)
	return project
}

// What runs here is what the compose file describes: the same settings of Temporal, the same namespace, as many workers.
func TestTheClusterIsThatOfTheComposeFile(t *testing.T) {
	t.Parallel()
	project := composed(t)
	ours := map[string]string{}
	for _, pair := range temporalSettings(&url.URL{Host: "postgres:5432", User: url.UserPassword("posthorn", "p")}) {
		name, value, _ := strings.Cut(pair, "=")
		ours[name] = value
	}
	for name, value := range project.Services["temporal"].Environment {
		require.Contains(t, ours, name)
		switch name {
		case "BIND_ON_IP":
		case "DYNAMIC_CONFIG_FILE_PATH":
			require.Equal(t, "temporal-dev/dynamicconfig.yaml", ours[name])
			require.Equal(t, *value, project.Services["temporal"].Volumes[0].Target)
			require.True(t, strings.HasSuffix(project.Services["temporal"].Volumes[0].Source, ours[name]))
		default:
			require.Equal(t, *value, ours[name], name)
		}
	}
	create := strings.Join(project.Services["temporal-namespace"].Command, " ")
	require.Contains(t, create, "create --namespace "+namespace+" --retention 24h")
	require.Equal(t, 24*time.Hour, retention)
	require.Equal(t, replicas, *project.Services["worker"].Deploy.Replicas)
}

func TestTemporalSettingsOfAnotherServerDoNotComeThrough(t *testing.T) {
	t.Setenv("TEMPORAL_API_KEY", "another server's")
	t.Setenv("POSTHORN_RETENTION", "1h")
	c := &cluster{password: "it's secret", gone: make(chan string, 1)}
	require.NoError(t, c.startPostgres(t.Context()))
	t.Cleanup(c.postgres.Close)
	env := c.environment("POSTHORN_LISTEN=127.0.0.1:1")
	require.NotContains(t, env, "TEMPORAL_API_KEY=another server's")
	require.Contains(t, env, "POSTHORN_RETENTION=1h", "a developer's own settings do")
	require.Contains(t, env, "TEMPORAL_NAMESPACE="+namespace)
	require.Contains(t, env, "POSTHORN_LISTEN=127.0.0.1:1")
}

func TestAProcessThatEndsByItselfEndsTheCluster(t *testing.T) {
	t.Parallel()
	c := &cluster{dir: t.TempDir(), gone: make(chan string, 1)}
	_, err := c.start("short", os.Environ(), "sh", "-c", "echo why; exit 3")
	require.NoError(t, err)
	err = c.until(t.Context())
	require.ErrorContains(t, err, "short has ended")
	require.True(t, c.keep, "its log tells why")
	text, err := os.ReadFile(filepath.Join(c.dir, "short.log"))
	require.NoError(t, err)
	require.Equal(t, "why\n", string(text))
}

func TestStopEndsTheProcessesInTheirTurn(t *testing.T) {
	t.Parallel()
	c := &cluster{dir: t.TempDir(), keep: true, gone: make(chan string, 1)}
	for _, name := range []string{"first", "second"} {
		_, err := c.start(name, os.Environ(), "sleep", "600")
		require.NoError(t, err)
	}
	c.stop()
	for _, p := range c.processes {
		require.False(t, p.Running(), "%s has ended", p.Name)
	}
	require.Empty(t, c.gone, "they were asked to")
}

func TestACommandsExitStatusIsOurs(t *testing.T) {
	t.Parallel()
	c := &cluster{dir: t.TempDir(), gone: make(chan string, 1)}
	err := c.attend(exec.CommandContext(t.Context(), "sh", "-c", "exit 7"), func() {})
	failed, ok := errors.AsType[commandError](err)
	require.True(t, ok)
	require.Equal(t, 7, failed.ProcessState.ExitCode())
	require.True(t, c.keep)
}
