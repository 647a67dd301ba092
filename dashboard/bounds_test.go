// What strangers and publishers control is bounded: the size of pages, and of what is sent to them.
package dashboard_test

import (
	"html"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// published publishes the payload and returns the event's only invocation.
func (w *world) published(app, payload string) string {
	w.t.Helper()
	event := w.op("POST", "/v1/applications/"+app+"/events", `{"type":"a.b","payload":`+payload+`}`, 202)
	return event["invocations"].([]any)[0].(map[string]any)["id"].(string)
}

func TestADeliveryPageOfADeepPayloadStaysSmall(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	app := w.application("standard")
	w.subscription(app)
	deep := strings.Repeat("[", 126) + "1" + strings.Repeat("]", 126)
	payload := "[" + strings.Repeat(deep+",", 4_000) + "1]" // indented it would be 130 MB
	invocation := w.published(app, payload)
	w.attempted(invocation, "X-A", "b")
	text := w.signIn(operatorKey).get("/invocations/"+invocation, http.StatusOK)
	require.Less(t, len(text), 256<<10)
	require.Equal(t, 2, strings.Count(text, payload[:64<<10]), "the payload, and the body of the request")
	require.Contains(t, text, "This is the beginning of 1016003 bytes. The API has them all: <code>GET /v1/invocations/"+invocation+"</code>")
	require.Contains(t, text, "<code>GET /v1/invocations/"+invocation+"/logs</code>")

	small := w.published(app, strings.Repeat("[", 120)+strings.Repeat("1,", 30_000)+"1"+strings.Repeat("]", 120))
	require.Less(t, len(w.signIn(operatorKey).get("/invocations/"+small, http.StatusOK)), 128<<10, "60 KiB would become 7 MB")
}

func TestADeliveryPageOfALargePayloadHasFewerAttempts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	app := w.op("POST", "/v1/applications",
		`{"name":"Shop","profile":"standard","overrides":{"retry":{"kind":"fixed","interval":"10ms"}}}`, 201)["id"].(string)
	w.subscription(app)
	invocation := w.published(app, `"`+strings.Repeat("x", 1<<20-2)+`"`)
	for range 9 {
		w.attempted(invocation, "X-A", "b")
		w.clock.advance(time.Minute) // the retry is due
	}
	v := w.signIn(operatorKey)
	text := v.get("/invocations/"+invocation, http.StatusOK)
	require.Equal(t, 8, strings.Count(text, `<li class="failed"`))
	_, link, _ := strings.Cut(text, `rel="next" href="`)
	link, _, _ = strings.Cut(link, `"`)
	require.Equal(t, 1, strings.Count(v.get("/invocations/"+invocation+html.UnescapeString(link), http.StatusOK), `<li class="failed"`))
}

// letters never end; they count how many were read.
type letters struct{ read int }

func (l *letters) Read(p []byte) (int, error) {
	l.read += len(p)
	return copy(p, strings.Repeat("x", len(p))), nil
}

// Nobody has shown a key yet: of what they send only so much is read as a key may have.
func TestWhoIsNotSignedInIsNotReadAtLength(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	send := func(path, kind string, body io.Reader) int {
		r := httptest.NewRequestWithContext(t.Context(), "POST", path, body)
		r.Header.Set("Content-Type", kind)
		recorder := httptest.NewRecorder()
		w.handler.ServeHTTP(recorder, r)
		require.Empty(t, recorder.Result().Cookies())
		return recorder.Code
	}
	const form = "application/x-www-form-urlencoded"
	for _, path := range []string{"/sign-in", "/sign-out"} {
		endless := &letters{}
		require.Equal(t, http.StatusRequestEntityTooLarge, send(path, form, io.MultiReader(strings.NewReader("key="), endless)), path)
		require.Less(t, endless.read, 64<<10, path)
		for _, kind := range []string{"multipart/form-data; boundary=b", "text/plain", "application/json", "", "/"} {
			other := &letters{}
			require.Equal(t, http.StatusUnsupportedMediaType, send(path, kind, other), kind)
			require.Zero(t, other.read, kind)
		}
		require.Equal(t, http.StatusBadRequest, send(path, form, strings.NewReader("key=%zz")), path)
	}
	escaped := strings.Repeat("%41", 1024)
	require.Equal(t, http.StatusUnauthorized, send("/sign-in", form+"; charset=UTF-8", strings.NewReader("key="+escaped)), "as long as may be")
}

// Every other second: the payload and the bodies of attempts are in the first answer alone.
func TestAPollLeavesOutTheBodiesThatTheBrowserHas(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	app := w.application("standard")
	w.subscription(app)
	invocation := w.published(app, `{"text":"the payload"}`)
	v := w.signIn(operatorKey)
	poll := func(seen string) string {
		p := v.ask("GET", "/invocations/"+invocation+"?polls=1&seen="+seen, nil, "HX-Request", "true", "HX-Target", "live")
		require.Equal(t, http.StatusOK, p.Code)
		require.Contains(t, p.html, `<details id="payload" hx-preserve="true"></details>`)
		require.NotContains(t, p.html, "<summary>Payload")
		return p.html
	}
	const kept, body = `<div id="attempts" hx-preserve="true"></div>`, "the payload"
	require.Contains(t, poll("pending0"), kept)

	w.attempted(invocation, "X-A", "the first answer")
	fresh := poll("pending0")
	require.NotContains(t, fresh, kept)
	require.Contains(t, fresh, "the first answer")
	require.Contains(t, fresh, body, "of the request")
	require.Contains(t, fresh, "seen=retrying1")
	same := poll("retrying1")
	require.Contains(t, same, kept)
	require.NotContains(t, same, "the first answer")
	require.Contains(t, same, "seen=retrying1")

	w.clock.advance(time.Hour) // the retry is due
	w.attempted(invocation, "X-A", "the second answer")
	next := poll("retrying1")
	require.Contains(t, next, "the second answer")
	require.NotContains(t, next, "the first answer")
	require.Regexp(t, `<li class="failed" id="attempt-[0-9a-f-]{36}" hx-preserve="true">\s*</li>`, next, "its place")

	for _, nonsense := range []string{"retrying-1", "x", "", "%00", "99999999999999999999"} {
		require.Contains(t, poll(nonsense), "the second answer", nonsense)
	}
	whole := v.get("/invocations/"+invocation+"?seen=retrying2", http.StatusOK)
	require.Contains(t, whole, "the first answer")
	require.Contains(t, whole, "<summary>Payload")
}
