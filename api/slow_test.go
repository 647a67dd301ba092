package api

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/models"
)

// serveOn serves the world's API with shorter times than a deployment's, and returns its address.
func (w *world) serveOn(t *testing.T, most int) string {
	t.Helper()
	server := NewServer("127.0.0.1:0", w.handler)
	server.ReadHeaderTimeout, server.ReadTimeout, server.IdleTimeout = time.Second, 2*time.Second, 3*time.Second
	server.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", server.Addr)
	require.NoError(t, err)
	limited := LimitConnections(listener)
	if most > 0 {
		limited = limitConnections(listener, most)
	}
	go func() { _ = server.Serve(limited) }()
	t.Cleanup(func() { _ = server.Close() })
	return listener.Addr().String()
}

func dial(t *testing.T, address string) net.Conn {
	t.Helper()
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", address)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// drip sends the text a byte at a time until the other side has had enough, and returns how long that took.
func drip(ctx context.Context, conn net.Conn, text string) time.Duration {
	began := time.Now()
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	ended := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, conn) // ends with the connection
		close(ended)
	}()
	for i := 0; ; i++ {
		if _, err := conn.Write([]byte{text[i%len(text)]}); err != nil {
			return time.Since(began)
		}
		select {
		case <-ended:
			return time.Since(began)
		case <-ctx.Done():
			return time.Since(began)
		case <-ticker.C:
		}
	}
}

// slowest are the answers' times of some requests, one after the other, the slowest tenth left out.
func slowest(t *testing.T, address, key string) time.Duration {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	var times []time.Duration
	for range 50 {
		r, err := http.NewRequestWithContext(t.Context(), "GET", "http://"+address+anywhere, nil)
		require.NoError(t, err)
		r.Header.Set("Authorization", "Bearer "+key)
		began := time.Now()
		answer, err := client.Do(r)
		require.NoError(t, err)
		_, err = io.Copy(io.Discard, answer.Body)
		require.NoError(t, err)
		require.NoError(t, answer.Body.Close())
		require.Equal(t, 200, answer.StatusCode)
		times = append(times, time.Since(began))
	}
	slices.Sort(times)
	return times[len(times)*9/10]
}

func TestF68_SlowClientsAreCutOffAndHoldUpNobody(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	address := w.serveOn(t, 0)
	alone := slowest(t, address, operatorKey)
	const head = "POST /v1/applications HTTP/1.1\r\nHost: posthorn\r\nAuthorization: Bearer " + operatorKey + "\r\n"

	idle := int(min(2000, openFiles()/8)) // each takes two files here: ours and theirs
	silent := make([]net.Conn, idle)
	for i := range silent {
		silent[i] = dial(t, address)
	}
	cut := make(chan time.Duration, 40)
	for range 20 {
		headers, body := dial(t, address), dial(t, address)
		_, err := body.Write([]byte(head + "Content-Length: 100000\r\n\r\n"))
		require.NoError(t, err)
		go func() { cut <- drip(t.Context(), headers, head+"X-Slow: "+strings.Repeat("a", 1000)) }()
		go func() { cut <- drip(t.Context(), body, " ") }()
	}
	among := slowest(t, address, operatorKey)
	t.Logf("nine in ten answers within %s alone, %s among %d idle and 40 slow connections", alone, among, idle)
	require.Less(t, among, 10*alone+100*time.Millisecond)
	for range 40 {
		require.Less(t, <-cut, 10*time.Second, "far less than the bytes would take")
	}
	for _, conn := range silent {
		require.NoError(t, conn.SetReadDeadline(time.Now().Add(10*time.Second)))
		_, err := conn.Read(make([]byte, 1))
		require.ErrorIs(t, err, io.EOF, "one that says nothing is closed")
	}
}

func TestF68_ConnectionsAreBounded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	address := w.serveOn(t, 3)
	for range 3 {
		dial(t, address)
	}
	began := time.Now()
	slowest(t, address, operatorKey) // waits until one of the silent is closed
	require.Greater(t, time.Since(began), 500*time.Millisecond)
}

// A header is at most 64 KiB, a body 8 MiB, whether its length is told or not, and no more than that is read.
func TestF68_SizesAreBounded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	address := w.serveOn(t, 0)
	status := func(request string) string {
		conn := dial(t, address)
		go func() { _, _ = io.Copy(conn, strings.NewReader(request)) }()
		answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
		require.NoError(t, err)
		require.NoError(t, answer.Body.Close())
		return answer.Status[:3]
	}
	const head = " HTTP/1.1\r\nHost: posthorn\r\nAuthorization: Bearer " + operatorKey + "\r\n"
	require.Equal(t, "431", status("GET /healthz"+head+"X: "+strings.Repeat("a", 100<<10)+"\r\n\r\n"))
	require.Equal(t, "431", status("GET /healthz"+head+strings.Repeat("X: a\r\n", 20<<10)+"\r\n"))
	require.Equal(t, "431", status("GET /"+strings.Repeat("a", 100<<10)+head+"\r\n"))
	require.Equal(t, "413", status("POST /v1/applications"+head+"Content-Length: 9999999999\r\n\r\n"))
	chunk := "100000\r\n" + strings.Repeat(" ", 1<<20) + "\r\n"
	require.Equal(t, "413", status("POST /v1/applications"+head+"Transfer-Encoding: chunked\r\n\r\n"+strings.Repeat(chunk, 9)+"0\r\n\r\n"))
}

func TestDeniedRequestsAreCountedAndLoggedWithinBounds(t *testing.T) {
	t.Parallel()
	time0 := &clock{now: time.Now()}
	counts := map[models.Code]int{}
	w := newWorldWith(t, time0.Now, func(d *Dependencies) { d.Denied = func(code models.Code) { counts[code]++ } })
	app := w.application("standard", "")
	member := w.key(app, "member")
	w.do(member, "POST", "/v1/applications/"+app+"/keys", `{}`, "X-Request-Id", "from-the-test").problem(403, models.CodeForbidden)
	w.do(w.key(app, "admin"), "POST", "/v1/applications/"+app+"/keys", `{"role":"publisher","name":"k"}`).problem(403, models.CodeForbidden)
	const wrong = "ph_admin_canary"
	for range 300 {
		w.do(wrong, "GET", "/v1/applications/"+app+"?canary=1", "").problem(401, models.CodeUnauthenticated)
	}
	w.op("GET", "/v1/applications/"+models.NewID(), "").problem(404, models.CodeNotFound)
	require.Equal(t, map[models.Code]int{models.CodeForbidden: 2, models.CodeUnauthenticated: 300}, counts)
	log := w.log.String()
	require.Equal(t, denialsAtOnce, strings.Count(log, "request denied"))
	require.NotContains(t, log, "canary")
	first, _, _ := strings.Cut(log, "\n")
	for _, part := range []string{
		"request_id=from-the-test", "code=forbidden", "route=create-key", "remote_address=192.0.2.1", "role=member", "key_id=0",
	} {
		require.Contains(t, first, part)
	}
	time0.advance(time.Second)
	w.do(wrong, "GET", anywhere, "").problem(401, models.CodeUnauthenticated)
	require.Contains(t, w.log.String(), "not_logged_before=252")
}
