package app

import (
	"context"
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/posthorn/posthorn/api"
	"github.com/posthorn/posthorn/dashboard"
	"github.com/posthorn/posthorn/internal/delivery"
	"github.com/posthorn/posthorn/internal/egress"
	"github.com/posthorn/posthorn/internal/ingest"
	"github.com/posthorn/posthorn/internal/secret"
)

// startAPI serves the API. It needs the database alone; Temporal is not on its path.
func (a *App) startAPI(ctx context.Context) error {
	if !a.roles.API {
		return nil
	}
	if !a.roles.Worker {
		a.startNotifier(ctx)
	}
	dependencies, err := a.apiDependencies()
	if err != nil {
		return err
	}
	handler, err := api.New(dependencies) //nolint:contextcheck // each request brings its own
	if err != nil {
		return err
	}
	pages, err := dashboard.New(dashboard.Options{API: handler, Keyring: a.keyring, Logger: a.logger})
	if err != nil {
		return err
	}
	drain := &drainingHandler{Handler: pages, unready: a.probes().Leaving}
	if a.url, err = a.serve(ctx, "api", a.cfg.Listen, "--listen (POSTHORN_LISTEN)", drain); err != nil {
		return err
	}
	if !a.roles.Embedded { // which has nobody to take over
		a.onStop("clients of the api", drain.leave)
	}
	return nil
}

// startProbes serves /healthz, /readyz and /metrics of a process without an API, where it is to. That is before
// anything else is started: a worker that waits for Temporal is alive, though not ready.
func (a *App) startProbes(ctx context.Context) (err error) {
	if a.roles.API || a.cfg.WorkerListen == "" {
		return nil
	}
	const setting = "--worker-listen (POSTHORN_WORKER_LISTEN)"
	a.probesURL, err = a.serve(ctx, "probes", a.cfg.WorkerListen, setting, a.probes().Handler())
	return err
}

func (a *App) probes() api.Probes {
	return api.Probes{Checks: a.checks(), Metrics: a.metricsHandler(), Logger: a.logger}
}

// serve answers HTTP at the address until Stop, and returns the URL. setting is where the address came from.
func (a *App) serve(ctx context.Context, name, address, setting string, handler http.Handler) (string, error) {
	var listen net.ListenConfig
	listener, err := listen.Listen(ctx, "tcp", address)
	if err != nil {
		return "", fmt.Errorf("%s cannot be listened on; choose another address with %s: %w", address, setting, err)
	}
	a.own.add(ctx, listener.Addr().String())
	server := api.NewServer(address, handler)
	go func() {
		if err := server.Serve(api.LimitConnections(listener)); !errors.Is(err, http.ErrServerClosed) {
			a.logger.Error("HTTP ended", "server", name, "error", err)
		}
	}()
	a.onStop(name, func(ctx context.Context) error { return shutDown(ctx, server, a.requestsEnd()) })
	return "http://" + listener.Addr().String(), nil
}

// requestsEnd is how long requests get to finish when the process stops: as long as one may work; less where attempts in
// flight are to end as well, after them, for a client that reads slowly must not take their time.
func (a *App) requestsEnd() time.Duration {
	if a.roles.Worker {
		return 10 * time.Second
	}
	return 25 * time.Second
}

// shutDown ends a server, and the connections that have not ended by themselves after so long.
func shutDown(ctx context.Context, server *http.Server, within time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	err := server.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		return server.Close()
	}
	return err
}

func (a *App) metricsHandler() http.Handler {
	return promhttp.HandlerFor(a.metrics.Registry(), promhttp.HandlerOpts{})
}

// drainTime is how long an API that stops goes on answering, so that clients and load balancers go elsewhere before
// its port closes.
const drainTime = time.Second

// drainingHandler takes a process out of service: it is not ready any more, and each answer is its connection's last.
// A connection that is closed while it is idle may be chosen for a request in the same moment, which is then lost.
type drainingHandler struct {
	http.Handler
	// unready answers /readyz once the process leaves.
	unready http.HandlerFunc
	leaving atomic.Bool
}

