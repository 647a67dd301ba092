package egress

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func itoa(n int) string { return strconv.Itoa(n) }

// attempt makes one attempt that is expected to end on its timeout. The slack
// is for a busy machine.
func attempt(t *testing.T, c *Client, url string, timeout time.Duration) Response {
	t.Helper()
	got := c.Do(t.Context(), Request{URL: url, Body: []byte("{}"), Timeout: timeout})
	require.GreaterOrEqual(t, got.Duration, timeout)
	require.Less(t, got.Duration, timeout+4*time.Second)
	return got
}

func requireHits(t *testing.T, r *receiver, want int) {
	t.Helper()
	_, hits := r.ledger()
	require.Equal(t, want, hits, "requests in the receiver's ledger")
}

func TestF22_ReceiverThatNeverAnswers(t *testing.T) {
	t.Parallel()
	c := newClient(t, local())
	for name, serve := range map[string]func(*peer){
		"after accept":  func(p *peer) { p.hang() },
		"after request": func(p *peer) { p.request(); p.hang() },
		"in its status": func(p *peer) { p.request(); p.send("HTTP/1.1 20"); p.hang() },
		"in its head":   func(p *peer) { p.request(); p.send("HTTP/1.1 200 OK\r\nX: y\r\n"); p.hang() },
	} {
		got := attempt(t, c, newReceiver(t, serve).url("127.0.0.1"), 150*time.Millisecond)
		requireCode(t, CodeTimeout, got)
		require.Zero(t, got.StatusCode, name)
	}
}

// What fails is not sent again behind our back.
func TestF23_ReceiverThatBreaksOff(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		serve func(*peer)
		hits  int
	}{
		"reset after accept":  {func(p *peer) { p.reset() }, 0},
		"close after accept":  {func(*peer) {}, 0},
		"reset after request": {func(p *peer) { p.request(); p.reset() }, 1},
		"close after request": {func(p *peer) { p.request() }, 1},
		"reset in the head":   {func(p *peer) { p.request(); p.send("HTTP/1.1 200 OK\r\nX: y\r\n"); p.reset() }, 1},
		"close in the head":   {func(p *peer) { p.request(); p.send("HTTP/1.1 200 OK\r\nX: y\r\n") }, 1},
	} {
		r := newReceiver(t, c.serve)
		got := post(t, newClient(t, local()), r.url("127.0.0.1"))
		requireCode(t, CodeConnect, got)
		connections, hits := r.ledger()
		require.Equal(t, 1, connections, name)
		require.Equal(t, c.hits, hits, name)
	}
}

func TestRefusedConnection(t *testing.T) {
	t.Parallel()
	r := newReceiver(t, func(*peer) {})
	_ = r.listener.Close()
	got := post(t, newClient(t, local()), r.url("127.0.0.1"))
	requireCode(t, CodeConnect, got)
	require.Equal(t, "the connection was refused", got.Failure.Message)
}

// The second request on a connection is read and never answered. A POST
// must fail, not be sent again; a GET, which net/http repeats without a word,
// must not meet a pooled connection at all.
func TestF23_DeadKeepAliveIsOneHitPerAttempt(t *testing.T) {
	t.Parallel()
	dies := func(p *peer) {
		if p.request() {
			p.send(ok200)
		}
		p.request()
	}
	c := newClient(t, local())
	posts := newReceiver(t, dies)
	require.Equal(t, 200, post(t, c, posts.url("127.0.0.1")).StatusCode)
	requireCode(t, CodeConnect, post(t, c, posts.url("127.0.0.1")))
	requireHits(t, posts, 2)

	gets := newReceiver(t, dies)
	for range 2 {
		require.Equal(t, 200, c.Do(t.Context(), Request{Method: http.MethodGet, URL: gets.url("127.0.0.1")}).StatusCode)
	}
	requireHits(t, gets, 2)
}

