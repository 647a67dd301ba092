package listen_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	posthorn "github.com/posthorn/posthorn/clients/go"
	"github.com/posthorn/posthorn/internal/listen"
)

// output is what a run prints.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// run is a listener at work; ended gives what Run returned.
type run struct {
	t     *testing.T
	url   string
	out   *output
	ended chan error
}

func start(t *testing.T, o listen.Options) *run {
	t.Helper()
	r := &run{t: t, out: &output{}, ended: make(chan error, 1)}
	o.Address, o.Out = "127.0.0.1:0", r.out
	if o.Status == 0 {
		o.Status = http.StatusOK
	}
	o.Now = func() time.Time { return time.Date(2026, 11, 22, 7, 0, 0, 5e6, time.UTC) }
	url := make(chan string, 1)
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	go func() { r.ended <- listen.Run(ctx, o, func(at string) { url <- at }) }()
	r.url = <-url
	return r
}

// send sends a request and returns status and answer.
func (r *run) send(method, body string, header map[string]string) (int, string) {
	r.t.Helper()
	request, err := http.NewRequestWithContext(r.t.Context(), method, r.url+"/hook?a=1", strings.NewReader(body))
	require.NoError(r.t, err)
	for name, value := range header {
		request.Header.Set(name, value)
	}
	answer, err := http.DefaultClient.Do(request)
	require.NoError(r.t, err)
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	require.NoError(r.t, err)
	return answer.StatusCode, string(text)
}

// bridge verifies by the secret `one`.
func bridge() posthorn.Verifier {
	return posthorn.Verifier{
		Scheme: posthorn.SchemeHMACHex, Header: "BridgeApi-Signature", Secrets: []string{"one"},
		Headers: map[string]string{"X-Token": "hidden"},
	}
}

func signature(body string) map[string]string {
	mac := hmac.New(sha256.New, []byte("one"))
	mac.Write([]byte(body))
	return map[string]string{"BridgeApi-Signature": fmt.Sprintf("v1=%X", mac.Sum(nil)), "X-Token": "hidden"}
}

func TestWhatIsGenuineAndWhatIsNot(t *testing.T) {
	t.Parallel()
	r := start(t, listen.Options{Verifier: bridge(), Status: http.StatusAccepted, Count: 2})
	code, _ := r.send("POST", `{"a":1}`, signature(`{"a":1}`))
	require.Equal(t, http.StatusAccepted, code)
	code, _ = r.send("POST", `{"a":2}`, signature(`{"a":1}`))
	require.Equal(t, http.StatusUnauthorized, code)
	require.EqualError(t, <-r.ended, "a delivery was not genuine")

	text := r.out.String()
	require.True(t, strings.HasPrefix(text, "07:00:00.005  POST /hook?a=1  verified  → 202\n"), text)
	require.Contains(t, text, "    x-token            ***\n    {\n      \"a\": 1\n    }\n\n")
	require.Contains(t, text, "  WRONG: no signature in BridgeApi-Signature is good: another secret, or another body  → 401\n")
	require.NotContains(t, text, "hidden")
}

func TestGenuineDeliveriesEndWell(t *testing.T) {
	t.Parallel()
	r := start(t, listen.Options{Verifier: bridge(), Count: 1, Delay: 20 * time.Millisecond})
	r.send("GET", "", nil) // is no delivery
	r.send("POST", `{}`, signature(`{}`))
	require.NoError(t, <-r.ended)
}

func TestHandshake(t *testing.T) {
	t.Parallel()
	code, body := start(t, listen.Options{Handshake: []byte(`{"Key":"K"}`)}).send("GET", "", nil)
	require.Equal(t, http.StatusOK, code)
	require.JSONEq(t, `{"Key":"K"}`, body)

	r := start(t, listen.Options{})
	code, _ = r.send("GET", "", nil)
	require.Equal(t, http.StatusNotFound, code)
	require.Eventually(t, func() bool { return strings.Contains(r.out.String(), "ignored: no delivery") }, 10*time.Second, time.Millisecond)
}

func TestStrangersCannotWriteToTheTerminal(t *testing.T) {
	t.Parallel()
	r := start(t, listen.Options{Count: 1})
	r.send("POST", "\x1b[2J\xff\u009b\nlast", map[string]string{"X-A": "\u202e"})
	require.NoError(t, <-r.ended)
	text := r.out.String()
	require.Contains(t, text, "not verified")
	require.Contains(t, text, `    \u001b[2J\xff\u009b`+"\n    last\n")
	require.Contains(t, text, `x-a                \u202e`)
}

func TestLargeBodiesAreBounded(t *testing.T) {
	t.Parallel()
	r := start(t, listen.Options{Count: 1})
	code, _ := r.send("POST", strings.Repeat("x", 2<<20+1), nil)
	require.Equal(t, http.StatusRequestEntityTooLarge, code)
	code, _ = r.send("POST", strings.Repeat("y", 2<<20), nil)
	require.Equal(t, http.StatusOK, code)
	require.NoError(t, <-r.ended)
	text := r.out.String()
	require.NotContains(t, text, "xxx")
	require.Contains(t, text, fmt.Sprintf("… and %d bytes more", 2<<20-64<<10))
}

// Indenting 1 MiB of it would make 10 GB.
func TestABodyThatIsNestedDeepDoesNotGrow(t *testing.T) {
	t.Parallel()
	r := start(t, listen.Options{Count: 2})
	r.send("POST", strings.Repeat("[", 30<<10)+strings.Repeat("]", 30<<10), nil)
	r.send("POST", strings.Repeat(strings.Repeat("[", 9_000)+strings.Repeat("]", 9_000), 116), nil)
	require.NoError(t, <-r.ended)
	require.Less(t, len(r.out.String()), 130<<10)
}

func TestJSONLinesHoldTheWholeBody(t *testing.T) {
	t.Parallel()
	r := start(t, listen.Options{Verifier: bridge(), JSON: true, Count: 2})
	r.send("POST", `{"amount": 100.50}`, signature(`{"amount": 100.50}`))
	r.send("POST", "\xff", map[string]string{"X-Token": "hidden"})
	require.Error(t, <-r.ended)
	lines := strings.Split(strings.TrimSpace(r.out.String()), "\n")
	require.Len(t, lines, 2)
	var first, second map[string]any
	require.NoError(t, json.Unmarshal([]byte(lines[0]), &first))
	require.NoError(t, json.Unmarshal([]byte(lines[1]), &second))
	require.Equal(t, map[string]any{
		"at": "2026-11-22T07:00:00.005Z", "method": "POST", "path": "/hook?a=1", "verdict": "verified", "status": 200.0,
		"body":    `{"amount": 100.50}`,
		"headers": map[string]any{"bridgeapi-signature": signature(`{"amount": 100.50}`)["BridgeApi-Signature"], "x-token": "***"},
	}, first)
	require.Equal(t, "wrong", second["verdict"])
	require.Equal(t, "/w==", second["body_base64"])
	require.Equal(t, "the header BridgeApi-Signature is missing", second["reason"])
}

func TestAnAddressThatIsTaken(t *testing.T) {
	t.Parallel()
	r := start(t, listen.Options{})
	err := listen.Run(t.Context(), listen.Options{Address: strings.TrimPrefix(r.url, "http://")}, func(string) {})
	require.ErrorContains(t, err, "listen for deliveries: ")
}
