package api

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// Health is the answer of /healthz.
type Health struct {
	Status string `json:"status" example:"ok"`
}

// Readiness is the answer of /readyz.
type Readiness struct {
	Status string            `json:"status" enum:"ok,unavailable"`
	Checks map[string]string `json:"checks" doc:"Each dependency's state: ok or unavailable."`
}

const (
	stateOK          = "ok"
	stateUnavailable = "unavailable"
	// checkTimeout bounds each check of /readyz.
	checkTimeout = 2 * time.Second
)

// Probes are what an orchestrator and a metrics collector ask of any process: /healthz, /readyz and /metrics, as the
// API has them. They need no credentials.
type Probes struct {
	// Checks are what /readyz asks, by dependency; each is given two seconds.
	Checks map[string]func(context.Context) error
	// Metrics answers /metrics.
	Metrics http.Handler
	Logger  *slog.Logger
}

// Handler serves the three, for a process without an API.
func (p Probes) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", p.healthz)
	mux.HandleFunc("GET /readyz", p.readyz)
	mux.Handle("GET /metrics", p.Metrics)
	return mux
}

func (p Probes) healthz(w http.ResponseWriter, _ *http.Request) {
	writeState(w, http.StatusOK, Health{Status: stateOK})
}

func (p Probes) readyz(w http.ResponseWriter, r *http.Request) {
	checks := p.check(r.Context())
	for _, state := range checks {
		if state != stateOK {
			unready(w, checks)
			return
		}
	}
	writeState(w, http.StatusOK, Readiness{Status: stateOK, Checks: checks})
}

// Leaving answers /readyz of a process that stops: it is not ready any more, whatever the state of its dependencies.
func (p Probes) Leaving(w http.ResponseWriter, r *http.Request) { unready(w, p.check(r.Context())) }

func unready(w http.ResponseWriter, checks map[string]string) {
	w.Header().Set("Retry-After", strconv.Itoa(int(checkTimeout.Seconds())))
	writeState(w, http.StatusServiceUnavailable, Readiness{Status: stateUnavailable, Checks: checks})
}

// check asks every dependency at the same time. Why one fails is for the log alone.
func (p Probes) check(ctx context.Context) map[string]string {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	var (
		wg     sync.WaitGroup
		mu     sync.Mutex
		states = make(map[string]string, len(p.Checks))
	)
	for name, check := range p.Checks {
		wg.Go(func() {
			state := stateOK
			if err := check(ctx); err != nil {
				state = stateUnavailable
				p.Logger.WarnContext(ctx, "not ready", "dependency", name, "error", err)
			}
			mu.Lock()
			defer mu.Unlock()
			states[name] = state
		})
	}
	wg.Wait()
	return states
}

func writeState(w http.ResponseWriter, status int, state any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(state) // a client that is gone needs no answer
}
