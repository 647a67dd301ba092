package ingest

import (
	"context"
	"slices"
	"time"

	"github.com/posthorn/posthorn/internal/filter"
	"github.com/posthorn/posthorn/models"
)

// maxFiltering is how long all filters of one request may take together. They take microseconds each; this is for
// expressions that somebody made to be slow. Once it is used up, every event passes.
const maxFiltering = 2 * time.Second

func hasFilter(t target) bool { return t.subscription.Filter != nil }

// passing leaves out the targets whose filter the event does not match, and those for whose version it is suppressed.
// A target whose version the event lacks stays: its invocation says so.
func (p *plan) passing(ctx context.Context, event *models.Event, targets []target) []target {
	if len(event.Versions) == 0 && !slices.ContainsFunc(targets, hasFilter) {
		return targets
	}
	began := p.ingest.Now()
	ctx, cancel := context.WithTimeout(ctx, max(0, maxFiltering-p.filtering))
	defer cancel()
	inputs := map[string]*filter.Input{} // by version
	kept := make([]target, 0, len(targets))
	for _, t := range targets {
		version := t.subscription.Version
		payload, has := event.PayloadFor(version)
		switch {
		case !has:
		case len(event.Versions) > 0 && p.profile.Suppressed(event.Type, payload):
			continue
		case hasFilter(t) && !p.matches(ctx, t.subscription, inputOf(inputs, event, version, payload)):
			continue
		}
		kept = append(kept, t)
	}
	p.filtering += p.ingest.Now().Sub(began)
	return kept
}

// inputOf makes one Input for each payload that an event has.
func inputOf(known map[string]*filter.Input, event *models.Event, version *string, payload []byte) *filter.Input {
	key := ""
	if version != nil && len(event.Versions) > 0 {
		key = *version
	}
	in, ok := known[key]
	if !ok {
		in = filter.NewInput(event.Type, payload, entityOf(event))
		known[key] = in
	}
	return in
}

// matches lets the event pass where the filter cannot tell. Without time it is not compiled either.
func (p *plan) matches(ctx context.Context, sub *models.Subscription, in *filter.Input) bool {
	if ctx.Err() != nil {
		p.ingest.Observer.FilterFailed(ctx, sub.ID, filter.ReasonTime)
		return true
	}
	program, err := p.ingest.filters.Program(*sub.Filter)
	if err != nil { // it was checked when it was set, by another version of this program
		p.ingest.Observer.FilterFailed(ctx, sub.ID, "expression")
		return true
	}
	matched, err := program.Matches(ctx, in)
	if err != nil {
		p.ingest.Observer.FilterFailed(ctx, sub.ID, filter.Reason(err))
	}
	return matched
}
