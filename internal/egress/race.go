package egress

import (
	"context"
	"net"
	"net/netip"
	"time"
)

const (
	// raceDelay is RFC 8305 8, Connection Attempt Delay: how long one address
	// has to itself before the next is tried beside it.
	raceDelay = 250 * time.Millisecond
	// maxRacers bounds what a name with 500 addresses can make us do. All 500
	// are vetted; the first eight are tried.
	maxRacers = 8
)

// interleave alternates the families, beginning with that of the first answer
// (RFC 8305 4), and leaves out those that the bind address cannot reach.
func interleave(addrs []netip.Addr, port uint16, bind netip.Addr) []netip.AddrPort {
	var same, other []netip.AddrPort
	for _, a := range addrs {
		if bind.IsValid() && a.Is4() != bind.Is4() {
			continue
		}
		ap := netip.AddrPortFrom(a, port)
		if len(same) == 0 || a.Is4() == same[0].Addr().Is4() {
			same = append(same, ap)
		} else {
			other = append(other, ap)
		}
	}
	out := make([]netip.AddrPort, 0, len(same)+len(other))
	for i := range max(len(same), len(other)) {
		if i < len(same) {
			out = append(out, same[i])
		}
		if i < len(other) {
			out = append(out, other[i])
		}
	}
	return out[:min(len(out), maxRacers)]
}

type racer struct {
	conn net.Conn
	err  error
}

// race connects to the first target that answers. Losers are closed; when it
// returns, no goroutine of its own holds a connection.
func (d *dialer) race(ctx context.Context, targets []netip.AddrPort) (net.Conn, error) {
	if len(targets) == 1 {
		return d.connect(ctx, "tcp", targets[0].String())
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	results := make(chan racer)
	running, next := 0, 0
	start := func() {
		go d.run(ctx, targets[next], results)
		running, next = running+1, next+1
	}
	tick := time.NewTicker(raceDelay)
	defer tick.Stop()
	for start(); ; {
		select {
		case r := <-results:
			running--
			switch {
			case r.err == nil:
				return r.conn, nil
			case next < len(targets):
				start()
			case running == 0:
				return nil, r.err
			}
		case <-tick.C:
			if next < len(targets) {
				start()
			}
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (d *dialer) run(ctx context.Context, target netip.AddrPort, results chan<- racer) {
	conn, err := d.connect(ctx, "tcp", target.String())
	select {
	case results <- racer{conn, err}:
	case <-ctx.Done(): // the race is over
		if conn != nil {
			_ = conn.Close()
		}
	}
}
