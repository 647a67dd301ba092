package api

import (
	"context"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humagin"
	"github.com/gin-gonic/gin"

	"github.com/posthorn/posthorn/models"
)

const (
	// maxBody bounds a whole request: a batch has room for several events of the largest size.
	maxBody = 8 << 20
	// maxDuration bounds the work for one request: past it a publisher hears 503 instead of waiting for a database
	// that hangs. A handshake's own timeout is shorter.
	maxDuration = 25 * time.Second
	// maxRequestID bounds what is taken over from a client's X-Request-Id.
	maxRequestID = 128
)

// server is the API. It has no state of its own but the last uses of keys that are being written down, how often who
// asked lately, and what is in flight.
type server struct {
	Dependencies
	cursors cursors
	engine  *gin.Engine
	huma    huma.API
	spec    []byte
	uses    chan struct{}
	// keyLimits and applicationLimits bound the requests per second.
	keyLimits, applicationLimits *limits
	denials                      *denials
	handshakes                   *handshakes
	loads                        *loads
}

// New builds the API's handler.
func New(d Dependencies) (http.Handler, error) {
	if err := d.validate(); err != nil {
		return nil, err
	}
	d.setDefaults()
	s := &server{
		Dependencies: d, cursors: cursors{keys: d.CursorKeys}, uses: make(chan struct{}, maxUses),
		keyLimits:         newLimits(d.RateLimitKey, maxLimiters),
		applicationLimits: newLimits(d.RateLimitApplication, maxLimiters),
		denials:           newDenials(),
		handshakes:        newHandshakes(),
		loads:             newLoads(d.MaxLoad),
	}
	if err := s.setUp(); err != nil {
		return nil, err
	}
	return http.HandlerFunc(s.serve), nil
}

// NewServer returns a server for the handler with the bounds that keep slow clients from holding it, and with an
// X-Request-Id on every answer. Its caller starts and stops it, and may set its ErrorLog.
func NewServer(addr string, handler http.Handler) *http.Server {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	protocols.SetUnencryptedHTTP2(true)
	return &http.Server{
		Addr:              addr,
		Handler:           identified(handler),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       30 * time.Second,
		// The reading, the work (maxDuration), and as long again for a client that reads slowly.
		WriteTimeout:   90 * time.Second,
		IdleTimeout:    60 * time.Second,
		MaxHeaderBytes: 64 << 10,
		Protocols:      protocols,
	}
}

func (s *server) setUp() error {
	gin.SetMode(gin.ReleaseMode) // the process' mode: without it Gin prints every route to standard output
	s.engine = gin.New()
	s.engine.RedirectTrailingSlash = false
	s.engine.HandleMethodNotAllowed = true
	if err := s.engine.SetTrustedProxies(nil); err != nil {
		return err
	}
	s.engine.Use(s.around)
	s.engine.NoRoute(s.noRoute)
	s.engine.NoMethod(s.noMethod)
	s.huma = humagin.New(s.engine, s.humaConfig())
	all := routes()
	for _, r := range all {
		r.register(s, r)
	}
	s.moveVerbs(all)
	return s.finishSpec()
}

// serve is the outermost handler: HEAD is GET without a body.
func (s *server) serve(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodHead {
		r = r.Clone(r.Context())
		r.Method = http.MethodGet
		w = headWriter{w}
	}
	s.engine.ServeHTTP(w, r)
}

// headWriter leaves the body out.
type headWriter struct{ http.ResponseWriter }

func (headWriter) Write(b []byte) (int, error) { return len(b), nil }

// around does for every request what no route does itself: an id, bounds, headers, a log line, and an answer when
// something panics.
func (s *server) around(c *gin.Context) {
	start := s.Now()
	id := requestIDOf(c.Request)
	ctx, cancel := context.WithTimeout(context.WithValue(c.Request.Context(), requestIDKey{}, id), maxDuration)
	defer cancel()
	c.Request = c.Request.WithContext(ctx)
	c.Request.Body = http.MaxBytesReader(c.Writer, c.Request.Body, maxBody)
	c.Header("X-Request-Id", id)
	c.Header("X-Content-Type-Options", "nosniff")
	c.Header("Cache-Control", "no-store") // keys and secrets are shown once
	defer s.done(c, start)
	defer s.recover(c)
	c.Next()
}

func (s *server) done(c *gin.Context, start time.Time) {
	r := Request{
		Method: c.Request.Method, Route: routePattern(c.FullPath()), Status: c.Writer.Status(), Duration: s.Now().Sub(start),
	}
	s.Observe(r)
	s.Logger.LogAttrs(c.Request.Context(), slog.LevelDebug, "request", requestAttr(c.Request.Context()),
		slog.String("method", r.Method), slog.String("route", r.Route), slog.Int("status", r.Status),
		slog.Duration("duration", r.Duration))
}

func (s *server) recover(c *gin.Context) {
	cause := recover()
	if cause == nil {
		return
	}
	if cause == http.ErrAbortHandler { //nolint:errorlint // net/http's own sentinel is panicked with as it is
		panic(cause)
	}
	s.Logger.LogAttrs(c.Request.Context(), slog.LevelError, "request panicked", requestAttr(c.Request.Context()),
		slog.Any("panic", cause), slog.String("stack", string(debug.Stack())))
	if c.Writer.Written() {
		panic(http.ErrAbortHandler) // half an answer must not look like a whole one
	}
	s.writeProblem(c.Writer, c.Request, models.Errorf(models.CodeInternal, "something went wrong here"))
}

func (s *server) noRoute(c *gin.Context) {
	s.writeProblem(c.Writer, c.Request, models.NotFound("route"))
}

// noMethod answers 405; OPTIONS gets the list of methods, which Gin has put into Allow.
func (s *server) noMethod(c *gin.Context) {
	allow := c.Writer.Header()
	allow.Set("Allow", allowed(allow.Get("Allow")))
	if c.Request.Method == http.MethodOptions {
		c.Status(http.StatusNoContent)
		c.Writer.WriteHeaderNow()
		return
	}
	s.writeProblem(c.Writer, c.Request, models.Errorf(codeMethodNotAllowed, "this route does not take %s", c.Request.Method))
}

type requestIDKey struct{}

func requestID(ctx context.Context) string {
	id, _ := ctx.Value(requestIDKey{}).(string)
	return id
}

// requestIDOf is what the request was called already, else the client's id where it is one that a log line can hold.
func requestIDOf(r *http.Request) string {
	if id := requestID(r.Context()); id != "" {
		return id
	}
	id := r.Header.Get("X-Request-Id")
	if id == "" || len(id) > maxRequestID {
		return models.NewID()
	}
	for i := range len(id) {
		switch c := id[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '_', c == '.':
		default:
			return models.NewID()
		}
	}
	return id
}
