package egress

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const ok200 = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

// Mixed answers: the public-looking half must not be used either.
func TestF40_OneForbiddenAnswerBlocksTheName(t *testing.T) {
	t.Parallel()
	good := newReceiverAt(t, "127.0.0.2:0", answer(ok200))
	for name, answers := range map[string][]string{
		"forbidden last":  {"127.0.0.2", "127.0.0.3"},
		"forbidden first": {"127.0.0.3", "127.0.0.2"},
		"metadata":        {"127.0.0.2", "169.254.169.254"},
		"other family":    {"127.0.0.2", "::1"},
		"mapped":          {"127.0.0.2", "::ffff:127.0.0.3"},
		"zone":            {"127.0.0.2", "fe80::1%lo"},
	} {
		c := newClient(t, Config{AllowCIDRs: prefixes("127.0.0.2/32"), AllowHTTP: true, Resolver: names{"mixed.test.": answers}})
		requireCode(t, CodeBlockedURL, post(t, c, good.url("mixed.test")))
		connections, _ := good.ledger()
		require.Zero(t, connections, name)
	}
	c := newClient(t, Config{AllowCIDRs: prefixes("127.0.0.2/32"), AllowHTTP: true, Resolver: names{"pure.test.": {"::ffff:127.0.0.2"}}})
	require.Equal(t, 200, post(t, c, good.url("pure.test")).StatusCode, "Go's resolver may answer A records in mapped form")
}

// rebinder answers 127.0.0.2 and 127.0.0.3 in turn.
type rebinder struct{ calls atomic.Int64 }

func (r *rebinder) LookupNetIP(context.Context, string, string) ([]netip.Addr, error) {
	if r.calls.Add(1)%2 == 1 {
		return []netip.Addr{netip.MustParseAddr("127.0.0.2")}, nil
	}
	return []netip.Addr{netip.MustParseAddr("127.0.0.3")}, nil
}

// A thousand attempts, not one connection to the forbidden address.
func TestF39_RebindingNeverReachesTheForbiddenAddress(t *testing.T) {
	t.Parallel()
	good := newReceiverAt(t, "127.0.0.2:0", answer("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"))
	bad := newReceiverAt(t, netip.AddrPortFrom(netip.MustParseAddr("127.0.0.3"), good.port()).String(), answer(ok200))
	c := newClient(t, Config{AllowCIDRs: prefixes("127.0.0.2/32"), AllowHTTP: true, Resolver: &rebinder{}})
	for range 500 {
		require.Equal(t, 200, post(t, c, good.url("rebind.test")).StatusCode)
		requireCode(t, CodeBlockedURL, post(t, c, good.url("rebind.test")))
	}
	connections, _ := bad.ledger()
	require.Zero(t, connections)
	_, hits := good.ledger()
	require.Equal(t, 500, hits)
}

// Were the answers not vetted at all, Control would still hold.
func TestControlHoldsWithoutTheVetting(t *testing.T) {
	t.Parallel()
	bad := newReceiver(t, answer(ok200))
	d := newDialer(Config{}.withDefaults(), newGuard(Config{}))
	_, err := d.race(t.Context(), []netip.AddrPort{netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), bad.port())})
	var refused *BlockedError
	require.ErrorAs(t, err, &refused)
	connections, _ := bad.ledger()
	require.Zero(t, connections)
}

func TestLocalhostNeedsOneAllowedFamilyAndNoResolver(t *testing.T) {
	t.Parallel()
	r := newReceiver(t, answer(ok200))
	for _, host := range []string{"localhost", "LOCALHOST."} { // the receiver ends each connection, so none is used twice
		c := newClient(t, Config{AllowCIDRs: prefixes("127.0.0.0/8"), AllowHTTP: true, Resolver: names{}})
		got := post(t, c, r.url(host))
		require.Equal(t, 200, got.StatusCode, "%+v", got.Failure)
	}
}

func TestNamesAreLookedUpAbsolute(t *testing.T) {
	t.Parallel()
	r := newReceiver(t, answer(ok200))
	config := local()
	config.Resolver = names{"xn--bcher-kva.test.": {"127.0.0.1"}}
	c := newClient(t, config)
	require.Equal(t, 200, post(t, c, r.url("Bücher.test.")).StatusCode)
}

func TestF38_LookupFailuresTellNothingAboutTheResolver(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		err     error
		message string
	}{
		"unknown name": {&net.DNSError{Err: "no such host", Server: "10.0.0.53:53", IsNotFound: true}, "does not exist"},
		"SERVFAIL":     {&net.DNSError{Err: "server misbehaving", Server: "10.0.0.53:53", IsTemporary: true}, "could not be looked up"},
		"slow":         {&net.DNSError{Err: "read udp 10.0.0.2:5->10.0.0.53:53: i/o timeout", IsTimeout: true}, "in time"},
		"other":        {errors.New("open /etc/resolv.conf: 10.0.0.53"), "could not be looked up"},
	} {
		client := newClient(t, Config{Resolver: lookup(func(context.Context) ([]netip.Addr, error) { return nil, c.err })})
		got := post(t, client, "https://name.test/")
		requireCode(t, CodeDNS, got)
		require.Contains(t, got.Failure.Message, c.message, name)
		require.NotContains(t, got.Failure.Message, "10.0.0", name)
	}
	empty := newClient(t, Config{Resolver: names{"name.test.": {}}})
	requireCode(t, CodeDNS, post(t, empty, "https://name.test/"))
}

type lookup func(context.Context) ([]netip.Addr, error)

func (l lookup) LookupNetIP(ctx context.Context, _, _ string) ([]netip.Addr, error) { return l(ctx) }

