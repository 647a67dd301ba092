package egress

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"testing"

	"code.dny.dev/ssrf"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/posthorn/posthorn/internal/testutil"
)

// forbidden are the ranges of IANA's special-purpose registries (RFC 6890),
// multicast, Azure's WireServer and, of IPv6, all that is outside 2000::/3,
// written out here so that a change of the library's list fails a test.
func forbidden() []netip.Prefix {
	return append(forbiddenV4(), forbiddenV6()...)
}

func forbiddenV4() []netip.Prefix {
	return prefixes(
		"0.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "127.0.0.0/8",
		"169.254.0.0/16", "168.63.129.16/32", "192.0.0.0/24", "192.0.2.0/24", "198.51.100.0/24",
		"203.0.113.0/24", "192.31.196.0/24", "192.175.48.0/24", "192.52.193.0/24", "192.88.99.0/24",
		"198.18.0.0/15", "224.0.0.0/4", "240.0.0.0/4", "255.255.255.255/32",
	)
}

func forbiddenV6() []netip.Prefix {
	return prefixes(
		"::/8", "::/96", "::ffff:0:0/96", "::ffff:0:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48",
		"100::/64", "2001::/23", "2001::/32", "2001:2::/48", "2001:10::/28", "2001:20::/28",
		"2001:db8::/32", "3fff::/20", "2002::/16", "2620:4f:8000::/48", "5f00::/16",
		"fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8",
		"::/3", "4000::/2", "8000::/1", // all that is outside 2000::/3
	)
}

func last(p netip.Prefix) netip.Addr {
	b := p.Masked().Addr().AsSlice()
	for i := p.Bits(); i < len(b)*8; i++ {
		b[i/8] |= 0x80 >> (i % 8)
	}
	a, _ := netip.AddrFromSlice(b)
	return a
}

// middle flips the first free bit of the first address and the last bit.
func middle(p netip.Prefix) netip.Addr {
	b := p.Masked().Addr().AsSlice()
	if p.Bits() < len(b)*8 {
		b[p.Bits()/8] |= 0x80 >> (p.Bits() % 8)
	}
	a, _ := netip.AddrFromSlice(b)
	return a
}

func TestF40_EveryForbiddenRangeIsBlockedFromFirstToLast(t *testing.T) {
	t.Parallel()
	g := newGuard(Config{})
	for _, p := range forbidden() {
		for _, a := range []netip.Addr{p.Addr(), middle(p), last(p)} {
			require.Error(t, g.addr(a), "%s of %s", a, p)
		}
	}
}

func TestMetadataAndOddAddressesAreBlocked(t *testing.T) {
	t.Parallel()
	g := newGuard(Config{})
	for _, s := range []string{
		"0.1.2.3", "100.100.100.200", "169.254.169.254", "169.254.170.2", "169.254.170.23", "169.254.0.23",
		"168.63.129.16", "192.0.0.192", "255.255.255.255", "fd00:ec2::254", "fd20:ce::254", "::", "::1",
		"::7f00:1", "::ffff:0:7f00:1", "64:ff9b::7f00:1", "64:ff9b:1::a9fe:a9fe", "2002:7f00:1::1", "2001::1",
		"fec0::1", "3fff::1", "5f00::1", "4000::1", "fe80::1%eth0", "2606:4700::1%eth0", "::ffff:8.8.8.8",
	} {
		require.Error(t, g.addr(netip.MustParseAddr(s)), s)
	}
	require.Error(t, g.addr(netip.Addr{}), "the zero address")
}

func TestPublicAddressesPass(t *testing.T) {
	t.Parallel()
	g := newGuard(Config{})
	for _, s := range []string{
		"1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "126.255.255.255", "128.0.0.0", "168.63.129.15",
		"168.63.129.17", "172.15.255.255", "172.32.0.0", "223.255.255.255", "2606:4700:4700::1111", "2a00::1",
	} {
		require.NoError(t, g.addr(netip.MustParseAddr(s)), s)
	}
}

func inAny(a netip.Addr, list []netip.Prefix) bool {
	for _, p := range list {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// The guard forbids exactly the table: no more, no less.
func TestGuardAgreesWithTheTable(t *testing.T) {
	t.Parallel()
	g := newGuard(Config{})
	rapid.Check(t, func(t *rapid.T) {
		a := rapid.OneOf(anyV4(), anyV6()).Draw(t, "addr")
		require.Equal(t, inAny(a, forbidden()), g.addr(a) != nil, a)
	})
}

func anyV4() *rapid.Generator[netip.Addr] {
	return rapid.Map(rapid.Uint32(), v4)
}

func anyV6() *rapid.Generator[netip.Addr] {
	return rapid.Custom(func(t *rapid.T) netip.Addr {
		b := rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "bytes")
		if rapid.Bool().Draw(t, "global") {
			b[0] = 0x20 | b[0]&0x1f
		}
		return netip.AddrFrom16([16]byte(b))
	})
}

func v4(n uint32) netip.Addr {
	return netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, n)))
}

