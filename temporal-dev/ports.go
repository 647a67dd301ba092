package temporaldev

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"
)

// endpoint is one of the two public addresses and how an operator moves it.
type endpoint struct {
	address string
	setting string // flag and environment variable, as in an error message
}

// listen binds the endpoint. A port somebody else holds is an error that names
// the setting to change and unwraps to syscall.EADDRINUSE.
func (e endpoint) listen(ctx context.Context) (net.Listener, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", e.address)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, &busyError{endpoint: e, err: err}
	case err != nil:
		return nil, fmt.Errorf("temporal-dev: %w; choose another address with %s", err, e.setting)
	}
	return l, nil
}

type busyError struct {
	endpoint
	err error
}

func (e *busyError) Error() string {
	return fmt.Sprintf("temporal-dev: %s is in use; choose another address with %s", e.address, e.setting)
}

func (e *busyError) Unwrap() error { return e.err }

// boundTo is the address that the listener has got.
func boundTo(l net.Listener) netip.AddrPort {
	return netip.MustParseAddrPort(l.Addr().String()) // always numeric
}

// freePorts returns n different loopback ports that were free a moment ago.
// The server binds its ports itself, so somebody may be faster: see startEngine.
func freePorts(ctx context.Context, n int) ([]int, error) {
	ports := make([]int, 0, n)
	for range n {
		l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("find a free port: %w", err)
		}
		// Held until all are found, so that they differ.
		defer func() { _ = l.Close() }()
		ports = append(ports, int(boundTo(l).Port()))
	}
	return ports, nil
}
