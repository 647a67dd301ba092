// Command posthorn delivers webhooks: see README.md.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/posthorn/posthorn/internal/config"
	"github.com/posthorn/posthorn/internal/observe"
)

// version is set by the linker at a release.
var version = "0.1.0-dev"

// cli is the command line; kong reads it from the tags.
type cli struct {
	config.Config

	Dev      devCmd      `cmd:"" help:"Everything in one process: API, worker, SQLite, Temporal server and its web UI."`
	Demo     demoCmd     `cmd:"" help:"dev plus a built-in receiver: publishes sample events and shows their deliveries."`
	API      apiCmd      `cmd:"" name:"api" help:"The API of a production deployment."`
	Worker   workerCmd   `cmd:"" help:"A worker of a production deployment: dispatches and delivers."`
	Health   healthCmd   `cmd:"" help:"Ask a running process whether it is ready; for the health checks of containers."`
	Temporal temporalCmd `cmd:"" help:"The embedded Temporal server and its web UI alone, for an api and a worker under development."`
	Migrate  migrateCmd  `cmd:"" help:"The database schema, and Temporal's search attributes."`
	Keys     keysCmd     `cmd:"" help:"API keys."`
	Secrets  secretsCmd  `cmd:"" help:"Secrets at rest."`
	Profiles profilesCmd `cmd:"" help:"Profile files."`
	Listener listenCmd   `cmd:"" name:"listen" help:"A local receiver: prints deliveries and verifies them."`
	Publish  publishCmd  `cmd:"" help:"Publish an event."`
	OpenAPI  openapiCmd  `cmd:"" name:"openapi" help:"Print the API's OpenAPI document."`

	Version kong.VersionFlag `help:"Print the version."`
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "posthorn:", err)
		os.Exit(1)
	}
}

// run parses the command line and runs the command until it ends or the process is asked to stop. A second signal
// ends the process at once.
func run(args []string) error {
	var c cli
	parser, err := kong.New(&c,
		kong.Name("posthorn"),
		kong.Description("Webhook delivery on Temporal: accepted once, delivered as each provider's subscribers expect."),
		kong.Vars{"version": version},
		kong.UsageOnError(),
	)
	if err != nil {
		return err
	}
	command, err := parser.Parse(args)
	if err != nil {
		parser.FatalIfErrorf(err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	logger := observe.NewLogger(os.Stderr, c.LogLevel, c.LogFormat)
	command.BindTo(ctx, (*context.Context)(nil))
	if err := command.Run(&c.Config, logger); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}
