package program

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"strconv"
)

// Ports below the range that systems give to outgoing connections (from 32768 on), so that the port of a program that
// was killed is still free when it is started again. The Temporal server cannot store higher ones either.
const firstPort, lastPort = 12_000, 32_000

// FreePorts are n different ports of loopback that nobody listens on.
func FreePorts(ctx context.Context, n int) ([]int, error) {
	ports := make([]int, 0, n)
	for range 1000 * n {
		if len(ports) == n {
			return ports, nil
		}
		port := firstPort + rand.IntN(lastPort-firstPort) //nolint:gosec // no secret
		l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", Loopback(port))
		if err != nil {
			continue
		}
		defer func() { _ = l.Close() }() // not before all are found: they are to differ
		ports = append(ports, port)
	}
	if len(ports) == n {
		return ports, nil
	}
	return nil, errors.New("too few ports are free")
}

// FreeAddresses are as many different addresses as FreePorts.
func FreeAddresses(ctx context.Context, n int) ([]string, error) {
	ports, err := FreePorts(ctx, n)
	addresses := make([]string, 0, n)
	for _, port := range ports {
		addresses = append(addresses, Loopback(port))
	}
	return addresses, err
}

// Loopback is the address of a port of this machine's own.
func Loopback(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

// FreeAddress is one address of FreeAddresses.
func FreeAddress(ctx context.Context) (string, error) {
	addresses, err := FreeAddresses(ctx, 1)
	if err != nil {
		return "", err
	}
	return addresses[0], nil
}
