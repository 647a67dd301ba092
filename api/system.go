package api

import (
	"io/fs"
	"mime"
	"net/http"
	"path"

	swaggerui "github.com/swaggo/files/v2"

	"github.com/posthorn/posthorn/models"
)

func (s *server) healthz(w http.ResponseWriter, r *http.Request) { s.probes().healthz(w, r) }

func (s *server) readyz(w http.ResponseWriter, r *http.Request) { s.probes().readyz(w, r) }

func (s *server) probes() Probes {
	return Probes{Checks: s.Checks, Metrics: s.Metrics, Logger: s.Logger}
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
