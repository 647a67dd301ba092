package main

import (
	"context"
	"errors"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	sdklog "go.temporal.io/sdk/log"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/posthorn/posthorn/internal/program"
)

const (
	namespace = "posthorn"
	// retention is how long Temporal keeps closed workflows, as in docker-compose.yml.
	retention = 24 * time.Hour
	// shards as in docker-compose.yml.
	shards = 4
)

// setUpTemporal runs the script that the container temporal-schema runs.
func (c *cluster) setUpTemporal(ctx context.Context) error {
	tools, err := filepath.Abs(binaries)
	if err != nil {
		return err
	}
	at := c.postgres.URL("")
	return c.runs(ctx, "temporal-schema", append(os.Environ(), "PATH="+tools+":"+os.Getenv("PATH"),
		"SQL_HOST="+at.Hostname(), "SQL_PORT="+at.Port(), "SQL_USER="+at.User.Username(), "SQL_PASSWORD="+c.password),
		"sh", filepath.Join("deploy", "temporal-schema.sh"))
}

// startTemporal starts the server that the image temporalio/server has.
func (c *cluster) startTemporal(ctx context.Context) error {
	services := []string{
		"FRONTEND_GRPC_PORT", "FRONTEND_MEMBERSHIP_PORT", "FRONTEND_HTTP_PORT", "HISTORY_GRPC_PORT", "HISTORY_MEMBERSHIP_PORT",
		"MATCHING_GRPC_PORT", "MATCHING_MEMBERSHIP_PORT", "WORKER_GRPC_PORT", "WORKER_MEMBERSHIP_PORT",
	}
	ports, err := program.FreePorts(ctx, len(services))
	if err != nil {
		return err
	}
	c.temporal = program.Loopback(ports[0])
	env := append(os.Environ(), temporalSettings(c.postgres.URL(""))...)
	for i, name := range services {
		env = append(env, name+"="+strconv.Itoa(ports[i]))
	}
	_, err = c.start("temporal", env, filepath.Join(binaries, "temporal-server"), "start")
	return err
}

// temporalSettings are what the server reads into the template built into it, as the image's does: its configuration in
// docker-compose.yml, but for the addresses.
func temporalSettings(postgres *url.URL) []string {
	password, _ := postgres.User.Password()
	return []string{
		"DB=postgres12", "POSTGRES_SEEDS=" + postgres.Hostname(), "DB_PORT=" + postgres.Port(),
		"POSTGRES_USER=" + postgres.User.Username(), "POSTGRES_PWD=" + password, "BIND_ON_IP=127.0.0.1",
		"NUM_HISTORY_SHARDS=" + strconv.Itoa(shards), "LOG_LEVEL=warn",
		"DYNAMIC_CONFIG_FILE_PATH=" + filepath.Join("temporal-dev", "dynamicconfig.yaml"),
	}
}

// createNamespace does what the container temporal-namespace does.
func (c *cluster) createNamespace(ctx context.Context) error {
	return c.eventually(ctx, "the namespace", func() error {
		// Nothing is logged, because it is tried until it works.
		quiet := sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler))
		client, err := client.NewNamespaceClient(client.Options{HostPort: c.temporal, Logger: quiet})
		if err != nil {
			return err
		}
		defer client.Close()
		err = client.Register(ctx, &workflowservice.RegisterNamespaceRequest{
			Namespace: namespace, WorkflowExecutionRetentionPeriod: durationpb.New(retention),
		})
		if _, exists := errors.AsType[*serviceerror.NamespaceAlreadyExists](err); exists {
			return nil
		}
		return err
	})
}
