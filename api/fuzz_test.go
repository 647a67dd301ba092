package api

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/models"
)

// fuzzWorld is a world whose tenant is made anew when somebody has deleted it.
type fuzzWorld struct {
	*world

	own *tenant
}

func newFuzzWorld(f *testing.F) *fuzzWorld {
	f.Helper()
	w := newWorld(f)
	return &fuzzWorld{world: w, own: newTenant(w, "")}
}

// names stands for what is different in each world: ids and keys, so that a corpus holds in all of them.
func (w *fuzzWorld) names() *strings.Replacer {
	n := w.own
	return strings.NewReplacer("{app}", n.app, "{sub}", n.sub, "{event}", n.event, "{invocation}", n.invocation,
		"{job}", n.job, "{key_id}", n.key, "{erasure}", n.erasure, "{operator}", operatorKey,
		"{admin}", n.roles[models.RoleAdmin], "{member}", n.roles[models.RoleMember])
}

// serve answers a request, and requires what holds of every answer: no panic and no 5xx, an id, a problem where it is one.
func (w *fuzzWorld) serve(t *testing.T, r *http.Request) *httptest.ResponseRecorder {
	t.Helper()
	recorder := httptest.NewRecorder()
	w.handler.ServeHTTP(recorder, r.WithContext(context.WithoutCancel(t.Context())))
	require.Less(t, recorder.Code, 500, recorder.Body)
	require.NotEmpty(t, recorder.Header().Get("X-Request-Id"))
	if recorder.Code >= 400 && recorder.Body.Len() > 0 && r.URL.Path != "/metrics" { // whose handler is not ours
		var problem Problem
		require.NoError(t, json.Unmarshal(recorder.Body.Bytes(), &problem), recorder.Body)
		require.Equal(t, recorder.Code, problem.Status)
	}
	return recorder
}

// ask makes a request as the operator.
func (w *fuzzWorld) ask(t *testing.T, method, path string, body []byte, header http.Header) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, path, bytes.NewReader(body))
	if header != nil {
		r.Header = header
	}
	if r.Header.Get("Authorization") == "" {
		r.Header.Set("Authorization", "Bearer "+operatorKey)
	}
	return w.serve(t, r)
}

// FuzzRequest sends whole requests, as they come over the wire, to the router.
func FuzzRequest(f *testing.F) {
	w := newFuzzWorld(f)
	for _, r := range routes() {
		path := strings.NewReplacer("{app}", "{app}", "{name}", "standard", "{type}", "a.b", "{file}", "x", "{messageId}", "{invocation}").Replace(r.path)
		name := map[scope]string{
			scopeSubscription: "{sub}", scopeEvent: "{event}", scopeInvocation: "{invocation}", scopeJob: "{job}", scopeErasure: "{erasure}",
		}[r.scope]
		path = strings.ReplaceAll(path, "{id}", name)
		body := w.own.bodies()[r.id]
		body = strings.ReplaceAll(body, w.own.app, "{app}")
		head := r.method + " " + path + " HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {operator}\r\n"
		if r.provider {
			head = strings.ReplaceAll(head, "{operator}", "{admin}")
		}
		f.Add([]byte(head + "Content-Type: application/json\r\n\r\n" + body))
	}
	for _, text := range []string{
		"GET /v1/applications/{app}/events?limit=2&after=2026-01-01T00:00:00Z&type=a HTTP/1.0\r\nAuthorization: Bearer {member}\r\n\r\n",
		"GET /webhooks/v1/messages?eventTypeId=1796&responseStatus=2 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {admin}\r\n\r\n",
		"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", "HEAD //v1//events HTTP/1.1\r\nHost: x\r\nX-Request-Id: \xff\r\n\r\n",
		"POST /v1/applications/{app}/events/batch HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {operator}\r\n\r\n" +
			`{"events":[{"type":"a","payload":1},{"type":"b","payload":{},"sequence":1,"entity_id":"e"}]}`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		text := w.names().Replace(string(raw))
		head, body, _ := strings.Cut(text, "\r\n\r\n")
		r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(head + "\r\n\r\n")))
		if err != nil || r.Method == http.MethodConnect { // the server answers these itself
			return
		}
		r.Body, r.ContentLength, r.RemoteAddr = http.NoBody, 0, "192.0.2.1:1"
		if body != "" {
			rest := httptest.NewRequestWithContext(t.Context(), r.Method, "/", strings.NewReader(body))
			r.Body, r.ContentLength = rest.Body, rest.ContentLength
		}
		w.serve(t, r)
		if _, err := w.store.Application(context.WithoutCancel(t.Context()), w.own.app); err != nil {
			anew := *w.world
			anew.t, anew.checks = t, nil // which belong to the test around this one
			w.own = newTenant(&anew, "")
		}
	})
}

