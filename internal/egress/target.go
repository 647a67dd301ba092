package egress

import (
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"
)

// maxURL is the longest URL accepted, in bytes.
const maxURL = 2048

// policy turns the text of a URL into a target, or says what is wrong with it.
type policy struct {
	guard        *guard
	idna         *idna.Profile
	http         bool
	httpLoopback bool
}

func newPolicy(c Config) *policy {
	return &policy{guard: newGuard(c), idna: newIDNA(), http: c.AllowHTTP, httpLoopback: c.AllowHTTPLoopback}
}

// parse accepts a URL whose text leaves no doubt about where it leads. The
// returned URL has the host normalised and the default port dropped; path and
// query are as given, byte for byte, wherever RFC 3986 allows the bytes.
func (p *policy) parse(raw string) (*url.URL, error) {
	u, err := splitURL(raw)
	if err != nil {
		return nil, err
	}
	h, port, err := p.authority(u)
	if err != nil {
		return nil, err
	}
	if u.Scheme == "http" && !p.http && !(p.httpLoopback && h.loopback()) {
		return nil, &URLError{Reason: "must start with https://"}
	}
	if err := p.judge(h, port); err != nil {
		return nil, err
	}
	u.Host = h.urlHost(u.Scheme, port)
	u.RawQuery = escapeNonASCII(u.RawQuery)
	return u, nil
}

func splitURL(raw string) (*url.URL, error) {
	if err := checkText(raw); err != nil {
		return nil, err
	}
	u, err := url.Parse(raw)
	switch {
	case err != nil: // its text quotes the URL, which may hold a password
		return nil, &URLError{Reason: "is not a valid URL"}
	case u.Scheme != "https" && u.Scheme != "http":
		return nil, &URLError{Reason: "must be absolute and start with https://"}
	case u.Opaque != "" || u.Host == "":
		return nil, &URLError{Reason: "must have a host"}
	case u.User != nil:
		return nil, &URLError{Reason: "must not contain a user name or password"}
	}
	return u, nil
}

// checkText refuses what parsers read differently: controls, blanks and
// backslashes. A fragment is refused because it never reaches the receiver.
func checkText(raw string) error {
	switch {
	case raw == "":
		return &URLError{Reason: "must not be empty"}
	case len(raw) > maxURL:
		return &URLError{Reason: "must not be longer than 2048 bytes"}
	case !utf8.ValidString(raw):
		return &URLError{Reason: "must be valid UTF-8"}
	case strings.ContainsFunc(raw, func(r rune) bool { return unicode.IsControl(r) || unicode.IsSpace(r) }):
		return &URLError{Reason: "must not contain blanks or control characters"}
	case strings.Contains(raw, `\`):
		return &URLError{Reason: "must not contain a backslash"}
	case strings.Contains(raw, "#"):
		return &URLError{Reason: "must not have a fragment (#)"}
	}
	return nil
}

func (p *policy) authority(u *url.URL) (host, uint16, error) {
	port, err := parsePort(u)
	if err != nil {
		return host{}, 0, err
	}
	var h host
	if strings.HasPrefix(u.Host, "[") {
		bracketed := u.Host[:strings.LastIndexByte(u.Host, ']')+1]
		h, err = parseBracketed(bracketed)
	} else {
		h, err = parseHost(u.Hostname(), p.idna)
	}
	return h, port, err
}

func parsePort(u *url.URL) (uint16, error) {
	text := u.Port()
	if text == "" {
		return defaultPort(u.Scheme), nil
	}
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil || n == 0 {
		return 0, &URLError{Reason: "has a port that is not between 1 and 65535"}
	}
	return uint16(n), nil
}

func defaultPort(scheme string) uint16 {
	if scheme == "http" {
		return 80
	}
	return 443
}

// judge applies the guard to whatever is known without a lookup.
func (p *policy) judge(h host, port uint16) error {
	switch {
	case h.addr.IsValid():
		return p.guard.addrPort(netip.AddrPortFrom(h.addr, port))
	case isLocalhost(h.name):
		_, err := p.guard.localhost(port)
		return err
	}
	return p.guard.namePort(port)
}

// loopback: "localhost" itself or a loopback literal, which is what AllowHTTPLoopback is for.
func (h host) loopback() bool {
	return h.name == "localhost" || h.addr.IsValid() && !h.addr.Is4In6() && h.addr.IsLoopback()
}

func (h host) urlHost(scheme string, port uint16) string {
	name := h.name
	if h.addr.Is6() {
		name = "[" + name + "]"
	}
	if port == defaultPort(scheme) {
		return name
	}
	return net.JoinHostPort(h.name, strconv.Itoa(int(port)))
}

// escapeNonASCII percent-encodes the bytes that RFC 3986 keeps out of a query;
// net/http does this for the path only.
func escapeNonASCII(s string) string {
	if isASCII(s) {
		return s
	}
	var b strings.Builder
	for i := range len(s) {
		if s[i] < 0x80 {
			b.WriteByte(s[i])
			continue
		}
		b.WriteByte('%')
		b.WriteByte("0123456789ABCDEF"[s[i]>>4])
		b.WriteByte("0123456789ABCDEF"[s[i]&15])
	}
	return b.String()
}
