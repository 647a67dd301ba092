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

// passing leaves out the targets whose filter the event does not match.
func (p *plan) passing(ctx context.Context, event *models.Event, targets []target) []target {
	if !slices.ContainsFunc(targets, hasFilter) {
		return targets
	}
	began := p.ingest.Now()
	ctx, cancel := context.WithTimeout(ctx, max(0, maxFiltering-p.filtering))
	defer cancel()
	entity := ""
	if event.EntityID != nil {
		entity = *event.EntityID
	}
	in := filter.NewInput(event.Type, event.Payload, entity)
	kept := make([]target, 0, len(targets))
	for _, t := range targets {
		if !hasFilter(t) || p.matches(ctx, t.subscription, in) {
			kept = append(kept, t)
		}
	}
	p.filtering += p.ingest.Now().Sub(began)
	return kept
}

// matches lets the event pass where the filter cannot tell.
func (p *plan) matches(ctx context.Context, sub *models.Subscription, in *filter.Input) bool {
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
