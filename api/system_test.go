package api

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/models"
)

func TestDependenciesAreChecked(t *testing.T) {
	t.Parallel()
	_, err := New(Dependencies{})
	for _, name := range []string{
		"Store", "Ingest", "Profiles", "CheckURL", "Verifier", "Metrics", "Logger", "Checks", "OperatorDigest", "CursorKeys",
	} {
		require.ErrorContains(t, err, name)
	}
}

func TestHealth(t *testing.T) {
	t.Parallel()
	broken := false
	w := newWorldWith(t, time.Now, func(d *Dependencies) {
		d.Checks["temporal"] = func(context.Context) error {
			if broken {
				return errors.New("dial tcp 10.0.0.7:7233: refused")
			}
			return nil
		}
		d.Metrics = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/plain; version=0.0.4")
			_, _ = w.Write([]byte("posthorn_up 1\n"))
		})
	})
	require.Equal(t, map[string]any{"status": "ok"}, w.do("", "GET", "/healthz", "").is(200))
	require.Equal(t, map[string]any{"database": "ok", "temporal": "ok"}, w.do("", "GET", "/readyz", "").is(200)["checks"])
	broken = true
	out := w.do("", "GET", "/readyz", "")
	require.Equal(t, map[string]any{"database": "ok", "temporal": "unavailable"}, out.is(503)["checks"])
	require.NotEmpty(t, out.header.Get("Retry-After"))
	require.NotContains(t, string(out.body), "10.0.0.7")
	require.Contains(t, w.log.String(), "10.0.0.7")
	require.Equal(t, "posthorn_up 1\n", string(w.do("", "GET", "/metrics", "").body))
	require.Equal(t, 200, w.do("", "GET", "/healthz", "").status)
}

func TestTheReferenceIsOfflineAndStrict(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	page := w.do("", "GET", "/docs", "")
	require.Equal(t, 200, page.status)
	policy := page.header.Get("Content-Security-Policy")
	require.Contains(t, policy, "default-src 'none'")
	require.NotContains(t, policy, "unsafe")
	for _, part := range regexp.MustCompile(`(?:href|src)="([^"]+)"`).FindAllStringSubmatch(string(page.body), -1) {
		require.False(t, strings.Contains(part[1], ":") || strings.HasPrefix(part[1], "/"), part[1])
		file := w.do("", "GET", "/"+part[1], "")
		require.Equal(t, 200, file.status, part[1])
		require.NotEmpty(t, file.body)
	}
	require.NotContains(t, string(page.body), "http")
	require.NotContains(t, docsScript, "http")
	w.do("", "GET", "/docs/swagger-ui.css.map", "").problem(404, models.CodeNotFound)
	w.do("", "GET", "/docs/..%2fgo.mod", "").problem(404, models.CodeNotFound)
}

func TestWhatIsNotARouteIsAProblemToo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, path := range []string{"/nothing", "/v1", "/v1/", "/v1/applications/", "/v2/applications", "//v1/applications", "/v1/keys/1/2"} {
		w.do("", "GET", path, "").problem(404, models.CodeNotFound)
	}
	out := w.do("", "PUT", "/v1/applications", "{}")
	out.problem(405, codeMethodNotAllowed)
	require.ElementsMatch(t, []string{"GET", "HEAD", "POST", "OPTIONS"}, strings.Split(out.header.Get("Allow"), ", "))
	w.do("", "TRACE", "/v1/applications", "").problem(405, codeMethodNotAllowed)
	w.do("", "GET", "/v1/keys", "").problem(405, codeMethodNotAllowed)
	options := w.do("", "OPTIONS", "/v1/applications", "")
	require.Equal(t, 204, options.status)
	require.Contains(t, options.header.Get("Allow"), "POST")
	require.Empty(t, options.header.Get("Access-Control-Allow-Origin"))
	w.do("", "OPTIONS", "/nothing", "").problem(404, models.CodeNotFound)
}

func TestHEADIsGETWithoutTheBody(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for path, status := range map[string]int{"/healthz": 200, "/v1/profiles": 200, "/nothing": 404, "/v1/keys": 405} {
		out := w.op("HEAD", path, "")
		require.Equal(t, status, out.status, path)
		require.Empty(t, out.body)
	}
	require.Equal(t, 401, w.do("", "HEAD", "/v1/profiles", "").status)
}

