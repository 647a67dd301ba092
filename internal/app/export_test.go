package app

import (
	"context"
	"errors"
	"log/slog"

	"go.temporal.io/sdk/client"

	"github.com/posthorn/posthorn/internal/config"
	"github.com/posthorn/posthorn/internal/observe"
	"github.com/posthorn/posthorn/internal/store"
)

// TemporalClient is the worker's client.
func (a *App) TemporalClient() client.Client { return a.temporal.client }

// Store is the process's database.
func (a *App) Store() *store.Store { return a.store }

// View is a process that only looks: it has the database and a client of Temporal, and no part that works.
func View(ctx context.Context, cfg config.Config, logger *slog.Logger) (*App, error) {
	a := &App{cfg: cfg, logger: logger, owner: "view", metrics: observe.NewMetrics(logger)}
	for _, step := range []func(context.Context) error{a.prepare, a.openStore, a.connectToLook} {
		if err := step(ctx); err != nil {
			return nil, errors.Join(err, a.Stop(ctx))
		}
	}
	return a, nil
}

func (a *App) connectToLook(ctx context.Context) error {
	options, err := clientOptions(a.cfg)
	if err != nil {
		return err
	}
	c, err := a.dial(ctx, options)
	if err != nil {
		return err
	}
	a.onStop("temporal client", func(context.Context) error { c.Close(); return nil })
	a.temporal = &temporalParts{client: c, namespace: options.Namespace}
	return nil
}
