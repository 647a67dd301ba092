package egress

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"time"
)

// Resolver looks names up. Host is absolute: it ends in a dot, so that the
// search list of the machine is never applied to a stranger's name.
type Resolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// Config is what the operator decides. The zero value is the strictest policy:
// https only, public addresses only, ports 80 and 443 only.
type Config struct {
	// AllowCIDRs opens ranges that are closed by default (private, loopback …)
	// and, inside them, every port. POSTHORN_EGRESS_ALLOW_CIDRS.
	AllowCIDRs []netip.Prefix
	// DenyCIDRs are never connected to; they win over AllowCIDRs.
	// POSTHORN_EGRESS_DENY_CIDRS. Single ports of this deployment: Client.DenyOwn.
	DenyCIDRs []netip.Prefix
	// Ports are allowed besides 80 and 443. POSTHORN_EGRESS_PORTS.
	Ports []uint16

	// AllowHTTP accepts http:// for every host. POSTHORN_ALLOW_HTTP.
	AllowHTTP bool
	// AllowHTTPLoopback accepts http:// for "localhost" and loopback literals
	// only: the embedded mode's default.
	AllowHTTPLoopback bool

	// AllowNAT64 lets 64:ff9b::/96 (RFC 6052) through when the IPv4 address
	// inside is public, for IPv6-only hosts behind DNS64. Default off.
	// POSTHORN_EGRESS_ALLOW_NAT64.
	AllowNAT64 bool

	// ProxyURL sends everything through the operator's http or https proxy; the
	// check of resolved addresses is then the proxy's. Environment proxies are
	// never used. POSTHORN_EGRESS_PROXY_URL.
	//
	// A proxy that accepts and never answers holds a goroutine for up to a minute
	// after its attempt has ended (a limit of net/http).
	ProxyURL *url.URL
	// BindAddress is the local address to connect from; targets of the other
	// address family become unreachable. POSTHORN_EGRESS_BIND_ADDRESS.
	BindAddress netip.Addr

	// UserAgent is sent when a request names none. Default "Posthorn".
	UserAgent string
	// DialTimeout bounds lookup and connect together. Default 5 s.
	DialTimeout time.Duration
	// TLSTimeout bounds the TLS handshake. Default 5 s.
	TLSTimeout time.Duration
	// RootCAs verifies receivers. Default nil: the system's roots.
	RootCAs *x509.CertPool
	// Resolver defaults to Go's own resolver, never the C library's, which
	// reads "127.1" and "0x7f000001" as loopback, see inet_aton(3).
	Resolver Resolver
	// Now is the clock that durations are measured with. Default time.Now.
	Now func() time.Time
}

// LoopbackCIDRs is 127.0.0.0/8 and ::1/128: what the embedded mode puts into
// AllowCIDRs.
func LoopbackCIDRs() []netip.Prefix {
	return []netip.Prefix{
		netip.MustParsePrefix("127.0.0.0/8"), // RFC 1122 3.2.1.3
		netip.MustParsePrefix("::1/128"),     // RFC 4291 2.5.3
	}
}

const (
	defaultUserAgent = "Posthorn"
	defaultStage     = 5 * time.Second
)

func (c Config) withDefaults() Config {
	if c.UserAgent == "" {
		c.UserAgent = defaultUserAgent
	}
	if c.DialTimeout <= 0 {
		c.DialTimeout = defaultStage
	}
	if c.TLSTimeout <= 0 {
		c.TLSTimeout = defaultStage
	}
	if c.Resolver == nil {
		c.Resolver = &net.Resolver{PreferGo: true}
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return c
}

func (c Config) validate() error {
	for _, list := range [][]netip.Prefix{c.AllowCIDRs, c.DenyCIDRs} {
		for _, p := range list {
			if err := checkPrefix(p); err != nil {
				return err
			}
		}
	}
	if c.BindAddress.IsValid() && c.BindAddress.Zone() != "" {
		return errors.New("egress bind address must not have a zone")
	}
	if !validUserAgent(c.UserAgent) {
		return errors.New("egress user agent must be visible characters")
	}
	return checkProxy(c.ProxyURL)
}

func checkPrefix(p netip.Prefix) error {
	if !p.IsValid() {
		return errors.New("egress range is not a valid CIDR")
	}
	if p.Addr().Is4In6() {
		return fmt.Errorf("egress range %s: write it as an IPv4 CIDR", p)
	}
	return nil
}

// checkProxy never prints the URL: it may hold the proxy's password.
func checkProxy(u *url.URL) error {
	if u == nil {
		return nil
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		return errors.New("egress proxy must be an absolute http or https URL")
	}
	return nil
}

func validUserAgent(s string) bool { return s != "" && checkValue(s) == nil }
