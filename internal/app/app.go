// Package app is the composition root: it builds the parts of a process from its configuration, starts them in
// order and stops them in the opposite one.
package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"github.com/posthorn/posthorn/internal/config"
	"github.com/posthorn/posthorn/internal/delivery"
	"github.com/posthorn/posthorn/internal/egress"
	"github.com/posthorn/posthorn/internal/failpoint"
	"github.com/posthorn/posthorn/internal/ingest"
	"github.com/posthorn/posthorn/internal/observe"
	"github.com/posthorn/posthorn/internal/secret"
	"github.com/posthorn/posthorn/internal/store"
	"github.com/posthorn/posthorn/models"
	"github.com/posthorn/posthorn/profiles"
)

// Roles say which parts a process has.
type Roles struct {
	API, Worker bool
	// Embedded runs Temporal inside the process and makes what is not configured: database, keys.
	Embedded bool
}

// App is a running process.
type App struct {
	cfg     config.Config
	roles   Roles
	version string
	logger  *slog.Logger
	// owner is the boot id: under it this process claims, and Temporal shows it as the worker's identity.
	owner string

	keyring  *secret.Keyring
	store    *store.Store
	resolver *ingest.Resolver
	egress   *egress.Client
	own      *ownAddresses
	metrics  *observe.Metrics
	// tracer records spans; nil = nobody collects them.
	tracer   *observe.Tracer
	temporal *temporalParts
	// connected is temporal for those who look while the process starts.
	connected atomic.Pointer[temporalParts]
	// wake tells the dispatcher, here or in another process, of committed rows.
	wake func()
	// local is the dispatcher of this process; nil = none.
	local ingest.Local
	url   string
	// probesURL is where a worker answers probes; "" = nowhere.
	probesURL string
	// stops end what was started, newest first.
	stops []stop
}

type stop struct {
	name string
	end  func(ctx context.Context) error
}

// Start builds and starts a process. When it fails, what was started is stopped again.
func Start(ctx context.Context, cfg config.Config, roles Roles, version string, logger *slog.Logger) (*App, error) {
	a := &App{cfg: cfg, roles: roles, version: version, logger: logger, owner: models.NewID(), wake: func() {}}
	steps := []func(context.Context) error{
		a.prepare, a.openStore, a.buildParts, a.startTracing, a.startProbes, a.startTemporal, a.startWorker, a.startAPI,
	}
	for _, step := range steps {
		if err := step(ctx); err != nil {
			ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopAfterFailure)
			defer cancel()
			return nil, errors.Join(err, a.Stop(ending))
		}
	}
	return a, nil
}

// stopAfterFailure bounds how long a failed start takes to clean up.
const stopAfterFailure = 20 * time.Second

// Stop ends every part, newest first, within ctx: no new requests, no new attempts, those in flight settled. A
// second call does nothing.
func (a *App) Stop(ctx context.Context) error {
	var failures []error
	for _, s := range slices.Backward(a.stops) {
		if err := s.end(ctx); err != nil {
			failures = append(failures, fmt.Errorf("stop %s: %w", s.name, err))
		}
	}
	a.stops = nil
	return errors.Join(failures...)
}

func (a *App) onStop(name string, end func(ctx context.Context) error) {
	a.stops = append(a.stops, stop{name: name, end: end})
}

// URL is where the API answers; "" without one.
func (a *App) URL() string { return a.url }

// ProbesURL is where a process without an API answers /healthz, /readyz and /metrics; "" = nowhere.
func (a *App) ProbesURL() string { return a.probesURL }

// OperatorKey is the configured or generated operator key.
func (a *App) OperatorKey() string { return a.cfg.OperatorKey }

// TemporalUIURL is where the Temporal web UI answers; "" when unknown.
func (a *App) TemporalUIURL() string { return a.cfg.TemporalUIURL }

// prepare completes and checks the configuration.
func (a *App) prepare(context.Context) error {
	if a.roles.Embedded {
		if err := completeEmbedded(&a.cfg); err != nil {
			return err
		}
	}
	if err := a.cfg.Validate(); err != nil {
		return err
	}
	if err := required(a.cfg, a.roles); err != nil {
		return err
	}
	var err error
	a.keyring, err = secret.NewKeyring(a.cfg.MasterKeys)
	return err
}

func required(cfg config.Config, roles Roles) error {
	switch {
	case cfg.MasterKeys == "":
		return errors.New("--master-keys (POSTHORN_MASTER_KEYS) is required: it encrypts secrets at rest")
	case roles.API && cfg.OperatorKey == "":
		return errors.New("--operator-key (POSTHORN_OPERATOR_KEY) is required: 32 characters or more")
	case !roles.Embedded && cfg.DatabaseURL == "":
		return errors.New("--database-url (POSTHORN_DATABASE_URL) is required")
	default:
		return nil
	}
}

func (a *App) openStore(ctx context.Context) error {
	opened, err := store.Open(ctx, store.Options{
		URL: a.cfg.Database(), Keyring: a.keyring, MaxConnections: a.cfg.DatabaseConnections,
	})
	if err != nil {
		return err
	}
	a.store = opened
	a.onStop("database", func(context.Context) error { opened.Close(); return nil })
	if a.roles.Embedded {
		return opened.Migrate(ctx)
	}
	return a.checkSchema(ctx)
}

func (a *App) buildParts(ctx context.Context) error {
	registry, err := profiles.New(a.cfg.ProfilesDir)
	if err != nil {
		return err
	}
	a.resolver = ingest.NewResolver(registry, a.store, failpoint.Now)
	a.metrics = observe.NewMetrics(a.logger)
	a.metrics.WatchQueues(a.store.Queues, failpoint.Now)
	guard, err := egressConfig(a.cfg, a.roles)
	if err != nil {
		return err
	}
	guard.UserAgent = "Posthorn/" + a.version
	if a.egress, err = egress.New(guard); err != nil {
		return err
	}
	a.onStop("egress", func(context.Context) error { a.egress.Close(); return nil })
	a.own = newOwnAddresses(a.egress.DenyOwn, a.logger)
	a.own.add(ctx, a.store.Addresses()...)
	if a.cfg.TemporalAddress != "" { // the API's process need not be able to reach it
		a.own.add(ctx, orDefaultHostPort(a.cfg.TemporalAddress))
	}
	a.background(ctx, "own addresses", a.own.keep)
	return nil
}

// sender notes times that the gate compares, so it has the gate's clock.
func (a *App) sender() *delivery.Sender {
	sender := delivery.NewSender(a.egress, a.version)
	sender.Now = a.store.Now
	return sender
}
