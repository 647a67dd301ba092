package app

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/internal/egress"
)

// fakeMachine has one interface, and a name server whose answers a test changes.
type fakeMachine struct {
	own     *ownAddresses
	answers map[string][]netip.Addr
	denied  []egress.Endpoint
	told    int
}

func newFakeMachine() *fakeMachine {
	m := &fakeMachine{answers: map[string][]netip.Addr{}}
	m.own = newOwnAddresses(func(e []egress.Endpoint) { m.denied = e; m.told++ }, slog.New(slog.DiscardHandler))
	m.own.local = func() ([]net.Addr, error) {
		return []net.Addr{
			&net.IPNet{IP: net.IPv4(127, 0, 0, 1), Mask: net.CIDRMask(8, 32)},
			&net.IPNet{IP: net.IPv4(10, 1, 2, 3), Mask: net.CIDRMask(16, 32)},
		}, nil
	}
	m.own.lookup = func(_ context.Context, _, host string) ([]netip.Addr, error) {
		if found, ok := m.answers[host]; ok {
			return found, nil
		}
		return nil, errors.New("no such host")
	}
	return m
}

func (m *fakeMachine) denies(target string) bool {
	ap := netip.MustParseAddrPort(target)
	for _, e := range m.denied {
		if e.Port == ap.Port() && e.Prefix.Contains(ap.Addr()) {
			return true
		}
	}
	return false
}

func TestOwnAddressesAreDeniedByPort(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]map[string]bool{
		"127.0.0.1:8080": {"127.0.0.1:8080": true, "127.0.0.2:8080": false, "127.0.0.1:8081": false},
		"localhost:7233": {"127.0.0.1:7233": true, "[::1]:7233": true, "127.0.0.1:80": false},
		"[::]:8080":      {"127.0.0.1:8080": true, "127.9.9.9:8080": true, "[::1]:8080": true, "10.1.2.3:8080": true, "10.1.2.4:8080": false},
		"0.0.0.0:8080":   {"127.0.0.1:8080": true, "10.1.2.3:8080": true, "10.1.2.3:80": false},
		":8080":          {"10.1.2.3:8080": true},
		"db.test:5432":   {"10.9.9.9:5432": true, "10.9.9.9:443": false},
	} {
		m := newFakeMachine()
		m.answers["db.test"] = []netip.Addr{netip.MustParseAddr("::ffff:10.9.9.9")}
		m.own.add(t.Context(), address)
		for target, denied := range want {
			require.Equal(t, denied, m.denies(target), "%s, %s", address, target)
		}
	}
}

func TestOwnNamesAreFollowedAndKeptWhileTheyCannotBeLookedUp(t *testing.T) {
	t.Parallel()
	m := newFakeMachine()
	m.own.add(t.Context(), "db.test:5432")
	require.Zero(t, m.told)
	m.answers["db.test"] = []netip.Addr{netip.MustParseAddr("10.0.0.1")}
	m.own.refresh(t.Context())
	m.own.refresh(t.Context())
	require.Equal(t, 1, m.told, "the guard is told of changes only")
	m.answers["db.test"] = []netip.Addr{netip.MustParseAddr("10.0.0.2")}
	m.own.refresh(t.Context())
	require.True(t, m.denies("10.0.0.2:5432"))
	require.False(t, m.denies("10.0.0.1:5432"))
	delete(m.answers, "db.test")
	m.own.refresh(t.Context())
	require.True(t, m.denies("10.0.0.2:5432"))
}

func TestTemporalAddressesWithAScheme(t *testing.T) {
	t.Parallel()
	require.Equal(t, "localhost:7233", orDefaultHostPort(""))
	require.Equal(t, "t.test:7233", orDefaultHostPort("dns:///t.test:7233"))
	require.Equal(t, "t.test:7233", orDefaultHostPort("t.test:7233"))
}
