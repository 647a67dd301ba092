package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime/debug"
	"time"

	"github.com/posthorn/posthorn/internal/app"
	"github.com/posthorn/posthorn/internal/config"
	"github.com/posthorn/posthorn/profiles"
)

// stopTimeout is how long a process takes to stop at most: requests and attempts in flight finish in it.
const stopTimeout = 45 * time.Second

type devCmd struct{}

// Run runs everything until it is asked to stop.
func (devCmd) Run(ctx context.Context, cfg *config.Config, logger *slog.Logger) error {
	collectLessOften()
	return serve(ctx, cfg, app.Roles{API: true, Worker: true, Embedded: true}, logger, greet)
}

// embeddedGC is the garbage collector's setting of the embedded mode, in percent. Measured in alternating runs of
// `make bench ARGS='-concurrency 16'`: 13 % less CPU than at Go's 100, for 190 MB more memory.
const embeddedGC = 400

// collectLessOften trades memory for CPU where a whole Temporal server shares the heap. GOGC in the environment wins.
func collectLessOften() {
	if _, set := os.LookupEnv("GOGC"); !set {
		debug.SetGCPercent(embeddedGC)
	}
}

type apiCmd struct{}

// Run runs the API until it is asked to stop.
func (apiCmd) Run(ctx context.Context, cfg *config.Config, logger *slog.Logger) error {
	return serve(ctx, cfg, app.Roles{API: true}, logger, nil)
}

type workerCmd struct{}

// Run runs a worker until it is asked to stop.
func (workerCmd) Run(ctx context.Context, cfg *config.Config, logger *slog.Logger) error {
	return serve(ctx, cfg, app.Roles{Worker: true}, logger, nil)
}

type temporalCmd struct{}

// Run runs a Temporal server until it is asked to stop.
func (temporalCmd) Run(ctx context.Context, cfg *config.Config, logger *slog.Logger) error {
	collectLessOften()
	server, err := app.StartTemporal(ctx, *cfg, logger)
	if err != nil {
		return err
	}
	logger.InfoContext(ctx, "temporal is running", "address", server.Address, "ui", orNone(server.UIURL))
	<-ctx.Done()
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancel()
	return server.Stop(ending)
}

// serve starts the process's parts, runs them until ctx ends, and stops them.
func serve(ctx context.Context, cfg *config.Config, roles app.Roles, logger *slog.Logger, started func(*app.App)) error {
	a, err := app.Start(ctx, *cfg, roles, version, logger)
	if err != nil {
		return err
	}
	if started != nil {
		started(a)
	}
	logger.InfoContext(ctx, "posthorn is running", "version", version, "url", a.URL())
	<-ctx.Done()
	logger.InfoContext(context.WithoutCancel(ctx), "stopping; once more to stop at once")
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancel()
	return a.Stop(ending)
}

// greet tells a newcomer where everything is.
func greet(a *app.App) {
	fmt.Printf(`
Posthorn runs. Everything listens on this machine only.

  API           %s        (reference: %s/docs)
  Temporal UI   %s
  operator key  %s

Endpoints may be http:// on localhost and loopback addresses; other private addresses are refused.
`, a.URL(), a.URL(), orNone(a.TemporalUIURL()), a.OperatorKey())
}

func orNone(s string) string {
	if s == "" {
		return "off"
	}
	return s
}

type migrateCmd struct {
	Up     migrateUpCmd     `cmd:"" help:"Bring the database to the newest schema and register Temporal's search attributes."`
	Down   migrateDownCmd   `cmd:"" help:"Take back the newest migration."`
	Status migrateStatusCmd `cmd:"" help:"List the migrations and whether the database has them."`
}

type migrateUpCmd struct {
	Temporal bool `default:"true" negatable:"" help:"Register the search attributes too (needs TEMPORAL_ADDRESS)."`
}