// FuzzSubscription writes subscriptions of every profile: what is taken can be read, and what is refused is refused.
func FuzzSubscription(f *testing.F) {
	w := newFuzzWorld(f)
	names := []string{"standard", "alviere", "bridge", "aria", "thredd", "viva"}
	apps := map[string]string{}
	for i, name := range names {
		apps[name] = w.application(name, `,"overrides":{"subscription_limit":1000}`)
		f.Add(uint8(i), []byte(anyType))
	}
	for i, body := range []string{
		`{"url":"https://example.com/hook","event_types":["a.*","b"],"name":"n","headers":{"X-A":"1"},"filter":"payload.a > 1","enabled":false}`,
		`{"url":"https://example.com","event_types":["ACCOUNT"],"version":"2021-11-18.1","security_key":"k"}`,
		`{"url":"https://example.com","event_types":["item.created"],"delivery":{"timeout":"5s","success":[200],"rate_limit":1.5,"max_in_flight":2}}`,
		`{"url":"https://example.com","event_types":["loan.updated"],"delivery":{"retry":{"kind":"schedule","delays":["1s"]},"ordering":"fifo"}}`,
		`{"url":"https://example.com","event_types":[101,"102"],"delivery":{"ordering":{"kind":"latest_wins","scope":"entity"}}}`,
		`{"url":"https://example.com","event_types":["1796"],"subscription_type":"webhook"}`,
	} {
		f.Add(uint8(i), []byte(body))
	}
	f.Fuzz(func(t *testing.T, profile uint8, body []byte) {
		app := apps[names[int(profile)%len(names)]]
		made := w.ask(t, "POST", "/v1/applications/"+app+"/subscriptions", body, nil)
		if made.Code != http.StatusCreated {
			return
		}
		var sub struct{ ID string }
		require.NoError(t, json.Unmarshal(made.Body.Bytes(), &sub))
		path := "/v1/subscriptions/" + sub.ID
		require.Equal(t, http.StatusOK, w.ask(t, "GET", path, nil, nil).Code)
		require.Less(t, w.ask(t, "PATCH", path, body, nil).Code, 500)
		require.Equal(t, http.StatusNoContent, w.ask(t, "DELETE", path, nil, nil).Code)
	})
}

// FuzzBasicAuth tries credentials on a provider's route: only the tenant's own open it.
func FuzzBasicAuth(f *testing.F) {
	w := newFuzzWorld(f)
	for _, text := range []string{
		"Basic {app}:{admin}", "Basic {app}:{member}", "Basic :", "Basic {app}", "Bearer {admin}", "basic {admin}:{app}", "Basic =", "",
		"Basic {app}:{operator}",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		names := w.names()
		scheme, pair, _ := strings.Cut(text, " ")
		header := scheme + " " + pair
		if strings.EqualFold(scheme, "Basic") {
			header = scheme + " " + base64.StdEncoding.EncodeToString([]byte(names.Replace(pair)))
		}
		header = names.Replace(header)
		out := w.ask(t, "GET", "/api/messages/config/token", nil, http.Header{"Authorization": {header}})
		if out.Code == http.StatusOK {
			require.Contains(t, header+names.Replace(pair), w.own.roles[models.RoleAdmin])
		}
	})
}

// FuzzIdempotencyKey publishes twice under a key, in the header or in the body: it is refused, or the second is a repeat.
func FuzzIdempotencyKey(f *testing.F) {
	w := newFuzzWorld(f)
	for _, key := range []string{"k", "", " ", "\x00", "\xff", "Ελ", "a\nb", strings.Repeat("k", 257), `"`, "%00"} {
		f.Add(key, true)
		f.Add(key, false)
	}
	path := "/v1/applications/" + w.own.app + "/events"
	f.Fuzz(func(t *testing.T, key string, inHeader bool) {
		publish := func() *httptest.ResponseRecorder {
			if inHeader {
				return w.ask(t, "POST", path, []byte(`{"type":"a","payload":1}`), http.Header{"Idempotency-Key": {key}})
			}
			return w.ask(t, "POST", path, append(append([]byte(`{"type":"a","payload":1,"idempotency_key":`), encoded(key)...), '}'), nil)
		}
		first, second := publish(), publish()
		require.Equal(t, first.Code, second.Code)
		if first.Code != http.StatusAccepted {
			return
		}
		var one, other struct {
			ID        string
			Duplicate bool
		}
		require.NoError(t, json.Unmarshal(first.Body.Bytes(), &one))
		require.NoError(t, json.Unmarshal(second.Body.Bytes(), &other))
		require.Equal(t, key != "" || !inHeader, one.ID == other.ID)
		require.Equal(t, one.ID == other.ID, other.Duplicate)
	})
}

// FuzzID puts texts in the place of ids: they name what they are, or nothing.
func FuzzID(f *testing.F) {
	w := newFuzzWorld(f)
	for _, id := range []string{w.own.event, "1", "..", "%2e%2e", "A", strings.ToUpper(w.own.event), models.NewID(), "\x00", "urn:uuid:" + w.own.event} {
		f.Add(id)
	}
	f.Fuzz(func(t *testing.T, id string) {
		for _, pattern := range []string{"/v1/events/", "/v1/invocations/", "/v1/subscriptions/", "/v1/jobs/", "/v1/erasures/", "/webhooks/v1/messages/"} {
			r := httptest.NewRequestWithContext(t.Context(), "GET", "/", nil)
			r.URL.Path, r.URL.RawPath = pattern+id, ""
			r.Header.Set("Authorization", "Bearer "+w.own.roles[models.RoleAdmin])
			out := w.serve(t, r)
			if out.Code == http.StatusOK {
				require.Contains(t, []string{w.own.event, w.own.invocation, w.own.sub, w.own.job}, strings.Split(id, "/")[0])
			}
		}
	})
}
