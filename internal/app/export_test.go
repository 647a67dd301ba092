package app

import "go.temporal.io/sdk/client"

// TemporalClient is the worker's client.
func (a *App) TemporalClient() client.Client { return a.temporal.client }
