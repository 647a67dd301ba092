package app_test

import (
	"bytes"
	"compress/gzip"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"io"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// hostile is a receiver that misbehaves, and what an attempt at it must come to.
type hostile struct {
	serve  func(*caller)
	secure *tls.Config
	// code is the attempt's error code, "" for a success; message is part of what the log says.
	code, message string
	// status is the attempt's status code; 0 = none came.
	status int
	// hits is how many requests each attempt is in the receiver's ledger.
	hits int
	// truncated is what the log says of the body, and body what it begins with.
	truncated bool
	body      string
	// within bounds the attempt; 0 = its timeout and a second.
	within time.Duration
	// big makes the payload 1 MiB.
	big bool
}

// hostileTimeout is an attempt's timeout; promptly is well before it, on a machine that others use, too: where there is
// nothing to wait for, an attempt takes milliseconds.
const hostileTimeout, promptly = 5 * time.Second, 4 * time.Second

const okHead = "HTTP/1.1 200 OK\r\n"

// secretPayload is what must not be on the wire in clear.
const secretPayload = "do-not-leak-0123456789"

func hangs() map[string]hostile {
	timeout := func(serve func(*caller), hits int) hostile {
		return hostile{serve: serve, code: "timeout", hits: hits}
	}
	return map[string]hostile{
		"F22 hangs after accept":   timeout(func(c *caller) { c.hang() }, 0),
		"F22 hangs after request":  timeout(func(c *caller) { c.request(); c.hang() }, 1),
		"F22 hangs in its status":  timeout(func(c *caller) { c.request(); c.send("HTTP/1.1 20"); c.hang() }, 1),
		"F22 hangs in its headers": timeout(func(c *caller) { c.request(); c.send(okHead + "X: y\r\n"); c.hang() }, 1),
		"F22 hangs and reads nothing": {
			serve: func(c *caller) { <-c.s.ended }, code: "timeout", big: true,
		},
		"F22 drips its headers": timeout(func(c *caller) { c.request(); c.send(okHead); c.drip("X: y\r\n") }, 1),
		"F25 drips its body": {
			serve: func(c *caller) {
				c.request()
				c.send(okHead + "Transfer-Encoding: chunked\r\n\r\n")
				c.drip("1\r\nx\r\n")
			},
			status: 200, hits: 1, truncated: true, body: "x",
		},
		"F25 drips a body of an announced length": {
			serve: func(c *caller) { c.request(); c.send("HTTP/1.1 503 X\r\nContent-Length: 1000000\r\n\r\n"); c.drip("x") },
			code:  "status", status: 503, hits: 1, truncated: true, body: "x",
		},
	}
}

// drip sends the text ten times a second.
func (c *caller) drip(text string) {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for c.send(text) {
		<-tick.C
	}
}

func breaks() map[string]hostile {
	connect := func(serve func(*caller), hits int) hostile {
		return hostile{serve: serve, code: "connect", hits: hits}
	}
	cut := func(rest string) hostile {
		return hostile{serve: answers(okHead, rest), status: 200, hits: 1, truncated: true, body: "part"}
	}
	return map[string]hostile{
		"F23 resets after accept":                connect(func(c *caller) { c.reset() }, 0),
		"F23 closes after accept":                connect(func(*caller) {}, 0),
		"F23 resets after request":               connect(func(c *caller) { c.request(); c.reset() }, 1),
		"F23 closes after request":               connect(func(c *caller) { c.request() }, 1),
		"F23 resets in its headers":              connect(func(c *caller) { c.request(); c.send(okHead + "X: y\r\n"); c.reset() }, 1),
		"F23 closes in its headers":              connect(answers(okHead, "X: y\r\n"), 1),
		"F24 cuts a body of an announced length": cut("Content-Length: 100\r\n\r\npart"),
		"F24 cuts a chunked body":                cut("Transfer-Encoding: chunked\r\n\r\n4\r\npart\r\n"),
		"F24 breaks the chunking":                cut("Transfer-Encoding: chunked\r\n\r\n4\r\npart\r\nzz\r\n"),
	}
}

func floods(t *testing.T) map[string]hostile {
	t.Helper()
	response := func(serve func(*caller)) hostile {
		return hostile{serve: serve, code: "response", hits: 1, within: promptly}
	}
	endless := func(first, then string) func(*caller) {
		return func(c *caller) { c.request(); c.send(first); c.flood(strings.Repeat(then, 1+32<<10/len(then))) }
	}
	x := strings.Repeat("x", 1<<20)
	bomb := gzipped(t, 64<<20)
	return map[string]hostile{
		"F26 sends 10 MB": {
			serve: answers(okHead, "Content-Length: 10485760\r\n\r\n", strings.Repeat(x, 10)), status: 200, hits: 1, truncated: true, body: "xxx",
		},
		"F26 sends 10 MB of failure": {
			serve: answers("HTTP/1.1 500 X\r\nConnection: close\r\n\r\n", strings.Repeat(x, 10)),
			code:  "status", status: 500, hits: 1, truncated: true, body: "xxx",
		},
		"F26 sends without end": {
			serve: endless(okHead+"Content-Length: 10737418240\r\n\r\n", "x"), status: 200, hits: 1, truncated: true, body: "xxx",
		},
		"F27 sends a bomb": {
			serve:  answers(okHead, fmt.Sprintf("Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n", len(bomb)), bomb),
			status: 200, hits: 1, truncated: len(bomb) > 64<<10, body: "\x1f",
		},
		"F28 sends 1 MB in one header":   response(answers(okHead, "X: ", x, "\r\n\r\n")),
		"F28 sends 100,000 headers":      response(answers(okHead, strings.Repeat("X: y\r\n", 100_000), "\r\n")),
		"F28 sends headers without end":  response(endless(okHead, "X: y\r\n")),
		"F28 sends a name without end":   response(endless(okHead, "x")),
		"F28 sends a status without end": response(endless("HTTP/1.1 200 ", "x")),
		"F28 sends a trailer without end": {
			serve:  endless(okHead+"Transfer-Encoding: chunked\r\nTrailer: X\r\n\r\n4\r\npart\r\n0\r\nX: ", "x"),
			status: 200, hits: 1, truncated: true, body: "part", within: promptly,
		},
		"F29 continues without end": response(endless("", "HTTP/1.1 100 Continue\r\n\r\n")),
		"F29 processes without end": response(endless("", "HTTP/1.1 102 Processing\r\n\r\n")),
		"F29 hints without end":     response(endless("", "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")),
		"F30 switches protocols": {
			serve: func(c *caller) {
				c.request()
				c.send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
				c.hang() // until our side closes
			},
			code: "response", status: 101, hits: 1, within: promptly,
		},
	}
}

// gzipped is n zeros, compressed.
func gzipped(t *testing.T, n int64) string {
	t.Helper()
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	_, err := io.CopyN(z, zeros{}, n)
	require.NoError(t, err)
	require.NoError(t, z.Close())
	return out.String()
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

func untrusted(t *testing.T) map[string]hostile {
	t.Helper()
	now, hour := time.Now(), time.Hour
	of := func(name string, from, to time.Time, oldest, newest uint16) *tls.Config {
		return &tls.Config{Certificates: []tls.Certificate{certificateOf(t, name, from, to)}, MinVersion: oldest, MaxVersion: newest}
	}
	refused := func(message string, secure *tls.Config) hostile {
		return hostile{secure: secure, serve: answers(okHead, "Content-Length: 0\r\n\r\n"), code: "tls", message: message}
	}
	here := "127.0.0.1"
	return map[string]hostile{
		"F31 is self-signed":   refused("not signed by a trusted authority", of(here, now.Add(-hour), now.Add(hour), 0, 0)),
		"F31 has expired":      refused("expired", of(here, now.Add(-2*hour), now.Add(-hour), 0, 0)),
		"F31 is not valid yet": refused("not valid yet", of(here, now.Add(hour), now.Add(2*hour), 0, 0)),
		"F31 has another name": refused("not valid for this host name", of("127.0.0.2", now.Add(-hour), now.Add(hour), 0, 0)),
		"F31 speaks TLS 1.0":   refused("handshake failed", of(here, now.Add(-hour), now.Add(hour), tls.VersionTLS10, tls.VersionTLS10)),
		"F31 speaks TLS 1.1":   refused("handshake failed", of(here, now.Add(-hour), now.Add(hour), tls.VersionTLS11, tls.VersionTLS11)),
		"F31 has no certificate": refused("handshake failed", &tls.Config{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			return nil, io.EOF
		}}),
	}
}

// certificateOf is a self-signed one for the address.
func certificateOf(t *testing.T, address string, from, to time.Time) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: address}, NotBefore: from, NotAfter: to,
		IPAddresses: []net.IP{net.ParseIP(address)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func statuses(elsewhere string) map[string]hostile {
	cases := map[string]hostile{}
	plain := func(code int, header string) func(*caller) {
		return answers(fmt.Sprintf("HTTP/1.1 %d X\r\n%sContent-Length: 0\r\nConnection: close\r\n\r\n", code, header))
	}
	for _, code := range []int{301, 302, 303, 307, 308} {
		for name, target := range map[string]string{"itself": "/hook", "another": elsewhere} {
			cases[fmt.Sprintf("F32 redirects to %s with %d", name, code)] = hostile{
				serve: plain(code, "Location: "+target+"\r\n"), code: "status", status: code, hits: 1,
			}
		}
	}
	for _, code := range []int{200, 201, 202, 204, 205, 206, 299} {
		cases[fmt.Sprintf("F33 answers %d", code)] = hostile{serve: plain(code, ""), status: code, hits: 1}
	}
	for _, code := range []int{300, 304, 400, 401, 403, 404, 500, 501, 502, 503, 504, 999} {
		cases[fmt.Sprintf("F34 answers %d", code)] = hostile{serve: plain(code, ""), code: "status", status: code, hits: 1}
	}
	for name, text := range map[string]string{
		"HTTP/1.1 2000": "HTTP/1.1 2000 OK\r\n\r\n", "SMTP": "220 mx.example.com ESMTP\r\n\r\n", "no status": "HTTP/1.1 \r\n\r\n",
		"two lengths": okHead + "Content-Length: 1\r\nContent-Length: 2\r\n\r\n", "nothing but blanks": "\r\n\r\n",
	} {
		cases["F34 answers "+name] = hostile{serve: answers(text), code: "response", hits: 1}
	}
	return cases
}

func hasty() map[string]hostile {
	early := func(code int, end func(*caller)) func(*caller) {
		return func(c *caller) {
			if c.head() != nil {
				c.send(fmt.Sprintf("HTTP/1.1 %d X\r\nContent-Length: 5\r\nConnection: close\r\n\r\nearly", code))
				end(c)
			}
		}
	}
	return map[string]hostile{
		"F42 accepts before it has read":            {serve: early(200, func(*caller) {}), status: 200, hits: 1, body: "early", big: true},
		"F42 refuses before it has read":            {serve: early(413, func(*caller) {}), code: "status", status: 413, hits: 1, body: "early", big: true},
		"F42 refuses before it has read, and waits": {serve: early(413, func(c *caller) { <-c.s.ended }), code: "status", status: 413, hits: 1, body: "early", big: true},
	}
}

// Every attempt at a hostile receiver ends in time, has the status and error code of its case, is one request, is
// retried, and leaves a bounded trace. Those that hang are under way together while the others have their turn.
func TestF22_F23_F24_F25_F26_F27_F28_F29_F30_F31_F32_F33_F34_F42_HostileReceivers(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		elsewhere := newTCPSink(t, func(*caller) {})
		app := w.application("standard",
			`{"timeout":"`+hostileTimeout.String()+`","retry":{"kind":"fixed","interval":"50ms","max_attempts":2}}`)
		patient := map[string]*encounter{}
		for name, h := range hangs() {
			patient[name] = w.meets(app, h)
		}
		for _, some := range []map[string]hostile{breaks(), floods(t), untrusted(t), statuses(elsewhere.url()), hasty()} {
			for name, h := range some {
				t.Run(name, func(t *testing.T) { w.at(t).ends(w.meets(app, h)) }) //nolint:paralleltest // as many as cores would run: slower
			}
		}
		for name, e := range patient {
			t.Run(name, func(t *testing.T) { w.at(t).ends(e) }) //nolint:paralleltest // as above
		}
		require.Zero(t, elsewhere.connections(), "a redirect was followed")
	})
}

