package egress

import (
	"context"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/dns/dnsmessage"
)

// nameServer is a DNS server on loopback, over UDP and TCP, whose answers a test makes up. It speaks to Go's own
// resolver, the one of production.
type nameServer struct {
	udp     net.PacketConn
	tcp     net.Listener
	reply   func(question dnsmessage.Question, tcp bool) *dnsmessage.Message
	queries atomic.Int64
	asking  sync.Map // net.Conn of the resolver's → nothing
}

func newNameServer(t *testing.T, reply func(q dnsmessage.Question, tcp bool) *dnsmessage.Message) *nameServer {
	t.Helper()
	var config net.ListenConfig
	tcp, err := config.Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	udp, err := config.ListenPacket(t.Context(), "udp", tcp.Addr().String())
	require.NoError(t, err)
	s := &nameServer{udp: udp, tcp: tcp, reply: reply}
	ended := make(chan struct{}, 2)
	go func() { s.serveUDP(); ended <- struct{}{} }()
	go func() { s.serveTCP(); ended <- struct{}{} }()
	t.Cleanup(func() {
		_, _ = udp.Close(), tcp.Close()
		// Go's resolver lets a query that nobody waits for run into its own timeout of 5 s.
		s.asking.Range(func(conn, _ any) bool { _ = conn.(net.Conn).Close(); return true })
		<-ended
		<-ended
	})
	return s
}

func (s *nameServer) serveUDP() {
	buffer := make([]byte, 4096)
	for {
		n, from, err := s.udp.ReadFrom(buffer)
		if err != nil {
			return
		}
		if packed := s.answer(buffer[:n], false); packed != nil {
			_, _ = s.udp.WriteTo(packed, from)
		}
	}
}

func (s *nameServer) serveTCP() {
	for {
		conn, err := s.tcp.Accept()
		if err != nil {
			return
		}
		length := make([]byte, 2)
		if _, err := conn.Read(length); err == nil {
			query := make([]byte, int(length[0])<<8|int(length[1]))
			_, _ = conn.Read(query)
			packed := s.answer(query, true)
			_, _ = conn.Write(append([]byte{byte(len(packed) >> 8), byte(len(packed))}, packed...))
		}
		_ = conn.Close()
	}
}

func (s *nameServer) answer(query []byte, tcp bool) []byte {
	var m dnsmessage.Message
	if m.Unpack(query) != nil || len(m.Questions) == 0 {
		return nil
	}
	s.queries.Add(1)
	out := s.reply(m.Questions[0], tcp)
	if out == nil {
		return nil
	}
	out.ID, out.Response, out.Questions = m.ID, true, m.Questions
	packed, err := out.Pack()
	if err != nil {
		panic(err)
	}
	return packed
}

// resolver is Go's own, asking this server.
func (s *nameServer) resolver() *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		var d net.Dialer
		conn, err := d.DialContext(ctx, network, s.tcp.Addr().String())
		if err == nil {
			s.asking.Store(conn, nil)
		}
		return conn, err
	}}
}

func rcode(code dnsmessage.RCode) func(dnsmessage.Question, bool) *dnsmessage.Message {
	return func(dnsmessage.Question, bool) *dnsmessage.Message {
		return &dnsmessage.Message{Header: dnsmessage.Header{RCode: code, RecursionAvailable: true}}
	}
}

// records answers A questions with the addresses, and others with nothing.
func records(addrs ...netip.Addr) func(dnsmessage.Question, bool) *dnsmessage.Message {
	return func(q dnsmessage.Question, tcp bool) *dnsmessage.Message {
		m := &dnsmessage.Message{Header: dnsmessage.Header{RecursionAvailable: true}}
		if q.Type != dnsmessage.TypeA {
			return m
		}
		if len(addrs) > 20 && !tcp { // too many for UDP
			m.Truncated = true
			return m
		}
		for _, a := range addrs {
			m.Answers = append(m.Answers, dnsmessage.Resource{
				Header: dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class},
				Body:   &dnsmessage.AResource{A: a.As4()},
			})
		}
		return m
	}
}

// alias answers every question with a CNAME of the name itself.
func alias(q dnsmessage.Question, _ bool) *dnsmessage.Message {
	return &dnsmessage.Message{
		Header: dnsmessage.Header{RecursionAvailable: true},
		Answers: []dnsmessage.Resource{{
			Header: dnsmessage.ResourceHeader{Name: q.Name, Type: dnsmessage.TypeCNAME, Class: q.Class},
			Body:   &dnsmessage.CNAMEResource{CNAME: q.Name},
		}},
	}
}

