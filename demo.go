package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/posthorn/posthorn/internal/app"
	"github.com/posthorn/posthorn/internal/config"
	"github.com/posthorn/posthorn/internal/demo"
	"github.com/posthorn/posthorn/internal/observe"
)

// demoStopTimeout is how long the demo takes to stop at most.
const demoStopTimeout = 15 * time.Second

type demoCmd struct {
	Once bool `help:"Publish every sample once and end: exit status 0 when all ended as they must, 1 with what is missing. At most 60 s."`
}

// Run starts everything, plays the demo on it and stops it. The log would drown the timeline, so that its default
// level is warn here; --log-level=debug still shows everything.
func (d demoCmd) Run(ctx context.Context, cfg *config.Config, logger *slog.Logger) error {
	collectLessOften()
	if cfg.LogLevel == "info" {
		logger = observe.NewLogger(os.Stderr, "warn", cfg.LogFormat)
	}
	fmt.Println("Starting Temporal, the API and a worker in this process …")
	a, err := app.Start(ctx, demoConfig(*cfg), app.Roles{API: true, Worker: true, Embedded: true}, version, logger)
	if err != nil {
		return err
	}
	fmt.Printf(`Posthorn runs at %s, the Temporal UI at %s.
The demo publishes sample events to a receiver of its own, which fails some calls on purpose.

`, a.URL(), orNone(a.TemporalUIURL()))
	err = demo.Run(ctx, demo.Options{
		BaseURL: a.URL(), OperatorKey: a.OperatorKey(), TemporalUIURL: a.TemporalUIURL(),
		Out: os.Stdout, Colour: colourful(os.Stdout), Once: d.Once,
	})
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), demoStopTimeout)
	defer cancel()
	return errors.Join(err, a.Stop(ending))
}

// demoConfig lets deliveries reach the demo's receiver, which listens on this machine, whatever is configured.
func demoConfig(cfg config.Config) config.Config {
	if len(cfg.EgressAllowCIDRs) > 0 {
		cfg.EgressAllowCIDRs = append([]string{"127.0.0.1/32"}, cfg.EgressAllowCIDRs...)
	}
	cfg.EgressProxyURL, cfg.EgressBindAddress = "", ""
	return cfg
}

// colourful reports whether the file is a terminal whose user wants colours (https://no-color.org).
func colourful(file *os.File) bool {
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0 && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}