func (d *drainingHandler) leave(ctx context.Context) error {
	d.leaving.Store(true)
	select {
	case <-ctx.Done():
	case <-time.After(drainTime):
	}
	return nil
}

// ServeHTTP implements http.Handler.
func (d *drainingHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if d.leaving.Load() {
		w.Header().Set("Connection", "close")
		if r.URL.Path == "/readyz" {
			d.unready(w, r)
			return
		}
	}
	d.Handler.ServeHTTP(w, r)
}

func (a *App) apiDependencies() (api.Dependencies, error) {
	operator := secret.OperatorDigest(a.cfg.OperatorKey)
	cursorKeys, err := cursorKeys(a.cfg.MasterKeys)
	if err != nil {
		return api.Dependencies{}, err
	}
	return api.Dependencies{
		Store: a.store,
		Ingest: &ingest.Ingest{
			Store: a.store, Profiles: a.resolver, Observer: a.metrics, Wake: a.wake, Local: a.local, Now: a.store.Now,
		},
		Profiles:       a.resolver,
		CheckURL:       a.egress.CheckURL,
		Verifier:       verifier{a.egress},
		Metrics:        a.metricsHandler(),
		OperatorDigest: operator[:],
		CursorKeys:     cursorKeys,
		RateLimitKey:   a.cfg.RateLimitKey, RateLimitApplication: a.cfg.RateLimitApplication,
		Checks:            a.checks(),
		SourceIPs:         api.SourceIPs{Production: a.cfg.SourceIPsProduction, Demo: a.cfg.SourceIPsDemo},
		TemporalUIURL:     a.cfg.TemporalUIURL,
		TemporalNamespace: a.cfg.TemporalNS,
		Observe:           a.observeRequest,
		Denied:            a.metrics.Denied,
		Tracer:            a.tracer,
		Wake:              a.wake,
		Now:               a.store.Now,
		Logger:            a.logger,
		Version:           a.version,
	}, nil
}

// observeRequest notes what publishers feel. Route patterns are those of api's route table.
func (a *App) observeRequest(r api.Request) {
	if r.Method != http.MethodPost {
		return
	}
	switch r.Route {
	case "/v1/applications/{app}/events", "/v1/applications/{app}/events/batch":
		a.metrics.Published(r.Status, r.Duration)
	}
}

// cursorKeys derives a key for cursors from each master key: every API process of a deployment has the same, or, while
// they are rotated, one in common.
func cursorKeys(masterKeys string) ([][]byte, error) {
	var keys [][]byte
	for masterKey := range strings.SplitSeq(masterKeys, ",") {
		key, err := hkdf.Key(sha256.New, []byte(strings.TrimSpace(masterKey)), nil, "posthorn cursors", sha256.Size)
		if err != nil {
			return nil, fmt.Errorf("derive cursor key: %w", err)
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// checks are what /readyz asks: what this process cannot work without.
func (a *App) checks() map[string]func(context.Context) error {
	checks := map[string]func(context.Context) error{"database": a.store.Ping}
	if a.roles.Worker {
		checks["temporal"] = a.checkTemporal
	}
	return checks
}

// verifier does the handshake through the guarded client.
type verifier struct{ client *egress.Client }

// Verify implements api.Verifier.
func (v verifier) Verify(ctx context.Context, url, member, key string) error {
	return delivery.Handshake(ctx, v.client, url, member, key)
}

// notifyEvery bounds how often an API process wakes the dispatchers of other processes.
const notifyEvery = 50 * time.Millisecond

// startNotifier wakes the workers of other processes after commits: at once, and then no more than twenty times a
// second.
func (a *App) startNotifier(ctx context.Context) {
	committed := make(chan struct{}, 1)
	a.wake = func() {
		select {
		case committed <- struct{}{}:
		default:
		}
	}
	a.background(ctx, "notifier", func(ctx context.Context) {
		for {
			select {
			case <-ctx.Done():
				return
			case <-committed:
			}
			if err := a.store.Notify(ctx); err != nil && ctx.Err() == nil {
				a.logger.WarnContext(ctx, "notify dispatchers; their poll finds the rows", "error", err)
			}
			select {
			case <-ctx.Done():
				return
			case <-time.After(notifyEvery):
			}
		}
	})
}