// spelling is an IPv6 form that carries an IPv4 address at an offset.
type spelling struct {
	form     string
	base     netip.Addr
	at       int
	inverted bool
}

func spellings() []spelling {
	return []spelling{
		{"mapped", netip.MustParseAddr("::ffff:0:0"), 12, false},
		{"compatible", netip.MustParseAddr("::"), 12, false},
		{"translated", netip.MustParseAddr("::ffff:0:0:0"), 12, false},
		{"NAT64", netip.MustParseAddr("64:ff9b::"), 12, false},
		{"local NAT64", netip.MustParseAddr("64:ff9b:1::"), 12, false},
		{"6to4", netip.MustParseAddr("2002::1"), 2, false},
		{"Teredo", netip.MustParseAddr("2001:0:4136:e378:8000:63bf::"), 12, true}, // RFC 4380 4: the client's bits are inverted
		{"ISATAP", netip.MustParseAddr("fe80::5efe:0:0"), 12, false},
	}
}

func (s spelling) write(a netip.Addr) netip.Addr {
	b, q := s.base.As16(), a.As4()
	for i := range q {
		if s.inverted {
			q[i] = ^q[i]
		}
	}
	copy(b[s.at:], q[:])
	return netip.AddrFrom16(b)
}

func randomIn(r *rand.Rand, p netip.Prefix) netip.Addr {
	b := p.Masked().Addr().As4()
	free := uint32(uint64(1)<<(32-p.Bits()) - 1)
	return v4(binary.BigEndian.Uint32(b[:]) | r.Uint32()&free)
}

// A million random spellings of denied addresses, under three policies, as a literal and as the address a socket is
// about to use. What Control refuses is never connected to, so none of them is a connection. POSTHORN_TEST_SEED
// repeats a run.
func TestF40_AMillionSpellingsOfDeniedAddressesAreDenied(t *testing.T) {
	t.Parallel()
	seed := testutil.Seed(t)
	guards := []*guard{
		newGuard(Config{}), newGuard(Config{AllowNAT64: true}), newGuard(Config{AllowCIDRs: prefixes("192.168.7.0/24", "fd00:7::/32")}),
	}
	allowed := prefixes("192.168.7.0/24", "fd00:7::/32")
	r := rand.New(rand.NewPCG(seed, 0))
	v4s, v6s, forms := forbiddenV4(), forbiddenV6(), spellings()
	for n := range 1_000_000 {
		a := randomIn(r, v4s[r.IntN(len(v4s))])
		if inAny(a, allowed) {
			continue
		}
		switch form := n % (len(forms) + 2); {
		case form < len(forms):
			a = forms[form].write(a)
		case form == len(forms):
			if a = randomIn6(r, v6s[r.IntN(len(v6s))]); inAny(a, allowed) || ssrf.IPv6NAT64Prefix.Contains(a) {
				continue // NAT64 with a public address inside is not denied; with a denied one it is a spelling
			}
		}
		port := []uint16{80, 443, uint16(r.Uint32())}[r.IntN(3)]
		target := netip.AddrPortFrom(a, port)
		if guards[n%3].addrPort(target) == nil {
			t.Fatalf("%s is allowed by policy %d", target, n%3)
		}
		if n%10 == 0 && guards[n%3].control(t.Context(), network(a), target.String(), nil) == nil {
			t.Fatalf("a socket may connect to %s under policy %d", target, n%3)
		}
	}
}

func network(a netip.Addr) string {
	if a.Is4() {
		return "tcp4"
	}
	return "tcp6"
}

func randomIn6(r *rand.Rand, p netip.Prefix) netip.Addr {
	b := p.Masked().Addr().As16()
	for i := range b {
		free := byte(0xff)
		if from := i * 8; from < p.Bits() {
			free >>= min(8, p.Bits()-from)
		}
		b[i] |= byte(r.Uint32()) & free
	}
	return netip.AddrFrom16(b)
}

func TestNAT64FollowsTheAddressInside(t *testing.T) {
	t.Parallel()
	public, private := netip.MustParseAddr("64:ff9b::808:808"), netip.MustParseAddr("64:ff9b::a00:1")
	require.Error(t, newGuard(Config{}).addr(public), "off by default")

	g := newGuard(Config{AllowNAT64: true, AllowCIDRs: prefixes("10.0.0.0/8"), DenyCIDRs: prefixes("8.8.4.0/24")})
	require.NoError(t, g.addr(public))
	require.Error(t, g.addr(private), "the allow list names our networks, not those behind the translator")
	require.Error(t, g.addr(netip.MustParseAddr("64:ff9b::808:404")), "the operator's own range")
}

