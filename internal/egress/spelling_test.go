package egress

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/internal/testutil"
)

// texts are ways to write an IPv4 address that some resolver, browser or parser reads as that address.
func texts() []func(r *rand.Rand, a netip.Addr) string {
	number := func(a netip.Addr) uint32 {
		b := a.As4()
		return uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
	}
	parts := func(format string) func(*rand.Rand, netip.Addr) string {
		return func(_ *rand.Rand, a netip.Addr) string {
			b := a.As4()
			return fmt.Sprintf(format, b[0], b[1], b[2], b[3])
		}
	}
	bracketed := func(s spelling) func(*rand.Rand, netip.Addr) string {
		return func(r *rand.Rand, a netip.Addr) string {
			six := s.write(a)
			return "[" + []string{six.String(), six.StringExpanded(), strings.ToUpper(six.String())}[r.IntN(3)] + "]"
		}
	}
	all := []func(*rand.Rand, netip.Addr) string{
		parts("%d.%d.%d.%d"), parts("%d.%d.%d.%d."), parts("0%o.0%o.0%o.0%o"), parts("0x%x.0x%x.0x%x.0x%x"), parts("0X%X.%d.0%o.%d"),
		parts("%03d.%03d.%03d.%03d"), parts("[::ffff:%d.%d.%d.%d]"), parts("[::%d.%d.%d.%d]"), parts("[64:ff9b::%d.%d.%d.%d]"),
		parts("[::ffff:%d.%d.%d.%d%%25lo]"), parts("%d%%2e%d%%2e%d%%2e%d"), parts("%d。%d．%d｡%d"), parts("%d\u00ad.%d.%d.%d"),
		func(_ *rand.Rand, a netip.Addr) string { return strconv.FormatUint(uint64(number(a)), 10) },
		func(_ *rand.Rand, a netip.Addr) string { return fmt.Sprintf("0x%08x", number(a)) },
		func(_ *rand.Rand, a netip.Addr) string { return fmt.Sprintf("0%o", number(a)) },
		func(_ *rand.Rand, a netip.Addr) string {
			return fmt.Sprintf("%d.%d", number(a)>>24, number(a)&0xffffff)
		},
		func(_ *rand.Rand, a netip.Addr) string {
			return fmt.Sprintf("%d.%d.%d", number(a)>>24, number(a)>>16&0xff, number(a)&0xffff)
		},
		func(r *rand.Rand, a netip.Addr) string { return otherDigits(r, a.String()) },
	}
	for _, s := range spellings() {
		all = append(all, bracketed(s))
	}
	return all
}

// otherDigits writes some digits in other scripts that IDNA folds into ASCII.
func otherDigits(r *rand.Rand, s string) string {
	circled := []rune("⓪①②③④⑤⑥⑦⑧⑨")
	return strings.Map(func(c rune) rune {
		if c < '0' || c > '9' {
			return []rune{c, '。', '．'}[r.IntN(3)]
		}
		return []rune{c, '０' + c - '0', '𝟎' + c - '0', circled[c-'0'], '𝟘' + c - '0'}[r.IntN(5)]
	}, s)
}

// A random denied address, written in every way that leads to it somewhere, is no URL that is accepted.
func TestF40_TextsOfDeniedAddressesAreRefused(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(testutil.Seed(t), 1))
	policies := []*policy{newPolicy(Config{AllowHTTP: true}.withDefaults()), newPolicy(Config{Ports: []uint16{8080}, AllowNAT64: true}.withDefaults())}
	ranges, forms := forbiddenV4(), texts()
	for n := range 100_000 {
		a := randomIn(r, ranges[r.IntN(len(ranges))])
		url := "https://" + forms[n%len(forms)](r, a) + []string{"", ":80", ":443", ":8080"}[r.IntN(4)] + "/hook"
		for i, p := range policies {
			if u, err := p.parse(url); err == nil {
				t.Fatalf("policy %d accepts %q for %s, as %s", i, url, a, u)
			}
		}
	}
}

// Every row of the table as the answer of a name server: refused, and not one connection is asked for.
func TestF40_NamesOfDeniedAddressesAreNeverDialled(t *testing.T) {
	t.Parallel()
	answers, asked := names{}, 0
	d := newDialer(Config{Resolver: answers}.withDefaults(), newGuard(Config{}))
	d.connect = func(context.Context, string, string) (net.Conn, error) {
		asked++
		return nil, errors.New("dialled")
	}
	c := newClient(t, Config{})
	transport := newTransport(Config{}, d)
	c.pooled, c.single = transport, transport
	for _, p := range forbidden() {
		for _, a := range []netip.Addr{p.Addr(), middle(p), last(p)} {
			if !inAny(a.Unmap(), forbidden()) {
				continue // Go's resolver may answer an A record in mapped form
			}
			for name, list := range map[string][]string{
				"alone": {a.String()}, "first": {a.String(), "1.1.1.1"}, "last": {"2606:4700::1", "1.1.1.1", a.String()},
			} {
				answers["name.test."] = list
				for _, method := range []string{"POST", "GET"} {
					got := c.Do(t.Context(), Request{Method: method, URL: "https://name.test/"})
					requireCode(t, CodeBlockedURL, got)
					require.NotContains(t, got.Failure.Message, a.String(), name)
				}
			}
		}
	}
	require.Zero(t, asked)
	answers["name.test."] = []string{"1.1.1.1"}
	requireCode(t, CodeConnect, post(t, c, "https://name.test/"))
	require.Equal(t, 1, asked, "a public address is dialled")
}
