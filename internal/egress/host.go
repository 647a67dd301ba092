package egress

import (
	"errors"
	"net/netip"
	"strings"

	"golang.org/x/net/idna"
)

// Lengths of RFC 1035 2.3.4, in the text form without the trailing dot.
const (
	maxName  = 253
	maxLabel = 63
)

// host is a URL's host in its one normal form: lower-case ASCII without a
// trailing dot, or an address.
type host struct {
	name string
	addr netip.Addr // valid when the host is an address literal
}

// newIDNA is the UTS 46 lookup profile without the STD3 rule, because names
// with an underscore exist; checkLabels narrows the characters again.
func newIDNA() *idna.Profile {
	return idna.New(idna.MapForLookup(), idna.BidiRule(), idna.StrictDomainName(false))
}

// parseBracketed reads "[…]": an IPv6 address without a zone (RFC 3986 3.2.2).
func parseBracketed(s string) (host, error) {
	inner := strings.TrimSuffix(strings.TrimPrefix(s, "["), "]")
	addr, err := netip.ParseAddr(inner)
	switch {
	case strings.Contains(inner, "%"):
		return host{}, &URLError{Reason: "must not have a zone id in its host"}
	case err != nil || !addr.Is6():
		return host{}, &URLError{Reason: "has brackets round something that is not an IPv6 address"}
	}
	return host{name: addr.String(), addr: addr}, nil
}

// parseHost normalises a name or IPv4 literal. It maps Unicode first and judges
// afterwards: "①②⑦.⓪.⓪.①" is 127.0.0.1 to net/http.
func parseHost(s string, profile *idna.Profile) (host, error) {
	ascii, err := toASCII(s, profile)
	if err != nil {
		return host{}, &URLError{Reason: "has a host that is not a valid domain name"}
	}
	ascii = strings.TrimSuffix(ascii, ".")
	if err := checkLabels(ascii); err != nil {
		return host{}, err
	}
	if !endsInNumber(ascii) {
		return host{name: ascii}, nil
	}
	addr, err := netip.ParseAddr(ascii) // refuses 127.1, 0177.0.0.1, 0x7f000001
	if err != nil || !addr.Is4() {
		return host{}, &URLError{Reason: "has a host that is neither a name nor a plain IP address"}
	}
	return host{name: ascii, addr: addr}, nil
}

func toASCII(s string, profile *idna.Profile) (string, error) {
	lower := strings.ToLower(s)
	if isASCII(lower) && !strings.Contains(lower, "xn--") {
		return lower, nil
	}
	mapped, err := profile.ToASCII(s)
	if err != nil {
		return "", err
	}
	// A second pass must change nothing: the first one does not look into what
	// it has encoded itself, such as a byte that was not UTF-8.
	again, err := profile.ToASCII(mapped)
	if err == nil && again != mapped {
		err = errUnstable
	}
	return mapped, err
}

var errUnstable = errors.New("host has no stable ASCII form")

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

func checkLabels(name string) error {
	if name == "" || len(name) > maxName {
		return &URLError{Reason: "has a host that is empty or longer than 253 characters"}
	}
	for label := range strings.SplitSeq(name, ".") {
		if !validLabel(label) {
			return &URLError{Reason: "has a host that is not a valid domain name"}
		}
	}
	return nil
}

func validLabel(label string) bool {
	if label == "" || len(label) > maxLabel {
		return false
	}
	if label[0] == '-' || label[len(label)-1] == '-' {
		return false
	}
	for i := range len(label) {
		c := label[i]
		if !('a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '-' || c == '_') {
			return false
		}
	}
	return true
}

// endsInNumber is the WHATWG URL rule of that name: such a host is read as an
// IPv4 address by some resolvers, so it must be a plain one.
func endsInNumber(name string) bool {
	last := name[strings.LastIndexByte(name, '.')+1:]
	if digits, ok := strings.CutPrefix(last, "0x"); ok {
		return strings.Trim(digits, "0123456789abcdef") == ""
	}
	return strings.Trim(last, "0123456789") == ""
}

// isLocalhost is RFC 6761 6.3: these names mean loopback, whatever DNS says.
func isLocalhost(name string) bool {
	return name == "localhost" || strings.HasSuffix(name, ".localhost")
}