func TestOperatorsListsDenyBeforeAllow(t *testing.T) {
	t.Parallel()
	g := newGuard(Config{AllowCIDRs: prefixes("10.1.2.3/16", "fd00::/8"), DenyCIDRs: prefixes("10.1.5.0/24", "1.1.1.1/32")})
	for addr, want := range map[string]bool{
		"10.1.0.1": true, "10.2.0.1": false, "10.1.5.7": false, "fd00::5": true, "fe80::1": false,
		"1.1.1.1": false, "1.1.1.2": true, "::ffff:10.1.0.1": false,
	} {
		require.Equal(t, want, g.addr(netip.MustParseAddr(addr)) == nil, addr)
	}
	all := newGuard(Config{AllowCIDRs: prefixes("::/0")})
	require.Error(t, all.addr(netip.MustParseAddr("::ffff:127.0.0.1")), "the kernel would dial 127.0.0.1")
}

func TestPorts(t *testing.T) {
	t.Parallel()
	g := newGuard(Config{Ports: []uint16{8443}, AllowCIDRs: prefixes("10.0.0.0/8")})
	for target, want := range map[string]bool{
		"1.1.1.1:443": true, "1.1.1.1:80": true, "1.1.1.1:8443": true, "1.1.1.1:22": false, "1.1.1.1:0": false,
		"1.1.1.1:6379": false, "10.0.0.1:6379": true, "[2606:4700::1]:443": true, "[2606:4700::1]:25": false,
	} {
		require.Equal(t, want, g.addrPort(netip.MustParseAddrPort(target)) == nil, target)
	}
}

func TestControlFailsClosed(t *testing.T) {
	t.Parallel()
	g := newGuard(Config{AllowCIDRs: prefixes("127.0.0.2/32")})
	for _, c := range []struct {
		network, address string
		ok               bool
	}{
		{"tcp4", "127.0.0.2:9", true},
		{"tcp4", "127.0.0.3:9", false},
		{"tcp6", "[::ffff:127.0.0.2]:9", false},
		{"tcp6", "[fe80::1%eth0]:443", false},
		{"tcp6", "[::1%lo]:443", false},
		{"tcp", "1.1.1.1:443", false},
		{"udp4", "1.1.1.1:443", false},
		{"unix", "/var/run/docker.sock", false},
		{"tcp4", "example.com:443", false},
		{"tcp4", "", false},
		{"tcp4", "1.1.1.1:443", true},
	} {
		err := g.control(t.Context(), c.network, c.address, nil)
		require.Equal(t, c.ok, err == nil, "%s %s", c.network, c.address)
	}
}

func TestConfigIsRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]Config{
		"mapped allow range":  {AllowCIDRs: prefixes("::ffff:10.0.0.0/104")},
		"invalid deny range":  {DenyCIDRs: []netip.Prefix{{}}},
		"zone in bind":        {BindAddress: netip.MustParseAddr("fe80::1%eth0")},
		"control in agent":    {UserAgent: "a\nb"},
		"proxy without host":  {ProxyURL: mustURL("http:///")},
		"proxy of other kind": {ProxyURL: mustURL("socks5://user:hunter2@10.0.0.1")},
	} {
		_, err := New(c)
		require.Error(t, err, name)
		require.NotContains(t, err.Error(), "hunter2", name)
	}
}

// Our own listeners and servers: by address and port, inside allowed ranges too, in every spelling that leads there.
func TestF40_OwnEndpointsAreDeniedInsideAllowedRanges(t *testing.T) {
	t.Parallel()
	g := newGuard(Config{AllowCIDRs: prefixes("127.0.0.0/8", "10.0.0.0/8", "0.0.0.0/0", "::/0"), AllowNAT64: true})
	g.own.Store(&[]Endpoint{
		{netip.MustParsePrefix("127.0.0.1/32"), 8080}, {netip.MustParsePrefix("10.1.2.3/32"), 5432}, {netip.MustParsePrefix("8.8.8.8/32"), 443},
	})
	for target, want := range map[string]bool{
		"127.0.0.1:8080": false, "127.0.0.1:8081": true, "127.0.0.2:8080": true, "10.1.2.3:5432": false, "10.1.2.3:443": true,
		"8.8.8.8:443": false, "8.8.8.8:80": true, "[::ffff:127.0.0.1]:8080": false,
		"0.0.0.0:8081": false, "0.1.2.3:8081": false, "[::]:8081": false,
		"[64:ff9b::808:808]:443": false, "[64:ff9b::808:808]:80": true,
	} {
		require.Equal(t, want, g.addrPort(netip.MustParseAddrPort(target)) == nil, target)
	}
}

func TestF40_OwnEndpointIsRefusedFromTheNextAttemptOn(t *testing.T) {
	t.Parallel()
	r := newReceiver(t, func(p *peer) {
		for p.request() {
			p.send(ok200)
		}
	})
	c := newClient(t, local())
	require.NoError(t, c.CheckURL(r.url("127.0.0.1")))
	require.Equal(t, 200, post(t, c, r.url("127.0.0.1")).StatusCode)
	c.DenyOwn([]Endpoint{{netip.MustParsePrefix("127.0.0.1/8"), r.port()}})
	var refused *BlockedError
	require.ErrorAs(t, c.CheckURL(r.url("127.0.0.1")), &refused)
	requireCode(t, CodeBlockedURL, post(t, c, r.url("127.0.0.1")))
	requireHits(t, r, 1)
}
