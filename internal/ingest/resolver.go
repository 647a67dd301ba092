package ingest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/posthorn/posthorn/models"
	"github.com/posthorn/posthorn/profiles"
)

// EventTypes reads what operators added to a profile's catalogue.
type EventTypes interface {
	EventTypes(ctx context.Context, profile string) ([]models.EventType, error)
}

// Resolver finds the profile that an application sends by: the file's, the operator's event types and the
// application's overrides applied. It is safe for concurrent use.
type Resolver struct {
	registry *profiles.Registry
	types    EventTypes
	now      func() time.Time

	mu       sync.Mutex
	extended map[string]extended // by profile name: few
	applied  map[string]applied  // by application id
}

// extended is a profile with its operator's event types, read again after typesFor.
type extended struct {
	profile *profiles.Profile
	readAt  time.Time
}

// applied is a profile with one application's overrides, good while both are the same.
type applied struct {
	base      *profiles.Profile
	updatedAt time.Time
	profile   *profiles.Profile
}

const (
	// typesFor is how long another process' change to a catalogue may go unseen.
	typesFor = time.Second
	// maxApplied bounds the memory for applications' profiles; past it all are worked out anew.
	maxApplied = 10_000
)

// NewResolver makes a Resolver; now is the clock, nil = time.Now.
func NewResolver(registry *profiles.Registry, types EventTypes, now func() time.Time) *Resolver {
	if now == nil {
		now = time.Now
	}
	return &Resolver{
		registry: registry, types: types, now: now,
		extended: map[string]extended{}, applied: map[string]applied{},
	}
}

// Names lists the profiles there are.
func (r *Resolver) Names() []string { return r.registry.Names() }

// Named finds a profile by name, with the operator's event types. An unknown name is CodeNotFound.
func (r *Resolver) Named(ctx context.Context, name string) (*profiles.Profile, error) {
	r.mu.Lock()
	known, ok := r.extended[name]
	r.mu.Unlock()
	if ok && r.now().Sub(known.readAt) < typesFor {
		return known.profile, nil
	}
	return r.extend(ctx, name, known.profile)
}

// Forget makes the next look-up of the profile read the operator's event types anew.
func (r *Resolver) Forget(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.extended, name)
}

func (r *Resolver) extend(ctx context.Context, name string, last *profiles.Profile) (*profiles.Profile, error) {
	base, ok := r.registry.Get(name)
	if !ok {
		return nil, models.NotFound("profile")
	}
	extra, err := r.types.EventTypes(ctx, name)
	if err != nil {
		return nil, err
	}
	profile, err := base.WithEventTypes(extra)
	if err != nil {
		return nil, fmt.Errorf("stored event types of profile %s: %w", name, err)
	}
	if last != nil && sameTypes(last.Catalogue, profile.Catalogue) {
		profile = last // the same pointer, so that what was worked out from it stays good
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.extended[name] = extended{profile: profile, readAt: r.now()}
	return profile, nil
}

// Of finds the profile that the application sends by.
func (r *Resolver) Of(ctx context.Context, app *models.Application) (*profiles.Profile, error) {
	base, err := r.Named(ctx, app.Profile)
	if err != nil {
		return nil, fmt.Errorf("profile of application %s: %w", app.ID, err)
	}
	if len(app.Overrides) == 0 {
		return base, nil
	}
	r.mu.Lock()
	known, ok := r.applied[app.ID]
	r.mu.Unlock()
	if ok && known.base == base && known.updatedAt.Equal(app.UpdatedAt) {
		return known.profile, nil
	}
	profile, err := base.WithOverrides(app.Overrides)
	if err != nil {
		return nil, fmt.Errorf("overrides of application %s: %w", app.ID, err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.applied) >= maxApplied {
		clear(r.applied)
	}
	r.applied[app.ID] = applied{base: base, updatedAt: app.UpdatedAt, profile: profile}
	return profile, nil
}

func sameTypes(a, b []models.EventType) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i].Name != b[i].Name || a[i].Wire != b[i].Wire || a[i].Schema != b[i].Schema ||
			a[i].Description != b[i].Description || a[i].Group != b[i].Group || a[i].Deprecated != b[i].Deprecated ||
			!slices.Equal(a[i].Versions, b[i].Versions) {
			return false
		}
	}
	return true
}