// encounter is an event on its way to a hostile receiver.
type encounter struct {
	hostile

	receiver   *tcpSink
	invocation string
}

// meets publishes an event to the hostile receiver.
func (w *world) meets(app string, h hostile) *encounter {
	w.t.Helper()
	receiver := newTLSSink(w.t, h.secure, h.serve)
	eventType := "hostile." + strings.ReplaceAll(receiver.listener.Addr().String(), ":", ".")
	w.subscription(app, receiver.url(), object{"event_types": []string{eventType}})
	payload := `"` + secretPayload + `"`
	if h.big {
		payload = `"` + strings.Repeat("x", 1<<20-2) + `"`
	}
	_, ids := w.published(app, `{"type":"`+eventType+`","payload":`+payload+`}`)
	return &encounter{hostile: h, receiver: receiver, invocation: ids[0]}
}

// ends waits for the end of the delivery and judges what became of it.
func (w *world) ends(e *encounter) {
	w.t.Helper()
	attempts, end := 2, "failed"
	if e.code == "" {
		attempts, end = 1, "succeeded"
	}
	w.becomes(e.invocation, end)
	logs := w.logs(e.invocation)
	require.Len(w.t, logs, attempts)
	for _, entry := range logs {
		require.Equal(w.t, end, entry["outcome"])
		e.judges(w.t, entry)
	}
	require.Equal(w.t, attempts*e.hits, e.receiver.requests(), "requests in the receiver's ledger")
	require.Equal(w.t, attempts, e.receiver.connections(), "connections in the receiver's ledger")
	if e.secure != nil {
		require.NotContains(w.t, e.receiver.heard(), secretPayload)
		require.NotContains(w.t, e.receiver.heard(), "webhook-id")
	}
	for _, head := range e.receiver.heads {
		require.Empty(w.t, head.Get("Accept-Encoding"), "compression was asked for")
	}
}

func (h *hostile) judges(t *testing.T, entry object) {
	t.Helper()
	within := h.within
	if within == 0 {
		within = hostileTimeout + time.Second
	}
	require.Less(t, entry["duration_ms"], float64(within.Milliseconds()))
	if h.code == "timeout" {
		require.GreaterOrEqual(t, entry["duration_ms"], float64(hostileTimeout.Milliseconds()))
	}
	if h.code == "" {
		require.Nil(t, entry["error"])
	} else {
		fault := entry["error"].(map[string]any)
		require.Equal(t, h.code, fault["code"], fault["message"])
		require.Contains(t, fault["message"], h.message)
		require.NotContains(t, fault["message"], "127.0.0.1")
	}
	if h.status == 0 {
		require.Nil(t, entry["status_code"])
		return
	}
	require.EqualValues(t, h.status, entry["status_code"])
	response := entry["response"].(map[string]any)
	require.Equal(t, h.truncated, response["truncated"])
	require.LessOrEqual(t, len([]rune(response["body"].(string))), 64<<10)
	require.Truef(t, strings.HasPrefix(response["body"].(string), h.body), "%.20q", response["body"])
}
