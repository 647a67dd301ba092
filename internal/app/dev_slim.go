//go:build slim

package app

import (
	"context"
	"errors"
	"log/slog"

	"go.temporal.io/sdk/client"

	"github.com/posthorn/posthorn/internal/config"
)

var errSlim = errors.New("this is the slim build: it has no embedded Temporal; use api and worker")

func (a *App) startEmbeddedTemporal(context.Context) (client.Options, error) {
	return client.Options{}, errSlim
}

// StartTemporal fails: this build has no Temporal server.
func StartTemporal(context.Context, config.Config, *slog.Logger) (*Temporal, error) {
	return nil, errSlim
}