// What a name server may do to a delivery: it is classified, ends in time, and nothing of the resolver is told.
func TestF38_NameServerFaults(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		reply   func(dnsmessage.Question, bool) *dnsmessage.Message
		code    Code
		message string
	}{
		"NXDOMAIN":         {rcode(dnsmessage.RCodeNameError), CodeDNS, "does not exist"},
		"SERVFAIL":         {rcode(dnsmessage.RCodeServerFailure), CodeDNS, "could not be looked up"},
		"REFUSED":          {rcode(dnsmessage.RCodeRefused), CodeDNS, "looked up"},
		"no address":       {records(), CodeDNS, "does not exist"},
		"a loop of CNAMEs": {alias, CodeDNS, "looked up"},
		"no answer": {
			func(dnsmessage.Question, bool) *dnsmessage.Message { return nil }, CodeDNS, "in time",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newNameServer(t, c.reply)
			client := newClient(t, Config{Resolver: s.resolver(), DialTimeout: time.Second})
			got := client.Do(t.Context(), Request{URL: "https://name.test/", Timeout: 2 * time.Second})
			requireCode(t, c.code, got)
			require.NotContains(t, got.Failure.Message, "127.0.0.1")
			require.NotContains(t, got.Failure.Message, "name.test")
			require.Positive(t, s.queries.Load())
			require.Less(t, got.Duration, 3*time.Second)
			if strings.Contains(c.message, "exist") || c.message == "in time" || name == "SERVFAIL" {
				require.Contains(t, got.Failure.Message, c.message)
			}
		})
	}
}

// The attempt's own time counts for the lookup, too: a name server that takes 5 s ends with it.
func TestF38_SlowNameServerEndsWithTheAttempt(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	s := newNameServer(t, func(q dnsmessage.Question, tcp bool) *dnsmessage.Message {
		select {
		case <-release:
		case <-time.After(5 * time.Second):
		}
		return records(netip.MustParseAddr("127.0.0.1"))(q, tcp)
	})
	c := newClient(t, Config{Resolver: s.resolver()})
	got := c.Do(t.Context(), Request{URL: "https://name.test/", Timeout: time.Second})
	close(release)
	requireCode(t, CodeTimeout, got)
	require.Less(t, got.Duration, 2*time.Second)
}

// 500 addresses: each is vetted, so that the last one, forbidden, blocks the name; eight at most are tried.
func TestF38_FiveHundredAddresses(t *testing.T) {
	t.Parallel()
	r := newReceiverAt(t, "127.0.0.2:0", answer(ok200))
	many := make([]netip.Addr, 500)
	for i := range many {
		many[i] = netip.MustParseAddr("127.0.0.2")
	}
	config := Config{AllowCIDRs: prefixes("127.0.0.2/32"), AllowHTTP: true}
	config.Resolver = newNameServer(t, records(many...)).resolver()
	require.Equal(t, 200, post(t, newClient(t, config), r.url("name.test")).StatusCode)

	many[499] = netip.MustParseAddr("127.0.0.3")
	config.Resolver = newNameServer(t, records(many...)).resolver()
	requireCode(t, CodeBlockedURL, post(t, newClient(t, config), r.url("name.test")))
	connections, _ := r.ledger()
	require.Equal(t, 1, connections)
}

// F39 over a real name server that changes its mind: 127.0.0.2, which is allowed, then 127.0.0.3, which is not.
func TestF39_RebindingNameServer(t *testing.T) {
	t.Parallel()
	good := newReceiverAt(t, "127.0.0.2:0", answer("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"))
	bad := newReceiverAt(t, "127.0.0.3:"+strconv.Itoa(int(good.port())), answer(ok200))
	var asked atomic.Int64
	s := newNameServer(t, func(q dnsmessage.Question, tcp bool) *dnsmessage.Message {
		if q.Type == dnsmessage.TypeA && asked.Add(1)%2 == 0 {
			return records(netip.MustParseAddr("127.0.0.3"))(q, tcp)
		}
		return records(netip.MustParseAddr("127.0.0.2"))(q, tcp)
	})
	c := newClient(t, Config{AllowCIDRs: prefixes("127.0.0.2/32"), AllowHTTP: true, Resolver: s.resolver()})
	for n := range 1000 {
		got := post(t, c, good.url("rebind.test"))
		if n%2 == 0 {
			require.Equal(t, 200, got.StatusCode)
			continue
		}
		requireCode(t, CodeBlockedURL, got)
	}
	connections, _ := bad.ledger()
	require.Zero(t, connections)
	requireHits(t, good, 500)
}
