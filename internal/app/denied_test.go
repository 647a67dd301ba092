package app_test

import (
	"encoding/json"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/internal/app"
	"github.com/posthorn/posthorn/internal/config"
)

// deniedHosts are addresses that the default configuration never connects to, as a URL may write them.
func deniedHosts() []string {
	var hosts []string
	for _, cidr := range []string{
		"0.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16",
		"168.63.129.16/32", "192.0.0.0/24", "192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "192.31.196.0/24",
		"192.175.48.0/24", "192.52.193.0/24", "192.88.99.0/24", "198.18.0.0/15", "224.0.0.0/4", "240.0.0.0/4", "255.255.255.255/32",
		"::/8", "::ffff:127.0.0.0/104", "::ffff:0:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:2::/48",
		"2001:10::/28", "2001:20::/28", "2001:db8::/32", "3fff::/20", "2002::/16", "2620:4f:8000::/48", "5f00::/16", "fc00::/7",
		"fe80::/10", "fec0::/10", "ff00::/8", "4000::/2", "8000::/1",
	} {
		for _, a := range ends(netip.MustParsePrefix(cidr)) {
			if a.Is6() {
				hosts = append(hosts, "["+a.String()+"]")
			} else {
				hosts = append(hosts, a.String())
			}
		}
	}
	return append(hosts,
		"169.254.169.254", "169.254.170.2", "169.254.170.23", "169.254.0.23", "100.100.100.200", "192.0.0.192", "[fd00:ec2::254]",
		"[fd20:ce::254]", "localhost", "LOCALHOST.", "a.localhost", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "127.0.0.1.",
		"①②⑦.⓪.⓪.①", "１２７.0.0.1", "127。0。0。1", "127%2e0.0.1", "[::1%25lo]", "[fe80::1%25eth0]", "[127.0.0.1]", "[localhost]",
		"[::ffff:7f00:1]", "[::127.0.0.1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "[2001:0:4136:e378:8000:63bf:80ff:fffe]",
		"user@127.0.0.1", "user:pw@example.com", "example.com@127.0.0.1", "example.com\\@127.0.0.1",
		"example.com:22", "example.com:6379", "example.com:5432", "example.com:7233", "example.com:0", "example.com:65536",
	)
}

// ends are the first address and the last.
func ends(p netip.Prefix) []netip.Addr {
	b := p.Masked().Addr().AsSlice()
	for i := p.Bits(); i < len(b)*8; i++ {
		b[i/8] |= 0x80 >> (i % 8)
	}
	last, _ := netip.AddrFromSlice(b)
	return []netip.Addr{p.Masked().Addr(), last}
}

func deniedURLs() []string {
	var urls []string
	for _, host := range deniedHosts() {
		urls = append(urls, "https://"+host+"/hook")
	}
	return append(urls, "http://example.com/", "ftp://example.com/", "file:///etc/passwd", "gopher://127.0.0.1:6379/_FLUSHALL",
		"unix:///var/run/docker.sock", "javascript:alert(1)", "data:text/html,x", "//127.0.0.1/", "https:127.0.0.1", "https:///127.0.0.1")
}

// On by default: with nothing configured, no door leads to a denied address. Subscriptions that were made when the
// operator allowed more are refused when they are attempted. Each kind of call is tried; nothing is connected to.
func TestF40_NoDoorLeadsToADeniedAddress(t *testing.T) {
	t.Parallel()
	for name, database := range databases(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := temporalAt(t, t.TempDir(), "127.0.0.1:0")
			t.Cleanup(func() { stopTemporal(t, server) })
			cfg := external(t, database(t), server.Address())
			before := before(t, cfg)

			cfg.AllowHTTP, cfg.EgressAllowCIDRs = false, nil
			w := start(t, cfg, app.Roles{API: true, Worker: true})
			w.refusesDenied(before)
			w.attemptsNothing(before)
			require.Len(t, before.receiver.got(), before.heard, "the receiver was asked again")
		})
	}
}

// allowedOnce is what was made while loopback was allowed.
type allowedOnce struct {
	receiver   *sink
	app, sub   string
	viva, vsub string
	delivered  string
	heard      int
}

