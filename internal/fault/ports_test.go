package fault_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
)

// Ports below the range that systems give to outgoing connections (from 32768 on): the port of a killed process must
// still be free when it is started again.
const firstPort, lastPort = 12_000, 32_000

// freeAddress is a loopback address that nobody listens on.
func freeAddress() (string, error) {
	for range 1000 {
		address := fmt.Sprintf("127.0.0.1:%d", firstPort+rand.IntN(lastPort-firstPort))
		l, err := net.Listen("tcp", address) //nolint:noctx // at once
		if err != nil {
			continue
		}
		return address, l.Close()
	}
	return "", errors.New("no port is free")
}
