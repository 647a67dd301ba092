//go:build !slim

package app

import (
	"context"
	"fmt"
	"log/slog"

	"go.temporal.io/sdk/client"
	"google.golang.org/grpc"

	"github.com/posthorn/posthorn/internal/config"
	temporaldev "github.com/posthorn/posthorn/temporal-dev"
	"github.com/posthorn/posthorn/workflows"
)

// startEmbeddedTemporal runs a Temporal server and its web UI in this process. This file is the only importer of
// temporal-dev: the slim build has neither.
func (a *App) startEmbeddedTemporal(ctx context.Context) (client.Options, error) {
	server, err := startServer(ctx, a.cfg, a.logger)
	if err != nil {
		return client.Options{}, err
	}
	a.onStop("embedded temporal", server.Stop)
	a.own.add(ctx, server.Listeners()...)
	if a.cfg.TemporalUIURL == "" {
		a.cfg.TemporalUIURL = server.UIURL()
	}
	return client.Options{
		HostPort:  server.Address(),
		Namespace: server.Namespace(),
		ConnectionOptions: client.ConnectionOptions{
			GrpcCompression: &client.GrpcCompressionNone{}, // on loopback it only costs
			DialOptions:     []grpc.DialOption{server.DialOption()},
		},
	}, nil
}

func startServer(ctx context.Context, cfg config.Config, logger *slog.Logger) (*temporaldev.Server, error) {
	server, err := temporaldev.Start(ctx, temporaldev.Options{
		Dir:              cfg.Data,
		Address:          cfg.TemporalListen,
		UIAddress:        cfg.TemporalUIListen,
		Namespace:        cfg.TemporalNS,
		SearchAttributes: workflows.SearchAttributes(),
		Logger:           logger,
	})
	if err != nil {
		return nil, fmt.Errorf("start embedded Temporal: %w", err)
	}
	return server, nil
}

// StartTemporal runs the embedded Temporal server alone, for an api and a worker that run as processes of their own.
func StartTemporal(ctx context.Context, cfg config.Config, logger *slog.Logger) (*Temporal, error) {
	server, err := startServer(ctx, cfg, logger)
	if err != nil {
		return nil, err
	}
	return &Temporal{Address: server.Address(), UIURL: server.UIURL(), Stop: server.Stop}, nil
}
