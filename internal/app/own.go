package app

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/posthorn/posthorn/internal/egress"
)

// refreshOwn is how often names and the machine's own addresses are looked up again: a database that fails over keeps
// its name.
const refreshOwn = time.Minute

// ownAddresses are the listeners and servers of this deployment that this process knows of. Deliveries never go there,
// by address and port: the rest of an address is the operator's to allow (docs/decisions/0014).
type ownAddresses struct {
	deny   func([]egress.Endpoint)
	logger *slog.Logger
	lookup func(ctx context.Context, network, host string) ([]netip.Addr, error)
	local  func() ([]net.Addr, error)

	mu        sync.Mutex
	addresses []string
	// known is what each address meant when it was last looked up.
	known map[string][]egress.Endpoint
}

func newOwnAddresses(deny func([]egress.Endpoint), logger *slog.Logger) *ownAddresses {
	return &ownAddresses{
		deny: deny, logger: logger, lookup: net.DefaultResolver.LookupNetIP, local: net.InterfaceAddrs,
		known: map[string][]egress.Endpoint{},
	}
}

// add denies more of them, each host:port, from now on. Port 0 is one that is not known yet.
func (o *ownAddresses) add(ctx context.Context, addresses ...string) {
	o.mu.Lock()
	o.addresses = append(o.addresses, addresses...)
	o.mu.Unlock()
	o.refresh(ctx)
}

// keep looks them up again until ctx ends.
func (o *ownAddresses) keep(ctx context.Context) { every(ctx, refreshOwn, o.refresh) }

// refresh keeps what an address meant before where it cannot be looked up now. The guard is told of changes only: each
// costs it its idle connections.
func (o *ownAddresses) refresh(ctx context.Context) {
	o.mu.Lock()
	defer o.mu.Unlock()
	var all []egress.Endpoint
	changed := false
	for _, address := range o.addresses {
		endpoints, err := o.endpoints(ctx, address)
		if err != nil {
			o.logger.WarnContext(ctx, "an address of our own cannot be looked up; deliveries to it may not be refused",
				"address", address, "error", err)
		} else if before, ok := o.known[address]; !ok || !slices.Equal(before, endpoints) {
			o.known[address], changed = endpoints, true
		}
		all = append(all, o.known[address]...)
	}
	if changed {
		o.deny(all)
	}
}

// endpoints are what an address stands for, in a fixed order.
func (o *ownAddresses) endpoints(ctx context.Context, address string) ([]egress.Endpoint, error) {
	host, text, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("own address: %w", err)
	}
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return nil, fmt.Errorf("own port: %w", err)
	}
	ranges, err := o.ranges(ctx, host)
	if err != nil {
		return nil, fmt.Errorf("own address: %w", err)
	}
	slices.SortFunc(ranges, func(a, b netip.Prefix) int { return a.Addr().Compare(b.Addr()) })
	out := make([]egress.Endpoint, len(ranges))
	for i, r := range ranges {
		out[i] = egress.Endpoint{Prefix: r, Port: uint16(port)}
	}
	return out, nil
}

func (o *ownAddresses) ranges(ctx context.Context, host string) ([]netip.Prefix, error) {
	if host == "localhost" {
		return egress.LoopbackCIDRs(), nil
	}
	if literal, err := netip.ParseAddr(host); err == nil && !literal.IsUnspecified() {
		return single(literal), nil
	} else if err == nil || host == "" {
		return o.machine()
	}
	answers, err := o.lookup(ctx, "ip", host)
	if err != nil {
		return nil, err
	}
	return single(answers...), nil
}

// machine is every address of this machine, which a listener on all of them answers on.
func (o *ownAddresses) machine() ([]netip.Prefix, error) {
	interfaces, err := o.local()
	if err != nil {
		return nil, err
	}
	out := egress.LoopbackCIDRs()
	for _, i := range interfaces {
		prefix, err := netip.ParsePrefix(i.String())
		if err == nil && !prefix.Addr().IsLoopback() {
			out = append(out, single(prefix.Addr())...)
		}
	}
	return out, nil
}

func single(addrs ...netip.Addr) []netip.Prefix {
	out := make([]netip.Prefix, len(addrs))
	for i, a := range addrs {
		a = a.Unmap().WithZone("")
		out[i] = netip.PrefixFrom(a, a.BitLen())
	}
	return out
}
