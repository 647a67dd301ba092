package egress

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// record answers 200 and hands over the bytes of the request.
func record(t *testing.T) (*receiver, <-chan string) {
	t.Helper()
	seen := make(chan string, 1)
	r := newReceiver(t, func(p *peer) {
		var raw bytes.Buffer
		p.in.Reset(io.TeeReader(p.Conn, &raw))
		if p.request() {
			seen <- raw.String()
			p.send(ok200)
		}
	})
	return r, seen
}

func TestRequestGoesOutAsWritten(t *testing.T) {
	t.Parallel()
	r, seen := record(t)
	c := newClient(t, local())
	got := c.Do(t.Context(), Request{
		URL: r.url("127.0.0.1") + "/A%2fb?x=%41&y=+", Body: []byte(`{"a": 100.50}`), Timeout: 5 * time.Second,
		Headers: []Header{
			{"BridgeApi-Signature", "v1=AB"},
			{"webhook-id", "msg_1"},
			{"Content-Type", "application/json"},
			{"user-agent", "Posthorn/1.2"},
			{"X-Many", "1"},
			{"X-Many", "2"},
			{"aUTHORIZATION", "Bearer x"},
		},
	})
	require.Nil(t, got.Failure)
	require.Equal(t, 200, got.StatusCode)
	require.Equal(t, "ok", string(got.Body))
	require.False(t, got.Truncated)
	require.Positive(t, got.Duration)

	raw := <-seen
	require.True(t, strings.HasPrefix(raw, "POST /hook/A%2fb?x=%41&y=+ HTTP/1.1\r\n"), raw)
	for _, line := range []string{
		"BridgeApi-Signature: v1=AB", "webhook-id: msg_1", "Content-Type: application/json", "User-Agent: Posthorn/1.2",
		"X-Many: 1\r\nX-Many: 2", "aUTHORIZATION: Bearer x", "Content-Length: 13",
	} {
		require.Contains(t, raw, "\r\n"+line+"\r\n")
	}
	require.True(t, strings.HasSuffix(raw, "\r\n\r\n{\"a\": 100.50}"), raw)
	require.Equal(t, 1, strings.Count(strings.ToLower(raw), "user-agent"))
	for _, absent := range []string{"accept-encoding", "idempotency", "transfer-encoding", "referer", "cookie"} {
		require.NotContains(t, strings.ToLower(raw), absent)
	}
}

func TestEmptyPostAndGet(t *testing.T) {
	t.Parallel()
	r, seen := record(t)
	c := newClient(t, local())
	require.Equal(t, 200, c.Do(t.Context(), Request{URL: r.url("127.0.0.1")}).StatusCode)
	raw := <-seen
	require.Contains(t, raw, "Content-Length: 0\r\n")
	require.Contains(t, raw, "User-Agent: Posthorn\r\n")

	require.Equal(t, 200, c.Do(t.Context(), Request{Method: http.MethodGet, URL: r.url("127.0.0.1")}).StatusCode)
	require.True(t, strings.HasPrefix(<-seen, "GET /hook HTTP/1.1\r\n"))
}

func TestDoRefusesWhatMustNotBeSent(t *testing.T) {
	t.Parallel()
	r, _ := record(t)
	c := newClient(t, local())
	for _, h := range []Header{
		{"Idempotency-Key", "x"},
		{"x-idempotency-key", "x"},
		{"host", "evil"},
		{"Transfer-Encoding", "chunked"},
		{"content-length", "1"},
		{"Connection", "close"},
		{"Accept-Encoding", "gzip"},
		{"Expect", "100-continue"},
		{"X", "a\r\nY: b"},
		{"X", "a\x00"},
		{"a b", "x"},
		{"", "x"},
	} {
		requireCode(t, CodeConnect, c.Do(t.Context(), Request{URL: r.url("127.0.0.1"), Headers: []Header{h}}))
	}
	for _, method := range []string{"PUT", "CONNECT", "post", "G ET"} {
		requireCode(t, CodeConnect, c.Do(t.Context(), Request{Method: method, URL: r.url("127.0.0.1")}))
	}
	connections, _ := r.ledger()
	require.Zero(t, connections)
}