// No answer: within the dial timeout it is a DNS fault, and an attempt
// with less time than that ends on its own limit and takes the lookup with it.
func TestF38_SilentResolverIsBounded(t *testing.T) {
	t.Parallel()
	silent := lookup(func(ctx context.Context) ([]netip.Addr, error) { <-ctx.Done(); return nil, ctx.Err() })
	c := newClient(t, Config{Resolver: silent, DialTimeout: 30 * time.Millisecond})
	requireCode(t, CodeDNS, post(t, c, "https://name.test/"))

	released := make(chan struct{})
	watched := lookup(func(ctx context.Context) ([]netip.Addr, error) { <-ctx.Done(); close(released); return nil, ctx.Err() })
	c = newClient(t, Config{Resolver: watched, DialTimeout: time.Hour})
	got := c.Do(t.Context(), Request{URL: "https://name.test/", Timeout: 30 * time.Millisecond})
	requireCode(t, CodeTimeout, got)
	<-released
}

// scripted returns a dialer whose connections are made up.
func scripted(connect func(ctx context.Context, address string) (net.Conn, error)) *dialer {
	return &dialer{connect: func(ctx context.Context, _, address string) (net.Conn, error) { return connect(ctx, address) }}
}

func TestRaceGoesOnWhenAnAddressIsDead(t *testing.T) {
	t.Parallel()
	winner, other := net.Pipe()
	defer func() { _, _ = winner.Close(), other.Close() }()
	targets := []netip.AddrPort{netip.MustParseAddrPort("[2606::1]:443"), netip.MustParseAddrPort("1.1.1.1:443"), netip.MustParseAddrPort("1.1.1.2:443")}
	d := scripted(func(ctx context.Context, address string) (net.Conn, error) {
		switch address {
		case "[2606::1]:443": // a black hole
			<-ctx.Done()
			return nil, ctx.Err()
		case "1.1.1.1:443":
			return nil, errors.New("refused")
		}
		return winner, nil
	})
	conn, err := d.race(t.Context(), targets)
	require.NoError(t, err)
	require.Equal(t, winner, conn)
}

func TestRaceClosesTheLoser(t *testing.T) {
	t.Parallel()
	first, peer1 := net.Pipe()
	second, peer2 := net.Pipe()
	defer func() { _, _ = first.Close(), peer1.Close() }()
	defer func() { _ = peer2.Close() }()
	targets := []netip.AddrPort{netip.MustParseAddrPort("1.1.1.1:443"), netip.MustParseAddrPort("1.1.1.2:443")}
	d := scripted(func(ctx context.Context, address string) (net.Conn, error) {
		if address == "1.1.1.1:443" {
			<-ctx.Done() // answers only when the race is over
			return second, nil
		}
		return first, nil
	})
	conn, err := d.race(t.Context(), targets)
	require.NoError(t, err)
	require.Equal(t, first, conn)
	require.NoError(t, peer2.SetReadDeadline(time.Now().Add(5*time.Second)))
	_, err = peer2.Read(make([]byte, 1))
	require.ErrorIs(t, err, io.EOF, "the late connection is closed")
}

func TestRaceReportsTheLastErrorAndHonoursTheContext(t *testing.T) {
	t.Parallel()
	targets := []netip.AddrPort{netip.MustParseAddrPort("1.1.1.1:443"), netip.MustParseAddrPort("1.1.1.2:443")}
	d := scripted(func(_ context.Context, address string) (net.Conn, error) { return nil, errors.New(address) })
	_, err := d.race(t.Context(), targets)
	require.EqualError(t, err, "1.1.1.2:443")

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	d = scripted(func(ctx context.Context, _ string) (net.Conn, error) { <-ctx.Done(); return nil, ctx.Err() })
	_, err = d.race(ctx, targets)
	require.ErrorIs(t, err, context.Canceled)
}

// 500 addresses: all are vetted, few are tried.
func TestF38_Interleave(t *testing.T) {
	t.Parallel()
	six, four := netip.MustParseAddr("2606::1"), netip.MustParseAddr("1.1.1.1")
	text := func(addrs []netip.Addr, bind netip.Addr) (out []string) {
		for _, ap := range interleave(addrs, 443, bind) {
			out = append(out, ap.Addr().String())
		}
		return out
	}
	require.Equal(t, []string{"2606::1", "1.1.1.1", "2606::1"}, text([]netip.Addr{six, six, four}, netip.Addr{}))
	require.Equal(t, []string{"1.1.1.1", "2606::1"}, text([]netip.Addr{four, six}, netip.Addr{}))
	require.Equal(t, []string{"1.1.1.1"}, text([]netip.Addr{six, four}, netip.MustParseAddr("127.0.0.1")))
	require.Empty(t, text([]netip.Addr{six}, netip.MustParseAddr("127.0.0.1")))
	require.Len(t, interleave(make([]netip.Addr, 500), 443, netip.Addr{}), maxRacers)
}

func TestBindAddress(t *testing.T) {
	t.Parallel()
	from := make(chan string, 1)
	r := newReceiver(t, func(p *peer) {
		host, _, _ := net.SplitHostPort(p.RemoteAddr().String())
		from <- host
		answer(ok200)(p)
	})
	config := local()
	config.BindAddress = netip.MustParseAddr("127.0.0.9")
	require.Equal(t, 200, post(t, newClient(t, config), r.url("127.0.0.1")).StatusCode)
	require.Equal(t, "127.0.0.9", <-from)
	requireCode(t, CodeConnect, post(t, newClient(t, config), "http://[::1]:1/"))
}
