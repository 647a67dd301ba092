package egress

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"time"
)

const (
	// maxResponseHeader bounds all header bytes of one answer, 1xx included.
	// net/http's default is 10 MiB.
	maxResponseHeader = 64 << 10
	idleTimeout       = 30 * time.Second
	// Deliveries to one receiver come in bursts: 32 warm connections per host
	// save a handshake each. 1,024 in all bounds memory (some 20 KiB each, estimated).
	maxIdlePerHost = 32
	maxIdle        = 1024
)

// newTransport speaks HTTP/1.1 only, which keeps the whole class of hostile
// HTTP/2 servers out, and has no httptrace hook: Got1xxResponse would reset the
// header limit at each 1xx (go.dev/issue/65035).
func newTransport(c Config, d *dialer) *http.Transport {
	t := &http.Transport{
		Proxy:                  nil, // never the environment's
		DisableCompression:     true,
		MaxResponseHeaderBytes: maxResponseHeader,
		MaxIdleConns:           maxIdle,
		MaxIdleConnsPerHost:    maxIdlePerHost,
		IdleConnTimeout:        idleTimeout,
		Protocols:              http1(),
	}
	if c.ProxyURL != nil {
		useProxy(t, c)
		return t
	}
	t.DialContext, t.DialTLSContext = d.DialContext, d.DialTLSContext
	return t
}

func http1() *http.Protocols {
	var p http.Protocols
	p.SetHTTP1(true)
	return &p
}

// useProxy leaves the guard out of the dial: the proxy is the operator's choice
// and usually has a private address.
func useProxy(t *http.Transport, c Config) {
	inner := &net.Dialer{LocalAddr: localAddr(c.BindAddress)}
	t.Proxy = http.ProxyURL(c.ProxyURL)
	t.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		ctx, cancel := stage(ctx, c.DialTimeout)
		defer cancel()
		conn, err := inner.DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return newPatientConn(conn), nil
	}
	t.TLSClientConfig = tlsConfig(c.RootCAs)
	t.TLSHandshakeTimeout = c.TLSTimeout
	t.OnProxyConnectResponse = func(_ context.Context, _ *url.URL, _ *http.Request, r *http.Response) error {
		if r.StatusCode != http.StatusOK {
			return errProxyRefused
		}
		return nil
	}
}
