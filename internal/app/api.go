package app

import (
	"context"
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/posthorn/posthorn/api"
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
	var listen net.ListenConfig
	listener, err := listen.Listen(ctx, "tcp", a.cfg.Listen)
	if err != nil {
		return fmt.Errorf("%s cannot be listened on; choose another address with --listen (POSTHORN_LISTEN): %w",
			a.cfg.Listen, err)
	}
	a.url = "http://" + listener.Addr().String()
	server := api.NewServer(a.cfg.Listen, handler)
	go func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			a.logger.Error("the API ended", "error", err)
		}
	}()
	a.onStop("api", server.Shutdown)
	return nil
}

func (a *App) apiDependencies() (api.Dependencies, error) {
	operator := secret.OperatorDigest(a.cfg.OperatorKey)
	// Every API process of a deployment has the same master keys, and so the same key for its cursors.
	cursorKey, err := hkdf.Key(sha256.New, []byte(a.cfg.MasterKeys), nil, "posthorn cursors", sha256.Size)
	if err != nil {
		return api.Dependencies{}, fmt.Errorf("derive cursor key: %w", err)
	}
	return api.Dependencies{
		Store: a.store,
		Ingest: &ingest.Ingest{
			Store: a.store, Profiles: a.resolver, Observer: a.metrics, Wake: a.wake, Local: a.local, Now: a.store.Now,
		},
		Profiles:       a.resolver,
		CheckURL:       a.egress.CheckURL,
		Verifier:       verifier{a.egress},
		Metrics:        promhttp.HandlerFor(a.metrics.Registry(), promhttp.HandlerOpts{}),
		OperatorDigest: operator[:],
		CursorKey:      cursorKey,
		RateLimitKey:   a.cfg.RateLimitKey, RateLimitApplication: a.cfg.RateLimitApplication,
		Checks:            a.checks(),
		SourceIPs:         api.SourceIPs{Production: a.cfg.SourceIPsProduction, Demo: a.cfg.SourceIPsDemo},
		TemporalUIURL:     a.cfg.TemporalUIURL,
		TemporalNamespace: a.cfg.TemporalNS,
		Wake:              a.wake,
		Now:               a.store.Now,
		Logger:            a.logger,
		Version:           a.version,
	}, nil
}

// checks are what /readyz asks: what this process cannot work without.
func (a *App) checks() map[string]func(context.Context) error {
	checks := map[string]func(context.Context) error{"database": a.store.Ping}
	if a.roles.Worker {
		checks["temporal"] = a.temporal.check
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
