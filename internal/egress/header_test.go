package egress

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCheckHeaderAccepts(t *testing.T) {
	t.Parallel()
	for name, value := range map[string]string{
		"Authorization": "Bearer abc.def~ghi+/=", "Alviere-Auth": "k", "X-Api-Key": "a b\tc", "cookie": "a=b; c=\"d\"",
		"x_y": "1", "!#$%&'*+-.^_`|~": "v", "X-Forwarded-For": "1.2.3.4", "Webhook": "x", "Posthorn": "x",
		strings.Repeat("n", 128): strings.Repeat("v", 4096),
	} {
		require.NoError(t, CheckHeader(name, value), name)
	}
}

func TestCheckHeaderRefusesReservedNames(t *testing.T) {
	t.Parallel()
	for _, name := range []string{
		"webhook-id", "Webhook-Signature", "WEBHOOK-anything", "Posthorn-Test", "Content-Type", "user-agent", "traceparent", "TraceState",
		"Host", "Content-Length", "transfer-encoding", "Connection", "Keep-Alive", "TE", "Trailer", "Upgrade", "Proxy-Authorization",
		"Proxy-Connection", "HTTP2-Settings", "Content-Encoding", "Accept-Encoding", "Expect", "Range",
		"Idempotency-Key", "x-idempotency-key",
	} {
		var refused *HeaderError
		require.ErrorAs(t, CheckHeader(name, "x"), &refused, name)
		require.Contains(t, refused.Reason, "reserved", name)
	}
}

func TestCheckHeaderRefusesWhatCouldSplitARequest(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"", "a b", "a:", ":path", "a\r\nb", "a\x00", "ä", "a(b)", "a/b", `a"b`, strings.Repeat("n", 129)} {
		require.Error(t, CheckHeader(name, "x"), "%q", name)
	}
	for _, value := range []string{"", " ", " x", "x ", "x\t", "a\r\nB: c", "a\nb", "a\rb", "a\x00b", "a\x7fb", "\x1b[31m", "é", "\xff", strings.Repeat("v", 4097)} {
		err := CheckHeader("X-Key", value)
		require.Error(t, err, "%q", value)
		require.Less(t, len(err.Error()), 100, "the value may be a credential")
	}
}
