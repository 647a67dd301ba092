package egress

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/netip"
	"strconv"
	"time"
)

// dialer opens connections for the transport: look up, vet every answer,
// connect to a vetted address, with the guard's control on the socket itself.
type dialer struct {
	guard    *guard
	resolver Resolver
	connect  func(ctx context.Context, network, address string) (net.Conn, error)
	bind     netip.Addr
	roots    *x509.CertPool

	dialTimeout time.Duration
	tlsTimeout  time.Duration
}

func newDialer(c Config, g *guard) *dialer {
	inner := &net.Dialer{LocalAddr: localAddr(c.BindAddress), ControlContext: g.control}
	return &dialer{
		guard:       g,
		resolver:    c.Resolver,
		connect:     inner.DialContext,
		bind:        c.BindAddress,
		roots:       c.RootCAs,
		dialTimeout: c.DialTimeout,
		tlsTimeout:  c.TLSTimeout,
	}
}

func localAddr(bind netip.Addr) net.Addr {
	if !bind.IsValid() {
		return nil
	}
	return net.TCPAddrFromAddrPort(netip.AddrPortFrom(bind, 0))
}

// attemptKey carries the attempt's own context to the dialer. The transport
// dials under a context that outlives the request (so that the connection may
// serve a later one); ours must end with the attempt, or a dead host would keep
// goroutines busy after its attempt was judged.
type attemptKey struct{}

func withAttempt(ctx context.Context) context.Context {
	return context.WithValue(ctx, attemptKey{}, ctx)
}

// stage bounds one step of connecting by d and by the attempt it belongs to.
func stage(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(ctx, d)
	attempt, ok := ctx.Value(attemptKey{}).(context.Context)
	if !ok {
		return ctx, cancel
	}
	stop := context.AfterFunc(attempt, cancel)
	return ctx, func() { stop(); cancel() }
}

// DialContext is the transport's dial function for http.
func (d *dialer) DialContext(ctx context.Context, _, address string) (net.Conn, error) {
	ctx, cancel := stage(ctx, d.dialTimeout)
	defer cancel()
	targets, err := d.targets(ctx, address)
	if err != nil {
		return nil, err
	}
	conn, err := d.race(ctx, targets)
	if err != nil {
		return nil, connectFailure(ctx, err)
	}
	return newPatientConn(conn), nil
}

// DialTLSContext is the transport's dial function for https.
func (d *dialer) DialTLSContext(ctx context.Context, network, address string) (net.Conn, error) {
	raw, err := d.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	name, _, _ := net.SplitHostPort(address) // DialContext has split it already
	config := tlsConfig(d.roots)
	config.ServerName = name
	conn := tls.Client(raw, config)
	ctx, cancel := stage(ctx, d.tlsTimeout)
	defer cancel()
	if err := conn.HandshakeContext(ctx); err != nil {
		_ = raw.Close()
		return nil, tlsFailure(ctx, err)
	}
	return conn, nil
}

// tlsConfig offers no ALPN, so no receiver can choose HTTP/2.
func tlsConfig(roots *x509.CertPool) *tls.Config {
	return &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
}

// targets resolves address and returns vetted addresses in the order to try.
func (d *dialer) targets(ctx context.Context, address string) ([]netip.AddrPort, error) {
	name, port, err := splitAddress(address)
	if err != nil {
		return nil, &BlockedError{Reason: reasonAddress}
	}
	addrs, err := d.addresses(ctx, name, port)
	if err != nil {
		return nil, err
	}
	out := interleave(addrs, port, d.bind)
	if len(out) == 0 {
		return nil, &Failure{Code: CodeConnect, Message: "the host has no address of a usable family"}
	}
	return out, nil
}

func (d *dialer) addresses(ctx context.Context, name string, port uint16) ([]netip.Addr, error) {
	if a, err := netip.ParseAddr(name); err == nil {
		return []netip.Addr{a}, d.guard.addrPort(netip.AddrPortFrom(a, port))
	}
	if isLocalhost(name) {
		return d.guard.localhost(port)
	}
	answers, err := d.resolver.LookupNetIP(ctx, "ip", name+".")
	if err != nil {
		return nil, lookupFailure(err)
	}
	if len(answers) == 0 {
		return nil, &Failure{Code: CodeDNS, Message: "the host name has no address"}
	}
	return d.guard.vet(answers, port)
}

func splitAddress(address string) (string, uint16, error) {
	name, text, err := net.SplitHostPort(address)
	if err != nil {
		return "", 0, err
	}
	port, err := strconv.ParseUint(text, 10, 16)
	if err == nil && name == "" {
		err = errors.New("no host")
	}
	return name, uint16(port), err
}
