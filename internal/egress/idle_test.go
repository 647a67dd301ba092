package egress

import (
	"bufio"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The receiver answers and closes without having announced it, a thousand
// times. Once its FIN is here, no attempt fails and each is one hit, however
// little time net/http's reader had to see it.
func TestF41_ConnectionClosedWhileIdleIsNoFailure(t *testing.T) {
	t.Parallel()
	closed := make(chan struct{})
	r := newReceiver(t, func(p *peer) {
		if p.request() {
			p.send(ok200)
			_ = p.Close()
			closed <- struct{}{}
		}
	})
	c := newClient(t, local())
	for range 1000 {
		got := post(t, c, r.url("127.0.0.1"))
		require.Nil(t, got.Failure)
		require.Equal(t, 200, got.StatusCode)
		<-closed
	}
	connections, hits := r.ledger()
	require.Equal(t, []int{1000, 1000}, []int{connections, hits})
}

// The same with TLS, where the end is announced by an alert.
func TestF41_TLSConnectionClosedWhileIdleIsNoFailure(t *testing.T) {
	t.Parallel()
	cert, roots := certificate(t, time.Now().Add(-time.Hour), time.Now().Add(time.Hour))
	closed := make(chan struct{})
	r := newReceiver(t, func(p *peer) {
		conn := tls.Server(p.Conn, &tls.Config{Certificates: []tls.Certificate{cert}})
		secure := &peer{Conn: conn, in: bufio.NewReader(conn), r: p.r}
		if secure.request() {
			secure.send(ok200)
			_ = conn.Close()
			closed <- struct{}{}
		}
	})
	c := newClient(t, Config{AllowCIDRs: LoopbackCIDRs(), RootCAs: roots})
	for range 100 {
		require.Equal(t, 200, post(t, c, "https://127.0.0.1:"+itoa(int(r.port()))+"/").StatusCode)
		<-closed
	}
	requireHits(t, r, 100)
}

// net/http's own words for a connection whose end it saw before the request
// began: the client asks again, on a fresh connection at the latest.
func TestF41_EndSeenByTheTransportIsNoFailure(t *testing.T) {
	t.Parallel()
	var tried []bool
	transport := roundTripper(func(req *http.Request) (*http.Response, error) {
		body, err := io.ReadAll(req.Body)
		require.NoError(t, err)
		require.Equal(t, "{}", string(body), "the body is whole each time")
		reused := len(tried) < 3
		tried = append(tried, reused)
		traceOf(req).GotConn(gotConn(reused))
		if reused {
			return nil, errClosedIdle
		}
		return &http.Response{StatusCode: 204, Body: http.NoBody}, nil
	})
	c := newClient(t, local())
	c.pooled = transport
	got := c.Do(t.Context(), Request{URL: "http://127.0.0.1/", Body: []byte("{}")})
	require.Nil(t, got.Failure)
	require.Equal(t, []bool{true, true, true, false}, tried)
}

// A fresh connection that ends at once is a failure, and not tried again: the
// receiver could make us dial for ever.
func TestF41_FreshConnectionIsNotTriedAgain(t *testing.T) {
	t.Parallel()
	tries := 0
	c := newClient(t, local())
	c.pooled = roundTripper(func(req *http.Request) (*http.Response, error) {
		tries++
		traceOf(req).GotConn(gotConn(false))
		return nil, errClosedIdle
	})
	requireCode(t, CodeConnect, post(t, c, "http://127.0.0.1/"))
	require.Equal(t, 1, tries)
}

// Bytes that belong to no answer make a pooled connection useless: the answer
// to the next request would be the receiver's choice of yesterday.
func TestUnsolicitedAnswerIsNotTakenForTheNextOne(t *testing.T) {
	t.Parallel()
	sent := make(chan struct{})
	r := newReceiver(t, func(p *peer) {
		if p.request() {
			p.send(ok200)
			p.send("HTTP/1.1 204 No Content\r\n\r\n")
			sent <- struct{}{}
			p.hang()
		}
	})
	c := newClient(t, local())
	for range 20 {
		got := post(t, c, r.url("127.0.0.1"))
		require.Nil(t, got.Failure)
		require.Equal(t, 200, got.StatusCode)
		<-sent
	}
	requireHits(t, r, 20)
}

func TestSpokenLooksAtSocketsOnly(t *testing.T) {
	t.Parallel()
	one, other := net.Pipe()
	defer func() { _, _ = one.Close(), other.Close() }()
	require.False(t, spoken(one))
	require.False(t, spoken(newPatientConn(one)))
}
