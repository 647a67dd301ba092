package egress

import (
	"context"
	"net/netip"
	"slices"
	"sync/atomic"
	"syscall"

	"code.dny.dev/ssrf"
)

const (
	reasonAddress = "leads to an address that is not allowed"
	reasonPort    = "uses a port that is not allowed"
)

// thisNetwork is the local host to Linux (RFC 1122 3.2.1.3): connecting to it
// would walk round what is denied of loopback.
var thisNetwork = netip.MustParsePrefix("0.0.0.0/8") //nolint:gochecknoglobals // a constant in all but kind

// Endpoint is a port of one address or of a range.
type Endpoint struct {
	Prefix netip.Prefix
	Port   uint16
}

// guard judges addresses and ports. It fails closed, and but for own it never
// changes.
//
// Order: the operator's deny list, the allow list, then the built-in ranges;
// for a port also what is ours, whatever the lists say.
type guard struct {
	own     atomic.Pointer[[]Endpoint]
	denied  []netip.Prefix
	allowed []netip.Prefix
	ports   []uint16
	public  *ssrf.Guardian
	nat64   bool
}

func newGuard(c Config) *guard {
	public := ssrf.New(
		ssrf.WithAnyPort(), // ports depend on the allow list: see port
		// Azure's WireServer answers on a public-looking address that no
		// registry lists: learn.microsoft.com/azure/virtual-network/what-is-ip-address-168-63-129-16.
		ssrf.WithDeniedV4Prefixes(netip.MustParsePrefix("168.63.129.16/32")),
	)
	return &guard{
		denied:  masked(c.DenyCIDRs),
		allowed: masked(c.AllowCIDRs),
		ports:   append([]uint16{80, 443}, c.Ports...),
		public:  public,
		nat64:   c.AllowNAT64,
	}
}

func masked(prefixes []netip.Prefix) []netip.Prefix {
	out := make([]netip.Prefix, len(prefixes))
	for i, p := range prefixes {
		out[i] = p.Masked()
	}
	return out
}

func within(a netip.Addr, prefixes []netip.Prefix) bool {
	return slices.ContainsFunc(prefixes, func(p netip.Prefix) bool { return p.Contains(a) })
}

// addr returns nil when a may be connected to. A mapped address is refused even
// inside an allowed ::/0, because the kernel would connect to its IPv4 twin, and
// so is the unspecified one, with which it connects to itself.
func (g *guard) addr(a netip.Addr) error {
	switch {
	case !a.IsValid(), a.Zone() != "", a.Is4In6(), a.IsUnspecified(), thisNetwork.Contains(a), within(a, g.denied):
		return &BlockedError{Reason: reasonAddress}
	case within(a, g.allowed):
		return nil
	case g.nat64 && ssrf.IPv6NAT64Prefix.Contains(a):
		return g.embedded(a)
	case g.public.SafeAddr(a) != nil:
		return &BlockedError{Reason: reasonAddress}
	}
	return nil
}

// embedded judges a NAT64 address by the IPv4 address in its last 32 bits
// (RFC 6052 2.2). AllowCIDRs is not asked: it names our networks, not those
// behind the translator.
func (g *guard) embedded(a netip.Addr) error {
	v4 := inNAT64(a)
	if within(v4, g.denied) || g.public.SafeAddr(v4) != nil {
		return &BlockedError{Reason: reasonAddress}
	}
	return nil
}

func inNAT64(a netip.Addr) netip.Addr {
	b := a.As16()
	return netip.AddrFrom4([4]byte(b[12:]))
}

// isOwn says whether ap is one of this deployment's own listeners or servers.
func (g *guard) isOwn(ap netip.AddrPort) bool {
	own := g.own.Load()
	if own == nil {
		return false
	}
	a := ap.Addr()
	if ssrf.IPv6NAT64Prefix.Contains(a) {
		a = inNAT64(a)
	}
	return slices.ContainsFunc(*own, func(e Endpoint) bool { return e.Port == ap.Port() && e.Prefix.Contains(a) })
}

// addrPort judges the address first: a forbidden address is the graver fault.
func (g *guard) addrPort(ap netip.AddrPort) error {
	if err := g.addr(ap.Addr()); err != nil {
		return err
	}
	if g.isOwn(ap) {
		return &BlockedError{Reason: reasonAddress}
	}
	if slices.Contains(g.ports, ap.Port()) || within(ap.Addr(), g.allowed) {
		return nil
	}
	return &BlockedError{Reason: reasonPort}
}

// namePort judges the port of a name whose address is not known yet. Such a
// name may still lie inside the allow list, where every port is open.
func (g *guard) namePort(port uint16) error {
	if len(g.allowed) > 0 || slices.Contains(g.ports, port) {
		return nil
	}
	return &BlockedError{Reason: reasonPort}
}

// control is the last word: net calls it with the address that the socket is
// about to connect to (net.Dialer.ControlContext).
func (g *guard) control(_ context.Context, network, address string, _ syscall.RawConn) error {
	ap, err := netip.ParseAddrPort(address)
	if err != nil || (network != "tcp4" && network != "tcp6") {
		return &BlockedError{Reason: reasonAddress}
	}
	return g.addrPort(ap)
}

// localhost returns the loopback addresses that may be used for "localhost":
// one of the two families is enough. No name server is asked (RFC 6761 6.3).
func (g *guard) localhost(port uint16) ([]netip.Addr, error) {
	var (
		open  []netip.Addr
		first error
	)
	for _, a := range []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback()} {
		err := g.addrPort(netip.AddrPortFrom(a, port))
		if err == nil {
			open = append(open, a)
		} else if first == nil {
			first = err
		}
	}
	if len(open) == 0 {
		return nil, first
	}
	return open, nil
}

// vet passes the answers of a lookup only if every one of them is allowed: a
// name with a public and a private address is an attack or a mistake, and
// picking the good one would hide it.
func (g *guard) vet(answers []netip.Addr, port uint16) ([]netip.Addr, error) {
	out := make([]netip.Addr, 0, len(answers))
	for _, a := range answers {
		a = a.Unmap() // Go's resolver may answer ::ffff:a.b.c.d for an A record
		if err := g.addrPort(netip.AddrPortFrom(a, port)); err != nil {
			return nil, err
		}
		out = append(out, a)
	}
	return out, nil
}
