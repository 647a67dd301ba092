package api

import (
	"context"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strconv"
	"sync"
	"time"

	swaggerui "github.com/swaggo/files/v2"

	"github.com/posthorn/posthorn/models"
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

func (s *server) healthz(w http.ResponseWriter, r *http.Request) {
	s.writeState(w, r, http.StatusOK, Health{Status: stateOK})
}

func (s *server) readyz(w http.ResponseWriter, r *http.Request) {
	ready := Readiness{Status: stateOK, Checks: s.check(r.Context())}
	for _, state := range ready.Checks {
		if state != stateOK {
			ready.Status = stateUnavailable
		}
	}
	if ready.Status == stateOK {
		s.writeState(w, r, http.StatusOK, ready)
		return
	}
	w.Header().Set("Retry-After", strconv.Itoa(int(checkTimeout.Seconds())))
	s.writeState(w, r, http.StatusServiceUnavailable, ready)
}

// check asks every dependency at the same time. Why one fails is for the log alone.
func (s *server) check(ctx context.Context) map[string]string {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	var (
		wg     sync.WaitGroup
		mu     sync.Mutex
		states = make(map[string]string, len(s.Checks))
	)
	for name, check := range s.Checks {
		wg.Go(func() {
			state := stateOK
			if err := check(ctx); err != nil {
				state = stateUnavailable
				s.Logger.WarnContext(ctx, "not ready", "dependency", name, "error", err)
			}
			mu.Lock()
			defer mu.Unlock()
			states[name] = state
		})
	}
	wg.Wait()
	return states
}

func (s *server) writeState(w http.ResponseWriter, r *http.Request, status int, state any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	s.write(r.Context(), w, state)
}

func (s *server) metrics(w http.ResponseWriter, r *http.Request) { s.Metrics.ServeHTTP(w, r) }

func (s *server) openapi(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(s.spec) // a client that is gone needs no answer
}

// docsPolicy lets the reference load nothing that this server does not serve; Swagger UI's icons are data: in its
// style sheet.
const docsPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; " +
	"img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

const docsPage = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Posthorn API reference</title>
<link rel="stylesheet" href="docs/swagger-ui.css">
</head>
<body>
<div id="swagger-ui"></div>
<script src="docs/swagger-ui-bundle.js"></script>
<script src="docs/start.js"></script>
</body>
</html>
`

const docsScript = `window.ui = SwaggerUIBundle({
  url: new URL("openapi.json", document.baseURI).href, dom_id: "#swagger-ui", deepLinking: true, validatorUrl: null,
});
`

func (s *server) docs(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Security-Policy", docsPolicy)
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write([]byte(docsPage)) // a client that is gone needs no answer
}

// docsFile serves the three files that the page needs, out of Swagger UI's distribution in this binary.
func (s *server) docsFile(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("file")
	var content []byte
	var err error
	switch name {
	case "start.js":
		content = []byte(docsScript)
	case "swagger-ui.css", "swagger-ui-bundle.js":
		content, err = fs.ReadFile(swaggerui.FS, name)
	default:
		err = models.NotFound("file")
	}
	if err != nil {
		s.writeProblem(w, r, err)
		return
	}
	w.Header().Set("Content-Security-Policy", docsPolicy)
	w.Header().Set("Cache-Control", "public, max-age=3600")
	w.Header().Set("Content-Type", mime.TypeByExtension(path.Ext(name)))
	_, _ = w.Write(content) // a client that is gone needs no answer
}
