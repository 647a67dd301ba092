//go:build unix

package egress

import "syscall"

// peek says whether a read of the socket would return at once, without reading.
func peek(fd int) bool {
	var b [1]byte
	_, _, err := syscall.Recvfrom(fd, b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
	return err != syscall.EAGAIN && err != syscall.EINTR
}
