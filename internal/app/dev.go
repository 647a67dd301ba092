//go:build !slim

package app

import (
	"context"
	"fmt"

	"go.temporal.io/sdk/client"

	temporaldev "github.com/posthorn/posthorn/temporal-dev"
	"github.com/posthorn/posthorn/workflows"
)

// startEmbeddedTemporal runs a Temporal server and its web UI in this process. This file is the only importer of
// temporal-dev: the slim build has neither.
func (a *App) startEmbeddedTemporal(ctx context.Context) (client.Options, error) {
	server, err := temporaldev.Start(ctx, temporaldev.Options{
		Dir:              a.cfg.Data,
		Address:          a.cfg.TemporalListen,
		UIAddress:        a.cfg.TemporalUIListen,
		Namespace:        a.cfg.TemporalNS,
		SearchAttributes: workflows.SearchAttributes(),
		Logger:           a.logger,
	})
	if err != nil {
		return client.Options{}, fmt.Errorf("start embedded Temporal: %w", err)
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
		},
	}, nil
}
