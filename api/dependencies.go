package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/posthorn/posthorn/internal/ingest"
	"github.com/posthorn/posthorn/internal/observe"
	"github.com/posthorn/posthorn/internal/secret"
	"github.com/posthorn/posthorn/models"
	"github.com/posthorn/posthorn/profiles"
)

// Dependencies is all that the API works with. New refuses an incomplete one.
type Dependencies struct {
	// Store keeps the facts; *store.Store is one.
	Store Store
	// Ingest accepts events; *ingest.Ingest is one.
	Ingest Ingest
	// Profiles finds profiles; *ingest.Resolver is one.
	Profiles Profiles
	// CheckURL judges a subscription's URL when it is written; (*egress.Client).CheckURL is one. It returns nil, a
	// *egress.URLError or a *egress.BlockedError.
	CheckURL func(raw string) error
	// Verifier does the handshake with a subscription's URL.
	Verifier Verifier
	// Metrics answers GET /metrics.
	Metrics http.Handler
	// OperatorDigest is that of the operator key from the configuration, see secret.OperatorDigest. Without one there
	// is no first key, so it is required.
	OperatorDigest []byte
	// CursorKeys authenticate cursors, 32 bytes or more each. The first makes them, all open them: so that a page that one
	// API process gave has a next one at another, while the master keys they come from are being rotated.
	CursorKeys [][]byte
	// RateLimitKey and RateLimitApplication are how many requests per second this process takes of one key, and for one
	// application; 0 = any number.
	RateLimitKey, RateLimitApplication float64
	// MaxLoad bounds the bytes of the bodies of requests and answers that this process holds at a time, those of small
	// ones not counted; 0 = 128 MiB. Half of it is the most for one application.
	MaxLoad int64
	// Checks are what /readyz asks, by dependency; each is given two seconds. At least the database is there.
	Checks map[string]func(context.Context) error
	// SourceIPs is what GET /v1/source-ips tells.
	SourceIPs SourceIPs
	// TemporalUIURL is the web UI's address that temporal_url leads to; "" = temporal_url is null.
	TemporalUIURL string
	// TemporalNamespace is the namespace in those links; "" = default.
	TemporalNamespace string
	// Wake tells the dispatcher that there is something to dispatch; it must not block. nil = nobody to tell, the
	// dispatcher's poll finds it.
	Wake func()
	// Observe is told of each request when its answer is complete; nil = nobody wants to know.
	Observe func(Request)
	// Denied is told of each request that was refused for its credentials (CodeUnauthenticated) or its role
	// (CodeForbidden); nil = nobody wants to know.
	Denied func(models.Code)
	// Tracer records requests to publish; nil = nobody collects traces.
	Tracer *observe.Tracer
	// Now is the clock; nil = time.Now.
	Now func() time.Time
	// Logger gets what clients do not see.
	Logger *slog.Logger
	// Version is Posthorn's, as the OpenAPI document shows it.
	Version string
}

// Request is what Observe is told. Route is the pattern, never the path: `/v1/events/{id}`, "" where there is none.
type Request struct {
	Method, Route string
	Status        int
	Duration      time.Duration
}

// SourceIPs are the addresses that deliveries come from (VIV-33).
type SourceIPs struct {
	Production []string `json:"production"`
	Demo       []string `json:"demo"`
}

// Ingest accepts events in one durable transaction. The answer has one Acceptance for each, in the same order; the
// refusal of one is in its Err. An error means that nothing was stored.
type Ingest interface {
	Accept(ctx context.Context, app *models.Application, batch []ingest.Publication) ([]*models.Acceptance, error)
}

// Profiles finds profiles with the operator's event types applied.
type Profiles interface {
	// Names lists them.
	Names() []string
	// Named finds one; an unknown name is CodeNotFound.
	Named(ctx context.Context, name string) (*profiles.Profile, error)
	// Of finds the one that an application sends by, its overrides applied.
	Of(ctx context.Context, app *models.Application) (*profiles.Profile, error)
	// Forget makes the next look-up read the operator's event types anew.
	Forget(name string)
}

// Verifier does a URL's handshake: GET it, and find the application's key as the named member of the JSON object that
// it answers (VIV-28). A URL that fails is CodeVerificationFailed with the reason; any other error is ours.
type Verifier interface {
	Verify(ctx context.Context, url, member, key string) error
}

// minCursorKey is the least length of each of Dependencies.CursorKeys.
const minCursorKey = 32

func (d *Dependencies) validate() error {
	required := []struct {
		name    string
		missing bool
	}{
		{"Store", d.Store == nil},
		{"Ingest", d.Ingest == nil},
		{"Profiles", d.Profiles == nil},
		{"CheckURL", d.CheckURL == nil},
		{"Verifier", d.Verifier == nil},
		{"Metrics", d.Metrics == nil},
		{"Logger", d.Logger == nil},
		{"Checks", len(d.Checks) == 0},
		{"CursorKeys", len(d.CursorKeys) == 0},
		{"OperatorDigest", len(d.OperatorDigest) != len(secret.Digest{})},
	}
	var faults []error
	for _, field := range required {
		if field.missing {
			faults = append(faults, fmt.Errorf("api: %s is missing", field.name))
		}
	}
	for _, key := range d.CursorKeys {
		if len(key) < minCursorKey {
			faults = append(faults, fmt.Errorf("api: one of CursorKeys is shorter than %d bytes", minCursorKey))
		}
	}
	return errors.Join(faults...)
}

func (d *Dependencies) setDefaults() {
	if d.Now == nil {
		d.Now = time.Now
	}
	if d.Wake == nil {
		d.Wake = func() {}
	}
	if d.Observe == nil {
		d.Observe = func(Request) {}
	}
	if d.Denied == nil {
		d.Denied = func(models.Code) {}
	}
	if d.MaxLoad == 0 {
		d.MaxLoad = defaultLoad
	}
	if d.TemporalNamespace == "" {
		d.TemporalNamespace = "default"
	}
	d.SourceIPs.Production = orEmpty(d.SourceIPs.Production)
	d.SourceIPs.Demo = orEmpty(d.SourceIPs.Demo)
}

func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}
