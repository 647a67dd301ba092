//go:build slim

package app

import (
	"context"
	"errors"

	"go.temporal.io/sdk/client"
)

func (a *App) startEmbeddedTemporal(context.Context) (client.Options, error) {
	return client.Options{}, errors.New("this is the slim build: it has no embedded Temporal; use api and worker")
}
