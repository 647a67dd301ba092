package app

import (
	"go.temporal.io/sdk/client"

	"github.com/posthorn/posthorn/internal/store"
)

// TemporalClient is the worker's client.
func (a *App) TemporalClient() client.Client { return a.temporal.client }

// Store is the process's database.
func (a *App) Store() *store.Store { return a.store }
