package egress

import (
	"errors"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func mustURL(s string) *url.URL {
	u, err := url.Parse(s)
	if err != nil {
		panic(err)
	}
	return u
}

type verdict string

const (
	accepted  verdict = "accepted"
	malformed verdict = "malformed"
	blocked   verdict = "blocked"
)

func judge(t *testing.T, c *Client, raw string) verdict {
	t.Helper()
	err := c.CheckURL(raw)
	if err == nil {
		return accepted
	}
	if _, ok := errors.AsType[*URLError](err); ok {
		return malformed
	}
	_, ok := errors.AsType[*BlockedError](err)
	require.True(t, ok, "%T", err)
	return blocked
}

func TestF40_F64_CheckURLWithTheStrictPolicy(t *testing.T) {
	t.Parallel()
	c := newClient(t, Config{})
	long := strings.Repeat("a", 63)
	for want, urls := range map[verdict][]string{
		accepted: {
			"https://example.com", "https://example.com/hook?a=1&b=%20", "HTTPS://EXAMPLE.COM./x", "https://example.com:443/",
			"https://example.com:/", "https://a_b.example.com/", "https://xn--bcher-kva.example/", "https://bücher.example/",
			"https://παράδειγμα.δοκιμή/γεια?ν=1", "https://8.8.8.8/", "https://[2606:4700:4700::1111]/", "https://example.com:80/",
			"https://intranet/", "https://a.b-c.d1/", "https://example.com/a/../b", "https://1.2.3.4.example/", "https://0x.example/",
			"https://" + long + "." + long + "." + long + "." + long[:61] + "/",
			"https://example.com/" + strings.Repeat("x", maxURL-len("https://example.com/")),
		},
		malformed: {
			// other schemes, and what is no absolute URL
			"", "example.com", "//example.com/", "/hook", "https://", "https:///hook", "https:example.com", "https:/example.com",
			"http://example.com/", "http://127.0.0.1/", "http://localhost/", "ftp://example.com/", "file:///etc/passwd",
			"gopher://example.com/", "unix:///var/run/docker.sock", "javascript:alert(1)", "data:text/html,x", "ws://example.com/",
			// credentials in the URL
			"https://user:pw@example.com/", "https://user@example.com/", "https://@example.com/", "https://a%40b@example.com/",
			// every one of these is 127.0.0.1 to the C library
			"https://127.1/", "https://127.0.1/", "https://2130706433/", "https://0x7f000001/", "https://0177.0.0.1/",
			"https://0x7f.0.0.1/", "https://127.0.0.0x1/", "https://00000177.1/", "https://0x/", "https://1.2.3.4.5/", "https://256.1.1.1/",
			"https://example.123/", "https://127.0.0.01/",
			// brackets, zones and dots
			"https://[::1%25lo]/", "https://[fe80::1%25eth0]/", "https://[fe80::1%eth0]/", "https://[example.com]/", "https://[127.0.0.1]/",
			"https://[]/", "https://[::1/", "https://[::1]x/", "https://::1/", "https://example.com../", "https://./", "https://.example.com/",
			// no ports
			"https://example.com:0/", "https://example.com:65536/", "https://example.com:-1/", "https://example.com:abc/", "https://example.com:99999999999999999999/",
			// F64
			"https://xn--/", "https://xn--a.example/", "https://xn--\u00e9.example/", "https://" + long + "a.example/",
			"https://" + long + "." + long + "." + long + "." + long[:62] + "/", "https://a..b/", "https://-a.example/", "https://a-.example/",
			"https://exa mple.com/", "https://exa%20mple.com/", "https://127%2e0.0.1/", "https://a\u200db.example/", "https://\u202e.example/",
			"https://exam!ple.com/", "https://a,b/", "https://a;b/", "https://*/", "https://a'b/", "https://$(id)/",
			// texts that parsers read differently
			" https://example.com/", "https://example.com/ ", "https://example.com/a b", "https://example.com/?a b", "https://example.com/\r\nX: y",
			"https://example.com/\x00", "https://example.com/\t", "https://example.com\\@evil.example/", `https:\\example.com\`, "https://example.com/\x7f",
			"https://example.com/\u0085", "https://example.com/\xff", "https://example.com/%zz", "https://example.com/#top", "https://example.com/#",
			"https://example.com/" + strings.Repeat("x", maxURL),
		},
		blocked: {
			"https://127.0.0.1/", "https://127.0.0.1./", "https://10.0.0.1/", "https://169.254.169.254/latest/meta-data/", "https://168.63.129.16/",
			"https://0.0.0.0/", "https://[::]/", "https://[::1]/", "https://[::ffff:127.0.0.1]/", "https://[::ffff:7f00:1]/", "https://[64:ff9b::7f00:1]/",
			"https://[2002:7f00:1::]/", "https://[fd00:ec2::254]/", "https://[::127.0.0.1]/", "https://[0:0:0:0:0:0:0:1]/", "https://[::ffff:8.8.8.8]/",
			"https://localhost/", "https://LOCALHOST./", "https://a.localhost/", "https://ｌｏｃａｌｈｏｓｔ/",
			// IDNA makes an address of it
			"https://①②⑦.⓪.⓪.①/", "https://１２７.0.0.1/", "https://127。0。0。1/", "https://127\u00ad.0.0.1/",
			// ports that are not the web's
			"https://example.com:22/", "https://example.com:6379/", "https://8.8.8.8:7233/", "https://[2606:4700::1]:8443/",
		},
	} {
		for _, raw := range urls {
			require.Equal(t, want, judge(t, c, raw), "%q: %v", raw, c.CheckURL(raw))
		}
	}
}

func TestCheckURLFollowsThePolicy(t *testing.T) {
	t.Parallel()
	embedded := newClient(t, Config{AllowCIDRs: LoopbackCIDRs(), AllowHTTPLoopback: true})
	ports := newClient(t, Config{Ports: []uint16{8443}})
	v4only := newClient(t, Config{AllowCIDRs: prefixes("127.0.0.0/8"), AllowHTTP: true})
	for _, c := range []struct {
		client *Client
		url    string
		want   verdict
	}{
		{embedded, "http://localhost:3000/", accepted},
		{embedded, "http://LocalHost.:3000/", accepted},
		{embedded, "http://127.0.0.1:3000/", accepted},
		{embedded, "http://127.9.9.9/", accepted},
		{embedded, "http://[::1]:3000/", accepted},
		{embedded, "http://[::ffff:127.0.0.1]/", malformed},
		{embedded, "http://localhost.example.com/", malformed},
		{embedded, "http://sub.localhost/", malformed},
		{embedded, "http://example.com/", malformed},
		{embedded, "http://10.0.0.1/", malformed},
		{embedded, "https://localhost:9443/", accepted},
		{embedded, "https://example.com:9443/", accepted}, // the name may lie inside the allow list: judged when it is dialled
		{embedded, "https://8.8.8.8:9443/", blocked},
		{ports, "https://example.com:8443/", accepted},
		{ports, "https://8.8.8.8:8443/", accepted},
		{ports, "https://example.com:8444/", blocked},
		{v4only, "http://example.com/", accepted},
		{v4only, "http://localhost:8080/", accepted},
		{v4only, "http://[::1]:8080/", blocked},
		{v4only, "http://10.0.0.1/", blocked},
	} {
		require.Equal(t, c.want, judge(t, c.client, c.url), "%s: %v", c.url, c.client.CheckURL(c.url))
	}
}

func TestURLErrorsNeverQuoteTheURL(t *testing.T) {
	t.Parallel()
	c := newClient(t, Config{})
	for _, raw := range []string{"https://u:hunter2@example.com/", "https://hunter2 .com/", "https://x/%zzhunter2", "https://[hunter2", "hunter2://x"} {
		err := c.CheckURL(raw)
		require.Error(t, err)
		require.NotContains(t, err.Error(), "hunter2")
	}
}

// What is sent is what was stored: host normalised, path and query untouched.
func TestParsedURLKeepsPathAndQuery(t *testing.T) {
	t.Parallel()
	p := newPolicy(Config{AllowHTTP: true, AllowCIDRs: prefixes("10.0.0.0/8")}.withDefaults())
	for raw, want := range map[string]struct{ host, uri string }{
		"https://Example.COM.:443/A%2fb/%41//c/../d?x=%41&y=+&z": {"example.com", "/A%2fb/%41//c/../d?x=%41&y=+&z"},
		"https://example.com":                  {"example.com", "/"},
		"https://example.com?":                 {"example.com", "/?"},
		"https://example.com//twice":           {"example.com", "//twice"},
		"http://example.com:443/":              {"example.com:443", "/"},
		"http://example.com:080/":              {"example.com", "/"},
		"https://bücher.example/ü?ü=ü":         {"xn--bcher-kva.example", "/%C3%BC?%C3%BC=%C3%BC"},
		"https://[2606:4700:0:0:0:0:0:1]/":     {"[2606:4700::1]", "/"},
		"http://10.0.0.1:8080/a;b=c,d!$&'()*+": {"10.0.0.1:8080", "/a;b=c,d!$&'()*+"},
		"https://[2606:4700::1]:80/":           {"[2606:4700::1]:80", "/"},
	} {
		u, err := p.parse(raw)
		require.NoError(t, err, raw)
		require.Equal(t, want.host, u.Host, raw)
		require.Equal(t, want.uri, u.RequestURI(), raw)
	}
}
