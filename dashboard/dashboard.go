// Package dashboard is the web pages of Posthorn, rendered here and served by the API process: sign in with a key,
// create a subscription, verify its URL, send a test, and see what happened.
//
// It knows the API as a customer does: each page asks the API's own routes, in this process, with the key that was
// signed in with. So every rule, role, validation and audit entry is the API's, and no page can do what its key may
// not. See docs/decisions/0017-dashboard.md.
package dashboard

import (
	"errors"
	"html/template"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/posthorn/posthorn/internal/secret"
)

// Options is what the dashboard works with. API, Keyring and Logger are required.
type Options struct {
	// API answers the routes of the API. It also gets every request that is for no page.
	API http.Handler
	// Keyring seals session cookies.
	Keyring *secret.Keyring
	// Now is the clock; nil = time.Now.
	Now func() time.Time
	// Logger gets what the visitor does not see.
	Logger *slog.Logger
}

// Dashboard serves the pages, and hands the rest to the API.
type Dashboard struct {
	Options
	pages   map[string]*template.Template
	guarded http.Handler
}

// New makes the dashboard in front of an API.
func New(o Options) (*Dashboard, error) {
	if o.API == nil || o.Keyring == nil || o.Logger == nil {
		return nil, errors.New("dashboard: API, Keyring and Logger are required")
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	pages, err := parsePages()
	if err != nil {
		return nil, err
	}
	d := &Dashboard{Options: o, pages: pages}
	d.guarded = d.protect(d.routes())
	return d, nil
}

// ServeHTTP implements http.Handler.
func (d *Dashboard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !ours(r.URL.Path) {
		d.API.ServeHTTP(w, r)
		return
	}
	secureHeaders(w.Header())
	d.guarded.ServeHTTP(w, r)
}

// ours tells the pages from the API. It is asked before any ServeMux, which would redirect paths that it finds unclean:
// the API's are its own.
func ours(path string) bool {
	first, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	switch first {
	case "", "assets", "sign-in", "sign-out", "applications", "subscriptions", "invocations", "jobs", "retry-policies":
		return strings.HasPrefix(path, "/") && !strings.HasPrefix(path, "//")
	default:
		return false
	}
}

func (d *Dashboard) routes() *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", d.home)
	mux.HandleFunc("POST /sign-in", d.fromAnybody(d.signIn))
	mux.HandleFunc("POST /sign-out", d.fromAnybody(d.signOut))
	mux.HandleFunc("GET /assets/{file}", serveAsset)
	for pattern, handle := range map[string]handler{
		"GET /applications":                               listApplications,
		"POST /applications":                              createApplication,
		"GET /applications/{app}":                         showApplication,
		"GET /applications/{app}/subscriptions":           listSubscriptions,
		"GET /applications/{app}/subscriptions/new":       newSubscription,
		"POST /applications/{app}/subscriptions":          createSubscription,
		"POST /applications/{app}/subscriptions/validate": validateSubscription,
		"GET /subscriptions/{id}":                         showSubscription,
		"GET /subscriptions/{id}/delete":                  confirmDeletion,
		"POST /subscriptions/{id}/{action}":               changeSubscription,
		"GET /applications/{app}/invocations":             listInvocations,
		"GET /invocations/{id}":                           showInvocation,
		"POST /invocations/{id}/{action}":                 changeInvocation,
		"GET /applications/{app}/jobs":                    listJobs,
		"GET /applications/{app}/jobs/new":                newJob,
		"POST /applications/{app}/jobs":                   createJob,
		"GET /jobs/{id}":                                  showJob,
		"POST /jobs/{id}/{action}":                        changeJob,
		"GET /retry-policies":                             showRetryPolicy,
		"POST /retry-policies/preview":                    previewRetryPolicy,
	} {
		mux.HandleFunc(pattern, d.signedIn(handle))
	}
	mux.HandleFunc("/", d.signedIn(func(*visit) error { return notFound() }))
	return mux
}

// maxForm bounds what a form may send, in bytes.
const maxForm = 1 << 20

// protect refuses what another site makes a browser send, and bounds what is sent.
func (d *Dashboard) protect(next http.Handler) http.Handler {
	guard := http.NewCrossOriginProtection()
	guard.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		d.render(w, r, http.StatusForbidden, "error", &view{Title: "Refused", Alert: "This request came from another site."})
	}))
	return guard.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		next.ServeHTTP(w, r)
	}))
}

// contentPolicy lets a page load, send to and be framed by nothing but this server, and run no script but its file.
const contentPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

func secureHeaders(h http.Header) {
	h.Set("Content-Security-Policy", contentPolicy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	// Not no-referrer: a form's Origin would then be null, which CrossOriginProtection refuses.
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cache-Control", "no-store") // what is shown is one key's to see; secrets are shown once
}
