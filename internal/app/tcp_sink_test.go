package app_test

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// tcpSink is a receiver that misbehaves below HTTP: its script has the connection. It keeps a ledger of connections
// and requests, and what came over the wire.
type tcpSink struct {
	listener net.Listener
	secure   *tls.Config
	ended    chan struct{}
	wg       sync.WaitGroup

	mu    sync.Mutex
	open  []net.Conn
	hits  int
	heads []http.Header
	wire  bytes.Buffer
}

// caller is one connection to a tcpSink.
type caller struct {
	net.Conn
	in *bufio.Reader
	s  *tcpSink
}

// wireKept is how much of what came over the wire is kept, in bytes.
const wireKept = 1 << 16

func newTCPSink(t *testing.T, serve func(*caller)) *tcpSink {
	t.Helper()
	return newTLSSink(t, nil, serve)
}

// newTLSSink speaks TLS as the configuration says; nil = none.
func newTLSSink(t *testing.T, secure *tls.Config, serve func(*caller)) *tcpSink {
	t.Helper()
	var config net.ListenConfig
	listener, err := config.Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s := &tcpSink{listener: listener, secure: secure, ended: make(chan struct{})}
	s.wg.Go(func() { s.accept(serve) })
	t.Cleanup(s.close)
	return s
}

func (s *tcpSink) accept(serve func(*caller)) {
	for {
		conn, err := s.listener.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		s.open = append(s.open, conn)
		s.mu.Unlock()
		s.wg.Go(func() {
			defer conn.Close()
			var heard net.Conn = &recorded{Conn: conn, s: s}
			if s.secure != nil {
				heard = tls.Server(heard, s.secure)
			}
			serve(&caller{Conn: heard, in: bufio.NewReader(heard), s: s})
		})
	}
}

func (s *tcpSink) close() {
	close(s.ended)
	_ = s.listener.Close()
	s.mu.Lock()
	for _, conn := range s.open {
		_ = conn.Close()
	}
	s.mu.Unlock()
	s.wg.Wait()
}

func (s *tcpSink) url() string {
	scheme := "http://"
	if s.secure != nil {
		scheme = "https://"
	}
	return scheme + s.listener.Addr().String() + "/hook"
}

func (s *tcpSink) connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.open)
}

func (s *tcpSink) requests() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.hits
}

// heard is what came over the wire, up to wireKept.
func (s *tcpSink) heard() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.wire.String()
}

// recorded keeps what is read.
type recorded struct {
	net.Conn
	s *tcpSink
}

func (r *recorded) Read(b []byte) (int, error) {
	n, err := r.Conn.Read(b)
	r.s.mu.Lock()
	r.s.wire.Write(b[:min(n, wireKept-r.s.wire.Len())])
	r.s.mu.Unlock()
	return n, err
}

// head reads one request's head and counts it; nil when there is none, or one that is not a delivery.
func (c *caller) head() *http.Request {
	req, err := http.ReadRequest(c.in)
	if err != nil || req.Method == "PRI" { // a worker of another test looks for its stopped Temporal server, whose port this was
		return nil
	}
	c.s.mu.Lock()
	c.s.hits++
	c.s.heads = append(c.s.heads, req.Header)
	c.s.mu.Unlock()
	return req
}

// request reads one whole request.
func (c *caller) request() bool {
	req := c.head()
	if req == nil {
		return false
	}
	_, err := io.Copy(io.Discard, req.Body)
	return err == nil
}

func (c *caller) send(text string) bool {
	_, err := io.WriteString(c, text)
	return err == nil
}

// flood sends the text until the sender has had enough.
func (c *caller) flood(text string) {
	for c.send(text) {
	}
}

// hang holds the connection until the sender or the test ends it.
func (c *caller) hang() { _, _ = io.Copy(io.Discard, c.Conn) }

// reset closes with a RST instead of a FIN.
func (c *caller) reset() {
	under := c.Conn
	if r, ok := under.(*recorded); ok {
		under = r.Conn
	}
	if tcp, ok := under.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = c.Close()
}

// answers reads a request and sends each text; the connection then ends.
func answers(texts ...string) func(*caller) {
	return func(c *caller) {
		if c.request() {
			c.send(strings.Join(texts, ""))
		}
	}
}
