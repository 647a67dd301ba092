package egress

import (
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// connectProxy tunnels CONNECT to target, whatever name was asked for; an empty
// target refuses, as Smokescreen does.
func connectProxy(t *testing.T, target string) (*receiver, <-chan string) {
	t.Helper()
	asked := make(chan string, 1)
	r := newReceiver(t, func(p *peer) {
		req, ok := p.head()
		if !ok {
			return
		}
		asked <- req.Method + " " + req.RequestURI
		if target == "" {
			p.send("HTTP/1.1 407 Request rejected by proxy\r\nContent-Length: 0\r\n\r\n")
			return
		}
		tunnel(p, target)
	})
	return r, asked
}

func tunnel(p *peer, target string) {
	up, err := net.Dial("tcp", target) //nolint:noctx // ends with the test
	if err != nil {
		return
	}
	defer func() { _ = up.Close() }()
	p.send("HTTP/1.1 200 OK\r\n\r\n")
	go func() {
		_, _ = io.Copy(up, p.in)
		_ = up.Close()
	}()
	_, _ = io.Copy(p, up)
	_ = p.Close()
}

func viaProxy(t *testing.T, proxy string, c Config) *Client {
	t.Helper()
	c.ProxyURL = mustURL(proxy)
	c.Resolver = names{} // names are the proxy's business
	return newClient(t, c)
}

func TestProxyCarriesHTTPSByConnect(t *testing.T) {
	t.Parallel()
	cert, roots := certificate(t, time.Now().Add(-time.Hour), time.Now().Add(time.Hour))
	s, hits := tlsReceiver(t, &tls.Config{Certificates: []tls.Certificate{cert}})
	r, asked := connectProxy(t, s.Listener.Addr().String())
	c := viaProxy(t, "http://"+r.listener.Addr().String(), Config{RootCAs: roots}) // loopback proxy, loopback not allowed
	got := post(t, c, "https://receiver.test/hook")
	require.Nil(t, got.Failure)
	require.Equal(t, "CONNECT receiver.test:443", <-asked)
	require.EqualValues(t, 1, hits.Load())

	wrong := viaProxy(t, "http://"+r.listener.Addr().String(), Config{})
	requireCode(t, CodeTLS, post(t, wrong, "https://receiver.test/hook"))
	require.EqualValues(t, 1, hits.Load())
}

func TestProxyCarriesHTTPInAbsoluteForm(t *testing.T) {
	t.Parallel()
	seen := make(chan *http.Request, 1)
	r := newReceiver(t, func(p *peer) {
		if req, ok := p.head(); ok {
			seen <- req
			p.send(ok200)
		}
	})
	c := viaProxy(t, "http://user:pw@"+r.listener.Addr().String(), Config{AllowHTTP: true})
	require.Equal(t, 200, post(t, c, "http://receiver.test/hook?x=1").StatusCode)
	req := <-seen
	require.Equal(t, "http://receiver.test/hook?x=1", req.RequestURI)
	require.Equal(t, "Basic dXNlcjpwdw==", req.Header.Get("Proxy-Authorization"))
}

func TestProxyFaults(t *testing.T) {
	t.Parallel()
	r, _ := connectProxy(t, "")
	got := post(t, viaProxy(t, "http://"+r.listener.Addr().String(), Config{}), "https://receiver.test/")
	requireCode(t, CodeConnect, got)
	require.Equal(t, "the egress proxy refused the connection", got.Failure.Message)

	got = post(t, viaProxy(t, "http://127.0.0.1:1", Config{}), "https://receiver.test/")
	requireCode(t, CodeConnect, got)
	require.Equal(t, "the egress proxy could not be reached", got.Failure.Message)

	hangs := newReceiver(t, func(p *peer) { p.hang() })
	requireCode(t, CodeTimeout, attempt(t, viaProxy(t, "http://"+hangs.listener.Addr().String(), Config{}), "https://receiver.test/", 100*time.Millisecond))
}

// The text of the URL is judged here even when the proxy judges addresses.
func TestLiteralsAreRefusedBeforeTheProxy(t *testing.T) {
	t.Parallel()
	r, _ := connectProxy(t, "")
	c := viaProxy(t, "http://"+r.listener.Addr().String(), Config{})
	for _, raw := range []string{"https://169.254.169.254/", "https://localhost/", "https://[::1]/", "https://example.com:22/"} {
		requireCode(t, CodeBlockedURL, post(t, c, raw))
	}
	connections, _ := r.ledger()
	require.Zero(t, connections)
}

// Not parallel: it sets the environment.
func TestEnvironmentProxiesAreIgnored(t *testing.T) {
	r := newReceiver(t, answer(ok200))
	proxy := newReceiver(t, answer(ok200))
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy"} {
		t.Setenv(name, "http://"+proxy.listener.Addr().String())
	}
	c := newClient(t, Config{AllowCIDRs: LoopbackCIDRs(), AllowHTTP: true, Resolver: names{"receiver.test.": {"127.0.0.1"}}})
	require.Equal(t, 200, post(t, c, r.url("receiver.test")).StatusCode)
	connections, _ := proxy.ledger()
	require.Zero(t, connections)
}