// The status decides.
func TestF24_TruncatedBodyIsJudgedByItsStatus(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*peer){"close": func(*peer) {}, "reset": func(p *peer) { p.reset() }} {
		for _, head := range []string{"Content-Length: 100\r\n\r\npart", "Transfer-Encoding: chunked\r\n\r\n4\r\npart\r\n", "Transfer-Encoding: chunked\r\n\r\nzz\r\n"} {
			r := newReceiver(t, func(p *peer) { p.request(); p.send("HTTP/1.1 200 OK\r\n" + head); end(p) })
			got := post(t, newClient(t, local()), r.url("127.0.0.1"))
			if name == "reset" && got.Failure != nil { // the RST may overtake the head
				requireCode(t, CodeConnect, got)
				continue
			}
			require.Nil(t, got.Failure, name)
			require.Equal(t, 200, got.StatusCode)
			require.True(t, got.Truncated)
			requireHits(t, r, 1)
		}
	}
}

// A body that drips or hangs ends with the attempt; the status stands.
func TestF25_SlowBodyEndsAtTheTimeout(t *testing.T) {
	t.Parallel()
	drip := func(p *peer) {
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for p.send("1\r\nx\r\n") {
			<-tick.C
		}
	}
	for name, serve := range map[string]func(*peer){
		"drips": func(p *peer) { p.request(); p.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"); drip(p) },
		"hangs": func(p *peer) { p.request(); p.send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx"); p.hang() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := attempt(t, newClient(t, local()), newReceiver(t, serve).url("127.0.0.1"), time.Second)
			require.Nil(t, got.Failure)
			require.Equal(t, 200, got.StatusCode)
			require.True(t, got.Truncated)
			require.True(t, strings.HasPrefix(string(got.Body), "x"))
		})
	}
}

