package app_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/models"
)

// What must not be accepted is refused by name, and nothing of it is stored.
func TestF53_F54_F55_F56_F57_RefusedPayloadsAreNotStored(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		app := w.application("standard", "")
		w.subscription(app, "https://example.com/hook", nil)
		path := "/v1/applications/" + app + "/events"
		list := func(depth int) string { return strings.Repeat("[", depth) + strings.Repeat("]", depth) }
		for name, c := range map[string]struct {
			payload string
			status  int
		}{
			"F53 raw NUL in a string": {"\"a\x00b\"", 400}, "F53 raw NUL alone": {"\x00", 400},
			"F54 invalid UTF-8": {"\"\xff\"", 400}, "F54 overlong": {"\"\xc0\xaf\"", 400}, "F54 a surrogate in UTF-8": {"\"\xed\xa0\x80\"", 400},
			"F54 a cut character": {"\"\xe2\x82\"", 400}, "F54 UTF-16": {"\"\x00a\x00b\"", 400}, "F54 a byte order mark": {"\ufeff{}", 400},
			"F55 129 deep": {list(129), 400}, "F55 9,999 deep": {list(9_999), 400}, "F55 10,001 deep": {list(10_001), 400},
			"F55 200,000 deep": {list(200_000), 400}, "F55 200,000 open": {strings.Repeat("[", 200_000), 400},
			"F55 129 objects deep": {strings.Repeat(`{"a":`, 129) + "1" + strings.Repeat("}", 129), 400},
			"F56 empty":            {"", 400}, "F56 blank": {" \t\r\n", 400}, "F56 a word": {"undefined", 400}, "F56 two values": {"1 2", 400},
			"F56 NaN": {"NaN", 400}, "F56 a comment": {"1 /* one */", 400}, "F56 a trailing comma": {"[1,]", 400}, "F56 quotes of another kind": {"'a'", 400},
			"F57 1 MiB + 1": {`"` + strings.Repeat("x", models.MaxPayloadBytes-1) + `"`, 413},
			"F57 2 MiB":     {`"` + strings.Repeat("x", 2<<20) + `"`, 413}, "F57 4 MiB": {`"` + strings.Repeat("x", 4<<20) + `"`, 413},
			"F57 9 MiB": {`"` + strings.Repeat("x", 9<<20) + `"`, 413},
		} {
			got, answer := w.raw("POST", path, []byte(`{"type":"a.b","payload":`+c.payload+`}`), nil)
			require.Equalf(t, c.status, got, "%s: %s", name, answer)
			require.Less(t, len(answer), 2000, "the refusal quotes what it refuses")
		}
		got, _ := w.raw("POST", path, []byte(gzipped(t, 100)), http.Header{"Content-Encoding": {"gzip"}})
		require.Contains(t, []int{400, 415}, got, "F57 a compressed request")
		require.Empty(t, w.listed(path))
		require.Empty(t, w.listed("/v1/applications/"+app+"/invocations"))
	})
}

// A request without an end is refused before much of it was read, and costs no memory.
func TestF57_EndlessRequestIsRefusedEarly(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		app := w.application("standard", "")
		path := "/v1/applications/" + app + "/events"
		body := &counted{Reader: io.LimitReader(letters{}, 100<<20)}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.url+path, io.MultiReader(strings.NewReader(`{"type":"a.b","payload":"`), body))
		require.NoError(t, err)
		req.Header.Set("Authorization", "Bearer "+w.key)
		req.Header.Set("Content-Type", "application/json")
		began := time.Now()
		require.Contains(t, []string{"413", closedUnderIt}, becomesOf(req))
		require.Less(t, body.n, int64(24<<20), "8 MiB are enough, and what sockets hold")
		require.Greater(t, body.n, int64(models.MaxPayloadBytes), "it was refused for its length")
		require.Less(t, time.Since(began), patience)
		require.Empty(t, w.listed(path))
	})
}

// Sixteen of 100 MB at once, five times. Not parallel: it measures the process's memory.
func TestF57_EndlessRequestsCostNoMemory(t *testing.T) { //nolint:paralleltest // it measures
	w := shared.on(t, "sqlite")
	app := w.application("standard", "")
	path := "/v1/applications/" + app + "/events"
	refused := map[string]int{}
	send := func() {
		done := make(chan string)
		for range 16 {
			go func() {
				body := io.MultiReader(strings.NewReader(`{"type":"a.b","payload":"`), io.LimitReader(letters{}, 100<<20))
				req, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, w.url+path, body)
				req.Header.Set("Authorization", "Bearer "+w.key)
				done <- becomesOf(req)
			}()
		}
		for range 16 {
			refused[<-done]++
		}
	}
	send()
	debug.FreeOSMemory()
	before := residentMiB(t)
	for range 5 {
		send()
	}
	debug.FreeOSMemory()
	require.Less(t, residentMiB(t)-before, 64, "80 requests of 100 MB were kept")
	require.Positive(t, refused["413"], "%v", refused)
	require.Equal(t, 6*16, refused["413"]+refused[closedUnderIt], "%v", refused)
	require.Empty(t, w.listed(path))
}

