// Package deploy_test checks the files of a deployment against the program that they run.
package deploy_test

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/compose-spec/compose-go/v2/dotenv"
	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/internal/config"
)

// root is the project's folder.
const root = ".."

// composed is docker-compose.yml as `docker compose config` makes it of a filled-in .env.
func composed(t *testing.T, env map[string]string) (*types.Project, error) {
	t.Helper()
	folder, err := filepath.Abs(root)
	require.NoError(t, err)
	return loader.LoadWithContext(t.Context(), types.ConfigDetails{
		WorkingDir:  folder,
		ConfigFiles: []types.ConfigFile{{Filename: filepath.Join(folder, "docker-compose.yml")}},
		Environment: env,
	})
}

// filledIn is .env.example with values for what it leaves open.
func filledIn(t *testing.T) map[string]string {
	t.Helper()
	env, err := dotenv.Read(filepath.Join(root, ".env.example"))
	require.NoError(t, err)
	for _, name := range []string{"POSTGRES_PASSWORD", "POSTHORN_OPERATOR_KEY", "POSTHORN_MASTER_KEYS"} {
		require.Contains(t, env, name)
		require.Empty(t, env[name], "an example must not become anybody's secret")
		env[name] = strings.Repeat("x", 44)
	}
	return env
}

func TestComposeFileIsAccepted(t *testing.T) {
	t.Parallel()
	project, err := composed(t, filledIn(t))
	require.NoError(t, err)
	require.ElementsMatch(t, project.ServiceNames(), []string{
		"postgres", "temporal-schema", "temporal", "temporal-namespace", "temporal-ui", "migrate", "api", "worker",
	})
	pinned := regexp.MustCompile(`^[a-z/-]+:\d+\.\d+(\.\d+)?$`)
	for name, service := range project.Services {
		require.NotEmptyf(t, service.Restart, "%s: a restart policy", name)
		for _, port := range service.Ports {
			require.Equalf(t, "127.0.0.1", port.HostIP, "%s listens on this machine alone", name)
		}
		if service.Build == nil {
			require.Regexpf(t, pinned, service.Image, "%s: a pinned image", name)
			continue
		}
		require.Truef(t, service.ReadOnly, "%s: a read-only file system", name)
		require.Equalf(t, []string{"ALL"}, service.CapDrop, "%s", name)
	}
}

func TestComposeFileLetsProcessesFinish(t *testing.T) {
	t.Parallel()
	project, err := composed(t, filledIn(t))
	require.NoError(t, err)
	for _, name := range []string{"api", "worker"} {
		grace := project.Services[name].StopGracePeriod
		require.NotNilf(t, grace, "%s is killed after 10 s", name)
		require.Greater(t, time.Duration(*grace), time.Duration(stopSeconds(t))*time.Second, name)
	}
}

// The file says `--scale worker=4`; the API and Temporal are there too, and Postgres keeps three for its superuser.
func TestComposeFileHasConnectionsForFourWorkers(t *testing.T) {
	t.Parallel()
	project, err := composed(t, filledIn(t))
	require.NoError(t, err)
	text, err := os.ReadFile(filepath.Join(root, "docker-compose.yml"))
	require.NoError(t, err)
	require.Contains(t, string(text), "--scale worker=4")
	command := project.Services["postgres"].Command
	require.Len(t, command, 3)
	value, ok := strings.CutPrefix(command[2], "max_connections=")
	require.True(t, ok, command)
	connections, err := strconv.Atoi(value)
	require.NoError(t, err)
	field, ok := reflect.TypeFor[config.Config]().FieldByName("DatabaseConnections")
	require.True(t, ok)
	each, err := strconv.Atoi(field.Tag.Get("default"))
	require.NoError(t, err)
	const temporal, reserve = 30, 3
	require.Greater(t, connections-reserve, each+4*(each+1)+temporal)
}

func TestComposeFileWaitsForWhatIsNeeded(t *testing.T) {
	t.Parallel()
	project, err := composed(t, filledIn(t))
	require.NoError(t, err)
	for name, service := range project.Services {
		for other, needed := range service.DependsOn {
			switch needed.Condition {
			case types.ServiceConditionHealthy:
				require.NotNilf(t, project.Services[other].HealthCheck, "%s waits for %s to be healthy", name, other)
			case types.ServiceConditionCompletedSuccessfully:
				require.Equalf(t, "on-failure", project.Services[other].Restart, "%s waits for %s to end", name, other)
			default:
				require.Failf(t, "a condition that says nothing", "%s: %s", name, needed.Condition)
			}
		}
		for _, volume := range service.Volumes {
			if volume.Type == types.VolumeTypeBind {
				require.FileExistsf(t, volume.Source, "%s", name)
			}
		}
	}
}

func TestComposeFileRefusesToStartWithoutSecrets(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"POSTGRES_PASSWORD", "POSTHORN_OPERATOR_KEY", "POSTHORN_MASTER_KEYS"} {
		env := filledIn(t)
		env[name] = ""
		_, err := composed(t, env)
		require.ErrorContains(t, err, name)
		require.ErrorContains(t, err, ".env.example")
	}
}

// settings are the environment variables of the program.
func settings() map[string]bool {
	names := map[string]bool{}
	for _, field := range reflect.VisibleFields(reflect.TypeFor[config.Config]()) {
		names[field.Tag.Get("env")] = true
	}
	return names
}

func TestComposeFileSetsWhatTheProgramReads(t *testing.T) {
	t.Parallel()
	project, err := composed(t, filledIn(t))
	require.NoError(t, err)
	known := settings()
	for name, service := range project.Services {
		if service.Build == nil {
			continue
		}
		for variable := range service.Environment {
			require.Truef(t, known[variable], "%s: %s is no setting", name, variable)
		}
	}
}

// The image is built with the Go that go.mod names, and the Temporal server has the dynamic config of the embedded one.
func TestImageIsBuiltWithTheGoOfGoMod(t *testing.T) {
	t.Parallel()
	module, err := os.ReadFile(filepath.Join(root, "go.mod"))
	require.NoError(t, err)
	version := regexp.MustCompile(`(?m)^go (\S+)$`).FindSubmatch(module)
	require.Len(t, version, 2)
	dockerfile, err := os.ReadFile(filepath.Join(root, "Dockerfile"))
	require.NoError(t, err)
	require.Contains(t, string(dockerfile), "FROM golang:"+string(version[1])+"-")
	require.Contains(t, string(dockerfile), "USER nonroot")
}
