package fault_test

import (
	"context"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/internal/program"
)

// proxy is a line between two processes that can be cut, held up or closed. No module that Posthorn has comes with one.
type proxy struct {
	// network and target are where it leads.
	network, target string
	listener        net.Listener
	address         string

	mu    sync.Mutex
	links map[*link]struct{}
	// refusing ends new connections as they come; stalled, unless nil, is closed when bytes go on.
	refusing bool
	stalled  chan struct{}
	// delay holds each chunk from the client back; room, unless negative, is how many bytes may still come from the server.
	delay time.Duration
	room  int64

	// cuts counts connections that a fault ended, or turned away; held the chunks that one delayed.
	cuts, held atomic.Int64
}

// link is one connection through the proxy.
type link struct{ client, server net.Conn }

func newProxy(network, target string) (*proxy, error) {
	address, err := program.FreeAddress(context.Background())
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", address) //nolint:noctx // at once
	if err != nil {
		return nil, err
	}
	p := &proxy{network: network, target: target, listener: listener, address: address, links: map[*link]struct{}{}, room: -1}
	go p.accept()
	return p, nil
}

func (p *proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		go p.connect(client)
	}
}

func (p *proxy) connect(client net.Conn) {
	if p.refuses() {
		p.cuts.Add(1)
		_ = client.Close()
		return
	}
	server, err := net.Dial(p.network, p.target) //nolint:noctx // on this machine
	if err != nil {
		_ = client.Close()
		return
	}
	l := &link{client, server}
	p.mu.Lock()
	p.links[l] = struct{}{}
	p.mu.Unlock()
	go p.carry(l, server, client, p.slow)
	go p.carry(l, client, server, p.truncated)
}

func (p *proxy) refuses() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.refusing
}

// carry copies one direction; each chunk passes the gate, which says how much of it goes on.
func (p *proxy) carry(l *link, to, from net.Conn, gate func(n int) int) {
	defer p.drop(l)
	buffer := make([]byte, 64<<10)
	for {
		n, err := from.Read(buffer)
		if err != nil {
			return
		}
		p.wait()
		allowed := gate(n)
		if _, err := to.Write(buffer[:allowed]); err != nil || allowed < n {
			return
		}
	}
}

func (p *proxy) drop(l *link) {
	p.mu.Lock()
	delete(p.links, l)
	p.mu.Unlock()
	_, _ = l.client.Close(), l.server.Close()
}

// wait holds while the line is stalled.
func (p *proxy) wait() {
	p.mu.Lock()
	stalled := p.stalled
	p.mu.Unlock()
	if stalled != nil {
		p.held.Add(1)
		<-stalled
	}
}

func (p *proxy) slow(n int) int {
	p.mu.Lock()
	delay := p.delay
	p.mu.Unlock()
	if delay > 0 {
		p.held.Add(1)
		<-time.After(delay)
	}
	return n
}

func (p *proxy) truncated(n int) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.room < 0 {
		return n
	}
	allowed := min(int64(n), p.room)
	p.room -= allowed
	if allowed < int64(n) {
		p.cuts.Add(1)
		p.room = -1 // one connection is enough
	}
	return int(allowed)
}

// cut ends every connection, now.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for l := range p.links {
		p.cuts.Add(1)
		_, _ = l.client.Close(), l.server.Close()
	}
}

// refuse cuts the line and lets no new connection through, until heal.
func (p *proxy) refuse() {
	p.mu.Lock()
	p.refusing = true
	p.mu.Unlock()
	p.cut()
}

// stall lets no byte through, until heal.
func (p *proxy) stall() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stalled = make(chan struct{})
}

// truncate ends the connection on which the server sends more than so many bytes from now on, in the middle.
func (p *proxy) truncate(after int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.room = after
}

func (p *proxy) heal() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stalled != nil {
		close(p.stalled)
	}
	p.refusing, p.stalled, p.delay, p.room = false, nil, 0, -1
}

func (p *proxy) close() {
	p.heal()
	_ = p.listener.Close()
	p.cut()
}

func TestTheProxyCutsStallsAndTruncates(t *testing.T) {
	server, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // at once
	require.NoError(t, err)
	defer server.Close()
	go func() {
		for {
			conn, err := server.Accept()
			if err != nil {
				return
			}
			go func() { _, _ = io.Copy(conn, conn) }() // an echo
		}
	}()
	p, err := newProxy("tcp", server.Addr().String())
	require.NoError(t, err)
	defer p.close()
	connect := func() net.Conn {
		conn, err := net.Dial("tcp", p.address) //nolint:noctx // at once
		require.NoError(t, err)
		t.Cleanup(func() { _ = conn.Close() })
		return conn
	}
	echo := func(conn net.Conn, within time.Duration) (string, error) {
		_, _ = conn.Write([]byte("hello"))
		_ = conn.SetReadDeadline(time.Now().Add(within))
		buffer := make([]byte, 5)
		n, err := io.ReadFull(conn, buffer)
		return string(buffer[:n]), err
	}

	conn := connect()
	got, err := echo(conn, patience)
	require.NoError(t, err)
	require.Equal(t, "hello", got)

	p.truncate(2)
	got, err = echo(conn, patience)
	require.Error(t, err)
	require.Equal(t, "he", got)

	conn = connect()
	p.stall()
	_, err = echo(conn, 50*time.Millisecond)
	require.Error(t, err)
	p.heal()
	_, err = echo(conn, patience)
	require.NoError(t, err)

	conn = connect()
	_, err = echo(conn, patience)
	require.NoError(t, err)
	p.refuse()
	_, err = echo(conn, patience)
	require.Error(t, err)
	_, err = echo(connect(), patience)
	require.Error(t, err)
	require.GreaterOrEqual(t, p.cuts.Load(), int64(3))
}