// Run migrates the database, then Temporal's namespace.
func (m migrateUpCmd) Run(ctx context.Context, cfg *config.Config) error {
	versions, err := app.MigrateUp(ctx, *cfg)
	if err != nil {
		return err
	}
	fmt.Printf("database: %d migrations applied\n", len(versions))
	if !m.Temporal {
		return nil
	}
	added, err := app.RegisterSearchAttributes(ctx, *cfg)
	if err != nil {
		return err
	}
	fmt.Printf("temporal: %d search attributes added\n", len(added))
	return nil
}

type migrateDownCmd struct{}

// Run takes back one migration.
func (migrateDownCmd) Run(ctx context.Context, cfg *config.Config) error {
	version, err := app.MigrateDown(ctx, *cfg)
	if err == nil {
		fmt.Printf("database: migration %d taken back\n", version)
	}
	return err
}

type migrateStatusCmd struct{}

// Run lists the migrations.
func (migrateStatusCmd) Run(ctx context.Context, cfg *config.Config) error {
	list, err := app.MigrateStatus(ctx, *cfg)
	for _, m := range list {
		state := "pending"
		if m.Applied {
			state = "applied"
		}
		fmt.Printf("%-8s %s\n", state, m.Name)
	}
	return err
}

type profilesCmd struct {
	Check profilesCheckCmd `cmd:"" help:"Check a profile file."`
}

type profilesCheckCmd struct {
	File string `arg:"" help:"The file."`
}

// Run checks one profile file. What is wrong comes line by line, each with the file, the line and the knob.
func (p profilesCheckCmd) Run() error {
	data, err := os.ReadFile(p.File)
	if err != nil {
		return err
	}
	profile, err := profiles.Parse(p.File, data)
	if err != nil {
		return fmt.Errorf("%s cannot be used:\n%w", p.File, err)
	}
	fmt.Printf("%s: OK, profile %s, event types: %d\n", p.File, profile.Name, len(profile.Catalogue))
	return nil
}

type secretsCmd struct {
	Rotate secretsRotateCmd `cmd:"" help:"Encrypt every secret anew under the first master key; then the others can go."`
}

type secretsRotateCmd struct{}

// Run rotates the encryption of all secrets, beside whatever runs.
func (secretsRotateCmd) Run(ctx context.Context, cfg *config.Config) error {
	changed, err := app.RotateSecrets(ctx, *cfg)
	fmt.Printf("secrets of %d subscriptions encrypted anew\n", changed)
	return err
}

type keysCmd struct {
	Create keysCreateCmd `cmd:"" help:"Create a key and print it, once."`
	List   keysListCmd   `cmd:"" help:"List keys; never the keys themselves."`
	Revoke keysRevokeCmd `cmd:"" help:"Revoke a key."`
}

type keysCreateCmd struct {
	Role        string `required:"" enum:"operator,publisher,admin,member" help:"${enum}."`
	Application string `help:"The application's id; required for admin and member."`
	Name        string `default:"created on the command line" help:"What the key is for."`
}

// Run creates a key in the database.
func (k keysCreateCmd) Run(ctx context.Context, cfg *config.Config) error {
	if k.Application == "" && (k.Role == "admin" || k.Role == "member") {
		return errors.New("--application is required for an admin or a member")
	}
	text, err := app.CreateKey(ctx, *cfg, k.Role, k.Application, k.Name)
	if err == nil {
		fmt.Println(text)
	}
	return err
}

type keysListCmd struct {
	Application string `help:"The application's id; default: keys of the deployment."`
}

// Run lists keys.
func (k keysListCmd) Run(ctx context.Context, cfg *config.Config) error {
	keys, err := app.ListKeys(ctx, *cfg, k.Application)
	for _, key := range keys {
		fmt.Printf("%s  %-9s  %s…  %s\n", key.ID, key.Role, key.Prefix, key.Name)
	}
	return err
}

type keysRevokeCmd struct {
	ID string `arg:"" help:"The key's id."`
}

// Run revokes a key.
func (k keysRevokeCmd) Run(ctx context.Context, cfg *config.Config) error {
	return app.RevokeKey(ctx, *cfg, k.ID)
}
