package egress

import (
	"crypto/tls"
	"net"
	"net/http"
	"net/http/httptrace"
	"strings"
	"syscall"
)

// roundTrip is the transport's, without its one false failure: a POST on a
// pooled connection that the receiver has closed meanwhile. Such a request is
// made again on another connection, but only while not one byte of it has been
// written: what may have been seen is never sent twice.
//
// A receiver that closes while the first bytes are on their way remains a
// failure; nobody can tell what it has read.
func roundTrip(transport http.RoundTripper, req *http.Request) (*http.Response, error) {
	var reused bool
	trace := &httptrace.ClientTrace{GotConn: func(info httptrace.GotConnInfo) { // never Got1xxResponse: see newTransport
		if reused = info.Reused; reused && spoken(info.Conn) {
			_ = info.Conn.Close() // the write fails, and the transport takes another connection
		}
	}}
	req = req.WithContext(httptrace.WithClientTrace(req.Context(), trace))
	for {
		res, err := transport.RoundTrip(req)
		if err == nil || !reused || !closedIdle(err) || req.Context().Err() != nil {
			return res, err
		}
		if req.Body, err = req.GetBody(); err != nil { // never: its body is bytes
			return nil, err
		}
	}
}

// closedIdle: net/http had noticed the end of the connection before it began
// this request. It tries other methods again by itself, but never a POST.
func closedIdle(err error) bool {
	return strings.Contains(err.Error(), "server closed idle connection")
}

// spoken says whether something has come in on a connection that nobody has
// asked anything: its end, a TLS alert that announces it, or bytes that belong
// to no answer. It looks at the socket itself, because net/http's reader may
// not have had its turn yet.
func spoken(c net.Conn) bool {
	if t, ok := c.(*tls.Conn); ok {
		c = t.NetConn()
	}
	p, ok := c.(*patientConn)
	if !ok {
		return false
	}
	socket, ok := p.Conn.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return true
	}
	// Control, not Read: Read would wait for the reader that is in its Read.
	readable := false
	err = raw.Control(func(fd uintptr) { readable = peek(int(fd)) })
	return readable || err != nil
}
