package egress

import (
	"bytes"
	"compress/gzip"
	"io"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// maxMemory is what an attempt may cost, in bytes, whatever the receiver does.
const maxMemory = 1 << 20

// All that an attempt allocates in its whole life, garbage and the receiver's share included, stays under 1 MiB; so
// does what it holds at any moment. Not parallel: the counters are the process's.
func TestF22_F25_F26_F27_F28_F29_AttemptsAreBoundedInMemory(t *testing.T) { //nolint:paralleltest // see above
	x, header := bytes.Repeat([]byte("x"), 1<<20), bytes.Repeat([]byte("X: y\r\n"), 100_000)
	early := bytes.Repeat([]byte("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"), 1000)
	var bomb bytes.Buffer
	z := gzip.NewWriter(&bomb)
	_, err := io.CopyN(z, zeros{}, 100<<20)
	require.NoError(t, err)
	require.NoError(t, z.Close())
	for name, serve := range map[string]func(*peer){
		"F22 hang":    func(p *peer) { p.request(); p.hang() },
		"F25 drip":    func(p *peer) { p.request(); p.send("HTTP/1.1 200 OK\r\n\r\n"); writes(p, x[:60_000], 1); p.hang() },
		"F26 10 MB":   func(p *peer) { p.request(); p.send("HTTP/1.1 200 OK\r\n\r\n"); writes(p, x, 10) },
		"F26 endless": func(p *peer) { p.request(); p.send("HTTP/1.1 200 OK\r\n\r\n"); writes(p, x, 1<<20) },
		"F27 bomb": func(p *peer) {
			p.request()
			p.send("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n")
			writes(p, bomb.Bytes(), 1)
		},
		"F28 1 MB header":     func(p *peer) { p.request(); p.send("HTTP/1.1 200 OK\r\nX: "); writes(p, x, 1<<20) },
		"F28 100,000 headers": func(p *peer) { p.request(); p.send("HTTP/1.1 200 OK\r\n"); writes(p, header, 1<<20) },
		"F28 endless trailer": func(p *peer) {
			p.request()
			p.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: ")
			writes(p, x, 1<<20)
		},
		"F29 endless 103": func(p *peer) { p.request(); writes(p, early, 1<<20) },
	} {
		r, c := newReceiver(t, serve), newClient(t, local())
		each, rest := allocated(t, c, r.url("127.0.0.1"))
		t.Logf("%s: %d KiB an attempt in all, %d KiB still held by each of %d", name, each>>10, rest>>10, inFlight)
		require.Less(t, each, int64(maxMemory), name)
		require.Less(t, rest, int64(maxMemory)/10, name)
	}
}

// writes sends the bytes so many times, or until the client has had enough, and allocates nothing.
func writes(p *peer, b []byte, times int) {
	for range times {
		if _, err := p.Write(b); err != nil {
			return
		}
	}
}

// inFlight is how many attempts are under way together.
const inFlight = 50

// allocated is what an attempt allocates, and what is left of it when it has ended, in bytes.
func allocated(t *testing.T, c *Client, url string) (each, rest int64) {
	t.Helper()
	body := make([]byte, 1024)
	var before, after, later runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	var all sync.WaitGroup
	for range inFlight {
		all.Go(func() {
			got := c.Do(t.Context(), Request{URL: url, Body: body, Timeout: 300 * time.Millisecond})
			if len(got.Body) > maxBody {
				t.Errorf("a body of %d bytes", len(got.Body))
			}
		})
	}
	all.Wait()
	runtime.ReadMemStats(&after)
	runtime.GC()
	runtime.ReadMemStats(&later)
	return int64(after.TotalAlloc-before.TotalAlloc) / inFlight, (int64(later.HeapAlloc) - int64(before.HeapAlloc)) / inFlight
}