// At most 64 KiB are kept and little more is read.
func TestF26_EndlessBodyIsCut(t *testing.T) {
	t.Parallel()
	var written atomic.Int64
	done := make(chan struct{})
	r := newReceiver(t, func(p *peer) {
		defer close(done)
		p.request()
		p.send("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
		written.Store(p.flood(strings.Repeat("x", 32<<10)))
	})
	got := post(t, newClient(t, local()), r.url("127.0.0.1"))
	require.Nil(t, got.Failure)
	require.Len(t, got.Body, maxBody)
	require.True(t, got.Truncated)
	<-done
	require.Less(t, written.Load(), int64(32<<20), "the rest fits into socket buffers")
}

func TestBodyOfExactlyTheLimitIsWhole(t *testing.T) {
	t.Parallel()
	for size, truncated := range map[int]bool{maxBody - 1: false, maxBody: false, maxBody + 1: true} {
		r := newReceiver(t, answer("HTTP/1.1 200 OK\r\nContent-Length: "+itoa(size)+"\r\n\r\n"+strings.Repeat("x", size)))
		got := post(t, newClient(t, local()), r.url("127.0.0.1"))
		require.Len(t, got.Body, min(size, maxBody))
		require.Equal(t, truncated, got.Truncated, size)
	}
}

// Nothing is decompressed: each byte on the wire could become a thousand in memory.
func TestF27_GzipBombIsNotInflated(t *testing.T) {
	t.Parallel()
	var bomb bytes.Buffer
	z := gzip.NewWriter(&bomb)
	_, err := io.CopyN(z, zeros{}, 16<<20)
	require.NoError(t, err)
	require.NoError(t, z.Close())
	r := newReceiver(t, answer("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: "+itoa(bomb.Len())+"\r\n\r\n"+bomb.String()))
	got := post(t, newClient(t, local()), r.url("127.0.0.1"))
	require.Equal(t, bomb.Bytes(), got.Body, "the bytes as sent")
	require.Equal(t, "gzip", got.Headers.Get("Content-Encoding"))
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

// Bounded in bytes, so bounded in time.
func TestF28_F29_EndlessHeadsAreAborted(t *testing.T) {
	t.Parallel()
	for name, part := range map[string]string{
		"1xx":          "HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n",
		"100":          "HTTP/1.1 100 Continue\r\n\r\n",
		"many headers": "X-A: " + strings.Repeat("y", 50) + "\r\n",
		"one header":   strings.Repeat("y", 1000),
	} {
		r := newReceiver(t, func(p *peer) {
			p.request()
			if strings.HasSuffix(name, "header") || strings.HasSuffix(name, "headers") {
				p.send("HTTP/1.1 200 OK\r\nX: ")
			}
			p.flood(strings.Repeat(part, 20))
		})
		got := post(t, newClient(t, local()), r.url("127.0.0.1"))
		requireCode(t, CodeResponse, got)
		requireHits(t, r, 1)
	}
}

func TestHeadLimit(t *testing.T) {
	t.Parallel()
	for size, code := range map[int]Code{60 << 10: "", 80 << 10: CodeResponse} {
		r := newReceiver(t, answer("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX: "+strings.Repeat("y", size)+"\r\n\r\n"))
		got := post(t, newClient(t, local()), r.url("127.0.0.1"))
		if code == "" {
			require.Nil(t, got.Failure)
			require.Len(t, got.Headers.Get("X"), size)
			continue
		}
		requireCode(t, code, got)
		require.Contains(t, got.Failure.Message, "64 KiB")
	}
}

func TestFewInformationalResponsesAreSkipped(t *testing.T) {
	t.Parallel()
	r := newReceiver(t, answer("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n"+ok200))
	require.Equal(t, 200, post(t, newClient(t, local()), r.url("127.0.0.1")).StatusCode)
}

// A trailer is never kept, a huge one only truncates the body.
func TestF28_HugeTrailer(t *testing.T) {
	t.Parallel()
	r := newReceiver(t, func(p *peer) {
		p.request()
		p.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-T\r\n\r\n2\r\nok\r\n0\r\nX-T: ")
		p.flood(strings.Repeat("t", 32<<10))
	})
	got := post(t, newClient(t, local()), r.url("127.0.0.1"))
	require.Equal(t, 200, got.StatusCode)
	require.Equal(t, "ok", string(got.Body))
	require.True(t, got.Truncated)
}

func TestF30_SwitchingProtocolsFails(t *testing.T) {
	t.Parallel()
	ended := make(chan struct{})
	r := newReceiver(t, func(p *peer) {
		defer close(ended)
		p.request()
		p.send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
		p.hang()
	})
	got := post(t, newClient(t, local()), r.url("127.0.0.1"))
	requireCode(t, CodeResponse, got)
	require.Equal(t, 101, got.StatusCode)
	<-ended // our side has closed the connection
}

func TestF34_AnswersThatAreNotHTTP(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"HTTP/1.1 2000 OK\r\n\r\n", "HTTP/1.1 abc OK\r\n\r\n", "HTTP/9 200 OK\r\n\r\n", "HTTP/1.1 099 x\r\n\r\n", "HTTP/1.1 -20 x\r\n\r\n",
		"220 smtp.example.com ESMTP\r\n\r\n", "SSH-2.0-OpenSSH_9.6\r\n\r\n", "-ERR unknown command 'POST'\r\n\r\n", "\r\n\r\n", "\x15\x03\x01\x00\x02\x02\x46\r\n\r\n",
		"HTTP/1.1 200 OK\r\nno colon\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
	} {
		r := newReceiver(t, answer(text))
		requireCode(t, CodeResponse, post(t, newClient(t, local()), r.url("127.0.0.1")))
		requireHits(t, r, 1)
	}
}

// The receiver answers after the head and closes on a body it never reads.
func TestF42_EarlyAnswerWinsOverTheWriteError(t *testing.T) {
	t.Parallel()
	body := make([]byte, 16<<20) // more than socket buffers hold
	for name, end := range map[string]func(*peer){"close": func(*peer) {}, "linger": func(p *peer) { p.hang() }} {
		r := newReceiver(t, func(p *peer) {
			p.head()
			p.send("HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nbig")
			end(p)
		})
		c := newClient(t, local())
		for range 50 {
			got := c.Do(t.Context(), Request{URL: r.url("127.0.0.1"), Body: body, Timeout: 5 * time.Second})
			require.Nil(t, got.Failure, name)
			require.Equal(t, 413, got.StatusCode)
		}
		requireHits(t, r, 50)
	}
}

// API10: what a receiver says is shown in a terminal and stored as text. ASCII
// controls are refused by net/http already.
func TestResponseHeadersAreCleaned(t *testing.T) {
	t.Parallel()
	r := newReceiver(t, answer("HTTP/1.1 200 OK\r\nx-bad: a\u009b31mb\xffc\tü\r\nContent-Length: 0\r\n\r\n"))
	got := post(t, newClient(t, local()), r.url("127.0.0.1"))
	require.Nil(t, got.Failure)
	require.Equal(t, "a\ufffd31mb\ufffdc\tü", got.Headers.Get("X-Bad"))
}
