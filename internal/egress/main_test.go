package egress

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/netip"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// prefixes parses CIDRs.
func prefixes(cidrs ...string) []netip.Prefix {
	out := make([]netip.Prefix, len(cidrs))
	for i, c := range cidrs {
		out[i] = netip.MustParsePrefix(c)
	}
	return out
}

// newClient returns a client that is closed with the test.
func newClient(t *testing.T, c Config) *Client {
	t.Helper()
	client, err := New(c)
	require.NoError(t, err)
	t.Cleanup(client.Close)
	return client
}

// local is a policy under which the receivers of these tests can be reached.
func local() Config {
	return Config{AllowCIDRs: LoopbackCIDRs(), AllowHTTP: true}
}

// names is a Resolver with fixed answers; it keeps the hosts it was asked for.
type names map[string][]string

func (n names) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	answers, ok := n[host]
	if !ok {
		return nil, &net.DNSError{Err: "no such host", Name: host, Server: "10.0.0.53:53", IsNotFound: true}
	}
	out := make([]netip.Addr, len(answers))
	for i, a := range answers {
		out[i] = netip.MustParseAddr(a)
	}
	return out, nil
}

// receiver is a scripted server on a loopback address. It counts connections
// and requests (the ledger) and ends with the test.
type receiver struct {
	listener net.Listener
	serve    func(*peer)
	wg       sync.WaitGroup
	ended    chan struct{}

	mu    sync.Mutex
	conns []net.Conn
	hits  int
}

// peer is one accepted connection.
type peer struct {
	net.Conn
	in *bufio.Reader
	r  *receiver
}

func newReceiver(t *testing.T, serve func(*peer)) *receiver {
	t.Helper()
	return newReceiverAt(t, "127.0.0.1:0", serve)
}

func newReceiverAt(t *testing.T, address string, serve func(*peer)) *receiver {
	t.Helper()
	var config net.ListenConfig
	l, err := config.Listen(t.Context(), "tcp", address)
	require.NoError(t, err)
	r := &receiver{listener: l, serve: serve, ended: make(chan struct{})}
	r.wg.Go(r.accept)
	t.Cleanup(r.close)
	return r
}

func (r *receiver) accept() {
	for {
		c, err := r.listener.Accept()
		if err != nil {
			return
		}
		r.mu.Lock()
		r.conns = append(r.conns, c)
		r.mu.Unlock()
		r.wg.Go(func() {
			defer func() { _ = c.Close() }()
			r.serve(&peer{Conn: c, in: bufio.NewReader(c), r: r})
		})
	}
}

func (r *receiver) close() {
	close(r.ended)
	_ = r.listener.Close()
	r.mu.Lock()
	for _, c := range r.conns {
		_ = c.Close()
	}
	r.mu.Unlock()
	r.wg.Wait()
}

func (r *receiver) port() uint16 {
	return netip.MustParseAddrPort(r.listener.Addr().String()).Port()
}

// url is http://<host>:<port of the receiver>/hook.
func (r *receiver) url(host string) string {
	return "http://" + net.JoinHostPort(host, strconv.Itoa(int(r.port()))) + "/hook"
}

func (r *receiver) ledger() (connections, requests int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.conns), r.hits
}

// head reads one request's head and counts it; false at the end of the
// connection.
func (p *peer) head() (*http.Request, bool) {
	req, err := http.ReadRequest(p.in)
	if err != nil {
		return nil, false
	}
	p.r.mu.Lock()
	p.r.hits++
	p.r.mu.Unlock()
	return req, true
}

// request reads one whole request.
func (p *peer) request() bool {
	req, ok := p.head()
	if ok {
		_, _ = io.Copy(io.Discard, req.Body)
	}
	return ok
}

func (p *peer) send(s string) bool {
	_, err := io.WriteString(p, s)
	return err == nil
}

// flood sends s until the client has had enough and returns how many bytes went.
func (p *peer) flood(s string) (sent int64) {
	for p.send(s) {
		sent += int64(len(s))
	}
	return sent
}

// hang holds the connection until the client or the test ends it.
func (p *peer) hang() { _, _ = io.Copy(io.Discard, p.Conn) }

// reset closes with a RST instead of a FIN.
func (p *peer) reset() {
	if c, ok := p.Conn.(*net.TCPConn); ok {
		_ = c.SetLinger(0)
	}
	_ = p.Close()
}

// answer reads a request and replies; the connection then ends.
func answer(response string) func(*peer) {
	return func(p *peer) {
		if p.request() {
			p.send(response)
		}
	}
}

// post makes one attempt with a short timeout.
func post(t *testing.T, c *Client, url string) Response {
	t.Helper()
	return c.Do(t.Context(), Request{URL: url, Body: []byte(`{"n":1}`), Timeout: 5 * time.Second})
}

func requireCode(t *testing.T, want Code, got Response) {
	t.Helper()
	require.NotNil(t, got.Failure, "status %d", got.StatusCode)
	require.Equal(t, want, got.Failure.Code, got.Failure.Message)
}

// roundTripper is a transport made up by a test.
type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

func traceOf(req *http.Request) *httptrace.ClientTrace {
	return httptrace.ContextClientTrace(req.Context())
}

func gotConn(reused bool) httptrace.GotConnInfo { return httptrace.GotConnInfo{Reused: reused} }

// errClosedIdle has net/http's own text, which it does not export.
var errClosedIdle = errors.New("http: server closed idle connection")
