package egress

import (
	"bufio"
	"bytes"
	"net/http"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// FuzzCheckURL: an accepted URL survives its own normal form, and what net/http
// would put on the wire leads where the guard was asked about.
func FuzzCheckURL(f *testing.F) {
	for _, seed := range []string{
		"https://example.com/hook?a=1", "https://EXAMPLE.com.:443/%41", "http://①②⑦.⓪.⓪.①/", "https://[::ffff:127.0.0.1]/", "https://0x7f.1/",
		"https://[fe80::1%25eth0]:80/", "https://u:p@h/", "https://bücher.example/ü?ü", "https://xn--bcher-kva.example", "https://a_b.c-d.e:8443//x",
	} {
		f.Add(seed)
	}
	p := newPolicy(Config{AllowHTTP: true}.withDefaults())
	f.Fuzz(func(t *testing.T, raw string) {
		u, err := p.parse(raw)
		if err != nil {
			return
		}
		again, err := p.parse(u.String())
		if err != nil || again.String() != u.String() {
			t.Fatalf("%q → %q → %v, %v", raw, u, again, err)
		}
		if a, err := netip.ParseAddr(u.Hostname()); err == nil && p.guard.addr(a) != nil {
			t.Fatalf("%q leads to %s", raw, a)
		}
		requireWire(t, &http.Request{Method: http.MethodPost, URL: u, Host: u.Host, Header: http.Header{}}, u.Host, u.RequestURI())
	})
}

// FuzzCheckHeader: an accepted header arrives as the one line that it is.
func FuzzCheckHeader(f *testing.F) {
	for _, seed := range [][2]string{{"Authorization", "Bearer x"}, {"x-key", "a\tb"}, {"X", "a\r\nHost: b"}, {"host", "x"}, {"Ü", "x"}, {"a b", ""}} {
		f.Add(seed[0], seed[1])
	}
	u := mustURL("https://example.com/hook")
	f.Fuzz(func(t *testing.T, name, value string) {
		if CheckHeader(name, value) != nil {
			return
		}
		if err := sendable(Header{name, value}); err != nil {
			t.Fatal("CheckHeader accepts what Do refuses:", err)
		}
		out := requireWire(t, &http.Request{Method: http.MethodPost, URL: u, Host: u.Host, Header: http.Header{name: {value}}}, u.Host, "/hook")
		delete(out, "User-Agent")
		if got := out[http.CanonicalHeaderKey(name)]; len(out) != 1 || len(got) != 1 || got[0] != value {
			t.Fatalf("%q: %q arrives as %q", name, value, out)
		}
	})
}

// requireWire writes the request and reads it back as a receiver would.
func requireWire(t *testing.T, req *http.Request, host, uri string) http.Header {
	t.Helper()
	var wire bytes.Buffer
	if err := req.Write(&wire); err != nil {
		t.Fatal(err)
	}
	in := bufio.NewReader(&wire)
	got, err := http.ReadRequest(in)
	if err != nil {
		t.Fatal(err)
	}
	if got.Host != host || got.RequestURI != uri {
		t.Fatalf("host %q uri %q arrive as %q and %q", host, uri, got.Host, got.RequestURI)
	}
	if _, err := in.ReadByte(); err == nil {
		t.Fatal("bytes after the request")
	}
	delete(got.Header, "Content-Length")
	return got.Header
}

// FuzzControl: whatever text the socket's address is written in, what passes is a plain address outside the table, on
// an allowed port.
func FuzzControl(f *testing.F) {
	for _, seed := range []string{
		"1.1.1.1:443", "127.0.0.1:443", "[::1]:443", "[::ffff:1.1.1.1]:443", "[2606:4700::1%eth0]:443", "[64:ff9b::808:808]:80", "1.1.1.1:0443",
		"01.1.1.1:80", "1.1.1.1:65979", "[2606:4700::1]:80", "2130706433:80", "localhost:80", "1.1.1.1:22",
	} {
		f.Add("tcp4", seed)
		f.Add("tcp6", seed)
	}
	g, table := newGuard(Config{}), forbidden()
	f.Fuzz(func(t *testing.T, network, address string) {
		if g.control(t.Context(), network, address, nil) != nil {
			return
		}
		ap, err := netip.ParseAddrPort(address)
		if err != nil || network != "tcp4" && network != "tcp6" {
			t.Fatalf("%s %q passes", network, address)
		}
		if inAny(ap.Addr(), table) || ap.Addr().Zone() != "" || ap.Port() != 80 && ap.Port() != 443 {
			t.Fatalf("%s passes", ap)
		}
	})
}

// FuzzResponseHead: what a receiver says in its head ends up as names and values that can be stored and shown.
func FuzzResponseHead(f *testing.F) {
	for _, seed := range []string{
		"HTTP/1.1 200 OK\r\nX-A: b\r\n\r\n", "HTTP/1.1 999 \x1b[31m\r\nX: \x9b31m\xff\x00\r\n\r\n", "HTTP/1.0 200\r\nX: a\r\n b\r\n\r\n",
		"HTTP/1.1 200 OK\r\nX Y: 1\r\n\r\n", "HTTP/1.1 200 OK\nSet-Cookie: ü\u202e\nset-cookie: 2\n\n", "HTTP/1.1 2000 OK\r\n\r\n",
	} {
		f.Add([]byte(seed))
	}
	u := mustURL("https://example.com/")
	f.Fuzz(func(t *testing.T, head []byte) {
		res, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(head)), &http.Request{Method: http.MethodPost, URL: u})
		if err != nil {
			return
		}
		_ = res.Body.Close()
		cleaned := cleanHeaders(res.Header)
		for name, values := range cleaned {
			for _, text := range append(values, name) {
				if !utf8.ValidString(text) || strings.ContainsFunc(text, func(r rune) bool { return r != '\t' && unicode.IsControl(r) }) {
					t.Fatalf("%q of %q cannot be shown", text, head)
				}
			}
		}
		if !reflect.DeepEqual(cleanHeaders(cleaned), cleaned) {
			t.Fatalf("%q is not clean at once", cleaned)
		}
	})
}
