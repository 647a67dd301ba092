package egress

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// certificate makes a self-signed one for receiver.test, valid in the window.
func certificate(t *testing.T, from, to time.Time) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "receiver.test"}, NotBefore: from, NotAfter: to,
		DNSNames: []string{"receiver.test"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true, IsCA: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	leaf, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	roots := x509.NewCertPool()
	roots.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, roots
}

// tlsReceiver serves https with the given configuration and counts requests.
func tlsReceiver(t *testing.T, config *tls.Config) (*httptest.Server, *atomic.Int64) {
	t.Helper()
	var hits atomic.Int64
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.Proto == "HTTP/1.1" {
			hits.Add(1)
		}
	}))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.TLS = config
	s.EnableHTTP2 = true
	s.StartTLS()
	t.Cleanup(s.Close)
	return s, &hits
}

func portOf(s *httptest.Server) string {
	_, port, _ := net.SplitHostPort(s.Listener.Addr().String())
	return port
}

func TestTrustedReceiverOverHTTP1Only(t *testing.T) {
	t.Parallel()
	cert, roots := certificate(t, time.Now().Add(-time.Hour), time.Now().Add(time.Hour))
	s, hits := tlsReceiver(t, &tls.Config{Certificates: []tls.Certificate{cert}})
	c := newClient(t, Config{AllowCIDRs: LoopbackCIDRs(), RootCAs: roots, Resolver: names{"receiver.test.": {"127.0.0.1"}}})
	for _, host := range []string{"receiver.test", "RECEIVER.test.", "127.0.0.1"} {
		got := post(t, c, "https://"+host+":"+portOf(s)+"/")
		require.Nil(t, got.Failure)
		require.Equal(t, 200, got.StatusCode)
	}
	require.EqualValues(t, 3, hits.Load(), "each by HTTP/1.1, though the receiver offers HTTP/2")
}

// Nothing of the request reaches a receiver that cannot prove itself.
func TestF31_UntrustedReceiversGetNothing(t *testing.T) {
	t.Parallel()
	now := time.Now()
	good, goodRoots := certificate(t, now.Add(-time.Hour), now.Add(time.Hour))
	expired, expiredRoots := certificate(t, now.Add(-2*time.Hour), now.Add(-time.Hour))
	early, earlyRoots := certificate(t, now.Add(time.Hour), now.Add(2*time.Hour))
	for name, c := range map[string]struct {
		host    string
		server  *tls.Config
		roots   *x509.CertPool
		message string
	}{
		"self-signed": {"receiver.test", &tls.Config{Certificates: []tls.Certificate{good}}, nil, "trusted authority"},
		"wrong name":  {"other.test", &tls.Config{Certificates: []tls.Certificate{good}}, goodRoots, "host name"},
		"expired":     {"receiver.test", &tls.Config{Certificates: []tls.Certificate{expired}}, expiredRoots, "expired"},
		"not yet":     {"receiver.test", &tls.Config{Certificates: []tls.Certificate{early}}, earlyRoots, "not valid yet"},
		"TLS 1.0 only": {
			"receiver.test", &tls.Config{Certificates: []tls.Certificate{good}, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS10}, goodRoots, "handshake failed",
		},
		"client certificate": {
			"receiver.test", &tls.Config{Certificates: []tls.Certificate{good}, ClientAuth: tls.RequireAnyClientCert}, goodRoots, "handshake failed",
		},
	} {
		s, hits := tlsReceiver(t, c.server)
		client := newClient(t, Config{
			AllowCIDRs: LoopbackCIDRs(), RootCAs: c.roots,
			Resolver: names{"receiver.test.": {"127.0.0.1"}, "other.test.": {"127.0.0.1"}},
		})
		got := post(t, client, "https://"+c.host+":"+portOf(s)+"/")
		requireCode(t, CodeTLS, got)
		require.Contains(t, got.Failure.Message, c.message, name)
		require.Zero(t, hits.Load(), name)
	}
}

func TestHandshakeThatGoesWrong(t *testing.T) {
	t.Parallel()
	c := newClient(t, Config{AllowCIDRs: LoopbackCIDRs()})
	https := func(r *receiver) string { return "https://127.0.0.1:" + itoa(int(r.port())) + "/" }

	plain := newReceiver(t, func(p *peer) { p.send("HTTP/1.1 400 Bad Request\r\n\r\n"); p.hang() })
	requireCode(t, CodeTLS, post(t, c, https(plain)))
	closes := newReceiver(t, func(*peer) {})
	requireCode(t, CodeTLS, post(t, c, https(closes)))
	hangs := newReceiver(t, func(p *peer) { p.hang() })
	requireCode(t, CodeTimeout, attempt(t, c, https(hangs), 100*time.Millisecond))
	hasty := newClient(t, Config{AllowCIDRs: LoopbackCIDRs(), TLSTimeout: 50 * time.Millisecond})
	requireCode(t, CodeTimeout, post(t, hasty, https(hangs)))
}