// closedUnderIt is what became of a request whose connection was closed while its body was still written.
const closedUnderIt = "closed under it"

// becomesOf makes a request and tells what became of it: the status, closedUnderIt, or the error in words.
func becomesOf(req *http.Request) string {
	res, err := http.DefaultClient.Do(req)
	switch {
	case errors.Is(err, syscall.EPIPE), errors.Is(err, syscall.ECONNRESET):
		return closedUnderIt
	case err != nil:
		return err.Error()
	}
	defer res.Body.Close()
	return strconv.Itoa(res.StatusCode)
}

// residentMiB is this process's resident memory.
func residentMiB(t *testing.T) int {
	t.Helper()
	text, err := os.ReadFile("/proc/self/statm")
	require.NoError(t, err)
	pages, err := strconv.Atoi(strings.Fields(string(text))[1])
	require.NoError(t, err)
	return pages * os.Getpagesize() >> 20
}

// letters never end.
type letters struct{}

func (letters) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = 'x'
	}
	return len(b), nil
}

type counted struct {
	io.Reader

	n int64
}

func (c *counted) Read(b []byte) (int, error) {
	n, err := c.Reader.Read(b)
	c.n += int64(n)
	return n, err
}

// A Content-Length that is not the body's: what is short is waited for and then given up, what is long ends the
// request where it said, and its rest is no request of ours.
func TestF57_ContentLengthThatLies(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		app := w.application("standard", "")
		path := "/v1/applications/" + app + "/events"
		const event = `{"type":"a.b","payload":{"n":1}}`
		say := func(length, body string, short bool) (status int) {
			var d net.Dialer
			conn, err := d.DialContext(t.Context(), "tcp", strings.TrimPrefix(w.url, "http://"))
			require.NoError(t, err)
			defer conn.Close()
			_, err = fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\n%s\r\n\r\n%s",
				path, w.key, length, body)
			require.NoError(t, err)
			if short { // the end of what there is; to a whole request it would be the end of the client
				require.NoError(t, conn.(*net.TCPConn).CloseWrite())
			}
			require.NoError(t, conn.SetReadDeadline(time.Now().Add(patience)))
			res, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				return 0 // the connection was closed without a word
			}
			require.NoError(t, res.Body.Close())
			return res.StatusCode
		}
		for length, short := range map[string]bool{
			"Content-Length: 1000": true, "Content-Length: 10": false, "Content-Length: 0": false, "Content-Length: -1": false,
			"Content-Length: 99999999999999999999": false, "Content-Length: 104857600": true,
			"Content-Length: 32\r\nContent-Length: 33": false, "Transfer-Encoding: gzip": false,
			"Transfer-Encoding: chunked": true, "Transfer-Encoding: chunked\r\nContent-Length: 5": true,
		} {
			body := event
			if strings.Contains(length, "chunked") {
				body = "20\r\n" + event // and no last chunk
			}
			status := say(length, body, short)
			require.Truef(t, status == 0 || status >= 400 && status < 500 || status == 501, "%q: %d", length, status)
		}
		require.Empty(t, w.listed(path))
		require.Equal(t, 202, say(fmt.Sprintf("Content-Length: %d", len(event)), event, false), "and the truth is accepted")
	})
}

// Ids are Posthorn's own: what is not one is not found, whatever it spells. A publisher's own key may be any text that
// can be seen, and names an event of one application.
func TestF59_EventIDs(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		app, other := w.application("standard", ""), w.application("standard", "")
		for _, id := range []string{
			".", "..", "%2e%2e", "..%2f..%2fetc%2fpasswd", "a%2fb", "%0d%0aX:%20y", "%00", strings.Repeat("a", 300), "%F0%9F%98%80",
			"01A2017B-0000-7000-8000-000000000000", "00000000-0000-0000-0000-000000000000", "1=1;--", "'", "{id}", "*",
		} {
			for _, route := range []string{"/v1/events/", "/v1/invocations/"} {
				got, answer := w.raw("GET", route+id, nil, nil)
				require.Containsf(t, []int{400, 404}, got, "%s: %s", route+id, answer)
			}
		}
		w.call("POST", "/v1/applications/"+app+"/events", `{"id":"mine","type":"a.b","payload":1}`, 422)
		for _, bad := range []string{`""`, `"` + strings.Repeat("k", 257) + `"`, `"a\r\nb"`, `"\u0000"`, `1`} {
			w.call("POST", "/v1/applications/"+app+"/events", `{"type":"a.b","payload":1,"idempotency_key":`+bad+`}`, 422)
		}
		for _, key := range []string{"../../etc", "a/b", "%2e", "order:1", strings.Repeat("k", 256), "'; DROP TABLE events; --"} {
			body := fmt.Sprintf(`{"type":"a.b","payload":1,"idempotency_key":%q}`, key)
			first, again, foreign := w.publish(app, body), w.publish(app, body), w.publish(other, body)
			require.Equal(t, first["id"], again["id"])
			require.Equal(t, true, again["duplicate"])
			require.NotEqual(t, first["id"], foreign["id"], "another tenant's key is another event's")
			require.Equal(t, false, foreign["duplicate"])
		}
	})
}