func before(t *testing.T, cfg config.Config) allowedOnce {
	t.Helper()
	w := boot(t, cfg, app.Roles{API: true, Worker: true})
	defer w.stop()
	receiver := newSink(t)
	v := w.viva("")
	receiver.shows(answer{status: 200, body: keyAnswer(v.token)})
	made := allowedOnce{receiver: receiver, app: w.application("standard", anHour), viva: v.app}
	made.sub = w.subscription(made.app, receiver.URL, nil)["id"].(string)
	made.vsub = v.unverified(receiver.URL, 1796)
	_, ids := w.published(made.app, `{"type":"a.b","payload":{}}`)
	w.becomes(ids[0], "succeeded")
	made.delivered, made.heard = ids[0], len(receiver.got())
	return made
}

func (w *world) refusesDenied(made allowedOnce) {
	w.t.Helper()
	sub := "/v1/subscriptions/" + made.sub
	was := w.call("GET", sub, nil, 200)
	for _, url := range deniedURLs() {
		for method, path := range map[string]string{"POST": "/v1/applications/" + made.app + "/subscriptions", "PATCH": sub} {
			body := object{"url": url}
			if method == "POST" {
				body["event_types"] = []string{"*"}
			}
			problem := w.call(method, path, body, 422)
			require.Contains(w.t, []any{"blocked_url", "validation_failed"}, problem["code"], url)
			require.Equal(w.t, "url", problem["errors"].([]any)[0].(map[string]any)["location"], url)
		}
	}
	require.Equal(w.t, was, w.call("GET", sub, nil, 200))
	require.Len(w.t, w.listed("/v1/applications/"+made.app+"/subscriptions"), 1)
}

// attemptsNothing tries each way to make a call: an event, a test, a redelivery, a batch, a job, a handshake.
func (w *world) attemptsNothing(made allowedOnce) {
	w.t.Helper()
	_, ids := w.published(made.app, `{"type":"a.b","payload":{}}`)
	w.becomes(ids[0], "retrying")
	test := w.call("POST", "/v1/subscriptions/"+made.sub+"/test", nil, 202)["invocation_id"].(string)
	w.becomes(test, "failed")
	w.call("POST", "/v1/invocations/"+made.delivered+"/redeliver", nil, 202)
	job := w.redeliveries(made.app, `{"ids":["`+ids[0]+`"]}`)
	w.jobEnds(job["id"], patience)
	for id, attempts := range map[string]int{ids[0]: 2, test: 1, made.delivered: 2} {
		var logs []object
		require.Eventually(w.t, func() bool { logs = w.logs(id); return len(logs) == attempts }, patience, 10*time.Millisecond)
		fault := logs[attempts-1]["error"].(map[string]any)
		require.Equal(w.t, "blocked_url", fault["code"])
		require.NotContains(w.t, fault["message"], "127.")
		require.Nil(w.t, logs[attempts-1]["status_code"])
	}
	require.Equal(w.t, "verification_failed", w.call("POST", made.vsub+"/verify", nil, 422)["code"])
}

// What is our own is refused inside the range that the embedded mode allows, by its port alone.
func TestF40_OurOwnListenersAreNoReceivers(t *testing.T) {
	t.Parallel()
	cfg := embedded(t)
	cfg.TemporalUIListen = "127.0.0.1:0"
	w := start(t, cfg, everything).atOneAPI() // which knows what is its own, not what is another API's
	receiver := newSink(t)
	application := w.application("standard", "")
	ui := strings.TrimPrefix(w.app.TemporalUIURL(), "http://")
	api := strings.TrimPrefix(w.url, "http://")
	port := strconv.Itoa(int(netip.MustParseAddrPort(api).Port()))
	for _, address := range []string{api, ui, "0.0.0.0:" + port} {
		problem := w.call("POST", "/v1/applications/"+application+"/subscriptions",
			object{"url": "http://" + address + "/v1/applications", "event_types": []string{"*"}}, 422)
		text, _ := json.Marshal(problem)
		require.Contains(t, []any{"blocked_url", "validation_failed"}, problem["code"], string(text))
	}
	w.subscription(application, receiver.URL, nil)
	w.publish(application, `{"type":"a.b","payload":{}}`)
	receiver.await(1)
}