// What CheckURL refuses, Do refuses too, without a connection.
func TestF40_DoJudgesTheURLAgain(t *testing.T) {
	t.Parallel()
	r := newReceiver(t, answer(ok200))
	strict := newClient(t, Config{AllowHTTP: true, Resolver: names{"inside.test.": {"127.0.0.1"}}, Ports: []uint16{r.port()}})
	for _, host := range []string{"127.0.0.1", "localhost", "①②⑦.⓪.⓪.①", "127.1", "::1", "::ffff:127.0.0.1", "inside.test", "0.1.2.3"} {
		got := post(t, strict, r.url(host))
		requireCode(t, CodeBlockedURL, got)
		require.NotContains(t, got.Failure.Message, "127.", host)
	}
	httpsOnly := newClient(t, Config{AllowCIDRs: LoopbackCIDRs()})
	requireCode(t, CodeBlockedURL, post(t, httpsOnly, r.url("127.0.0.1")))
	connections, _ := r.ledger()
	require.Zero(t, connections)
}

// Every status is returned for the caller to judge, one hit each.
func TestF33_F34_StatusesAreReturnedAsTheyCame(t *testing.T) {
	t.Parallel()
	for _, status := range []string{"200", "201", "204", "205", "206", "299", "300", "304", "400", "401", "404", "410", "429", "500", "504", "999"} {
		r := newReceiver(t, answer("HTTP/1.1 "+status+" Anything\r\nContent-Length: 0\r\nRetry-After: 120\r\nConnection: close\r\n\r\n"))
		got := post(t, newClient(t, local()), r.url("127.0.0.1"))
		require.Nil(t, got.Failure, status)
		require.Equal(t, status, itoa(got.StatusCode))
		require.Equal(t, "120", got.Headers.Get("Retry-After"))
	}
}

func TestF32_RedirectsAreNotFollowed(t *testing.T) {
	t.Parallel()
	for _, status := range []string{"301", "302", "303", "307", "308"} {
		r := newReceiver(t, func(p *peer) {
			answer("HTTP/1.1 " + status + " x\r\nLocation: " + p.r.url("127.0.0.1") + "\r\nContent-Length: 0\r\n\r\n")(p)
		})
		got := post(t, newClient(t, local()), r.url("127.0.0.1"))
		require.Nil(t, got.Failure)
		require.Equal(t, status, itoa(got.StatusCode))
		connections, hits := r.ledger()
		require.Equal(t, []int{1, 1}, []int{connections, hits})
	}
}

func TestCallerInterrupts(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	r := newReceiver(t, func(p *peer) { p.head(); cancel(); p.hang() })
	requireCode(t, CodeInterrupted, newClient(t, local()).Do(ctx, Request{URL: r.url("127.0.0.1")}))

	ctx, cancel = context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	hung := newReceiver(t, func(p *peer) { p.hang() })
	requireCode(t, CodeTimeout, newClient(t, local()).Do(ctx, Request{URL: hung.url("127.0.0.1")}))
}

func TestConnectionsArePooled(t *testing.T) {
	t.Parallel()
	r := newReceiver(t, func(p *peer) {
		for p.request() {
			p.send(ok200)
		}
	})
	c := newClient(t, local())
	for range 50 {
		require.Equal(t, 200, post(t, c, r.url("127.0.0.1")).StatusCode)
	}
	connections, hits := r.ledger()
	require.Equal(t, []int{1, 50}, []int{connections, hits})
}

func TestDurationUsesTheClock(t *testing.T) {
	t.Parallel()
	r := newReceiver(t, answer(ok200))
	now := time.Unix(0, 0)
	config := local()
	config.Now = func() time.Time { now = now.Add(7 * time.Second); return now }
	require.Equal(t, 7*time.Second, post(t, newClient(t, config), r.url("127.0.0.1")).Duration)
}

func BenchmarkDo(b *testing.B) {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer server.Close()
	c, err := New(local())
	require.NoError(b, err)
	defer c.Close()
	r := Request{URL: server.URL, Body: make([]byte, 1024), Headers: []Header{{"webhook-id", "x"}, {"Content-Type", "application/json"}}}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if got := c.Do(b.Context(), r); got.StatusCode != 200 {
				b.Fatal(got.Failure)
			}
		}
	})
}
