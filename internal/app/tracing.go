package app

import (
	"context"
	"net/url"

	"github.com/posthorn/posthorn/internal/dispatch"
	"github.com/posthorn/posthorn/internal/observe"
	"github.com/posthorn/posthorn/internal/store"
	"github.com/posthorn/posthorn/models"
)

// startTracing opens the way to the OTLP collector, where there is one. Deliveries never go there.
func (a *App) startTracing(ctx context.Context) error {
	if a.cfg.OTLPEndpoint == "" {
		return nil
	}
	a.own.add(ctx, collectorAddress(a.cfg.OTLPEndpoint))
	tracer, stop, err := observe.OpenTracer(ctx, a.cfg.OTLPEndpoint, a.cfg.OTLPProtocol, a.version, a.logger)
	if err != nil {
		return err
	}
	a.tracer = tracer
	a.onStop("traces", stop)
	return nil
}

// dispatchStore is the dispatcher's: only one that records spans wants to know the events' trace contexts.
func (a *App) dispatchStore() dispatch.Store {
	if a.tracer == nil {
		return a.store
	}
	return tracedStore{Store: a.store, warn: func(ctx context.Context, err error) {
		a.logger.WarnContext(ctx, "read trace contexts", "error", err)
	}}
}

type tracedStore struct {
	*store.Store

	warn func(context.Context, error)
}

// TakeDispatches is the store's, with the trace contexts.
func (s tracedStore) TakeDispatches(ctx context.Context, limit int) ([]models.Dispatch, error) {
	rows, err := s.Store.TakeDispatches(ctx, limit)
	if err == nil {
		if failed := s.FillTraceparents(ctx, rows); failed != nil { // they are delivered all the same
			s.warn(ctx, failed)
		}
	}
	return rows, err
}

// collectorAddress is the host:port of the collector's URL, which Validate has looked at.
func collectorAddress(endpoint string) string {
	u, err := url.Parse(endpoint)
	if err != nil {
		return ""
	}
	switch {
	case u.Port() != "":
		return u.Host
	case u.Scheme == "https":
		return u.Host + ":443"
	default:
		return u.Host + ":80"
	}
}