func TestRequestIDs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ask := func(id string) string {
		return w.do("", "GET", "/healthz", "", "X-Request-Id", id).header.Get("X-Request-Id")
	}
	require.Equal(t, "abc-1.2_3", ask("abc-1.2_3"))
	for _, bad := range []string{"", "a b", "a\nb", "ü", strings.Repeat("x", 129)} {
		require.True(t, models.IsID(ask(bad)), bad)
	}
	first := ask("")
	require.NotEqual(t, first, ask(""))
}

// brokenStore fails where its hook says so.
type brokenStore struct {
	Store
	fail func() error
}

func (b brokenStore) Applications(context.Context, models.Page) ([]models.Application, string, error) {
	return nil, "", b.fail()
}

func TestAnInternalErrorNeverShowsItsCause(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fail   func() error
		status int
		code   models.Code
	}{
		"an error": {func() error { return errors.New("password=hunter2") }, 500, models.CodeInternal},
		"a panic":  {func() error { panic("password=hunter2") }, 500, models.CodeInternal},
		"an outage": {func() error {
			return errors.Join(&models.Error{Code: models.CodeUnavailable, Message: "away", RetryAfter: 1500 * time.Millisecond},
				errors.New("password=hunter2"))
		}, 503, models.CodeUnavailable},
		"too long": {func() error { return context.DeadlineExceeded }, 503, models.CodeUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorldWith(t, time.Now, func(d *Dependencies) { d.Store = brokenStore{d.Store, c.fail} })
			out := w.op("GET", "/v1/applications", "")
			out.problem(c.status, c.code)
			require.NotContains(t, string(out.body), "hunter2")
			if c.status == 503 {
				require.Regexp(t, "^[12]$", out.header.Get("Retry-After"))
			}
			if name != "too long" {
				require.Contains(t, w.log.String(), "hunter2")
				require.Contains(t, w.log.String(), out.header.Get("X-Request-Id"))
			}
		})
	}
}

func TestRequestsAreObservedByPattern(t *testing.T) {
	t.Parallel()
	var seen []Request
	w := newWorldWith(t, time.Now, func(d *Dependencies) { d.Observe = func(r Request) { seen = append(seen, r) } })
	w.op("GET", "/v1/events/"+models.NewID(), "")
	w.do("", "GET", "/nothing", "")
	require.Equal(t, Request{Method: "GET", Route: "/v1/events/{id}", Status: 404, Duration: seen[1].Duration}, seen[1])
	require.Empty(t, seen[2].Route)
}

func TestF68_TheServersTimeoutsAndSizes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	server := NewServer("127.0.0.1:0", w.handler)
	require.Equal(t, 5*time.Second, server.ReadHeaderTimeout)
	require.Equal(t, 30*time.Second, server.ReadTimeout)
	require.Equal(t, 60*time.Second, server.IdleTimeout)
	require.Equal(t, 90*time.Second, server.WriteTimeout)
	require.Equal(t, 64<<10, server.MaxHeaderBytes)
	server.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", server.Addr)
	require.NoError(t, err)
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
	base := "http://" + listener.Addr().String()

	h2c := new(http.Protocols)
	h2c.SetUnencryptedHTTP2(true)
	for protocol, client := range map[string]*http.Client{
		"HTTP/1.1": {Transport: &http.Transport{}}, "HTTP/2.0": {Transport: &http.Transport{Protocols: h2c}},
	} {
		r, err := http.NewRequestWithContext(t.Context(), "HEAD", base+"/healthz", nil)
		require.NoError(t, err)
		answer, err := client.Do(r)
		require.NoError(t, err)
		body, err := io.ReadAll(answer.Body)
		require.NoError(t, err)
		require.NoError(t, answer.Body.Close())
		require.Empty(t, body)
		require.Equal(t, protocol, answer.Proto)
		require.Equal(t, 200, answer.StatusCode)
		client.CloseIdleConnections()
	}
	r, err := http.NewRequestWithContext(t.Context(), "GET", base+"/healthz", nil)
	require.NoError(t, err)
	r.Header.Set("X-Big", strings.Repeat("x", 80<<10))
	answer, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
	require.Equal(t, 431, answer.StatusCode)
}

func TestSourceIPs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	member := w.key(w.application("standard", ""), "member")
	require.Equal(t, map[string]any{"production": []any{"203.0.113.1"}, "demo": []any{}}, w.do(member, "GET", anywhere, "").is(200))
}
