package api

import (
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/models"
)

// injections are what somebody types who hopes that a statement is put together from it.
func injections() []string {
	return []string{
		"1=1;--", "' OR '1'='1", `" OR ""="`, "'; DROP TABLE events; --", "') UNION SELECT digest FROM keys --",
		"1); DELETE FROM applications; --", "$1", "?", "@p1", `\'; SELECT pg_sleep(10); --`, "%27%20OR%201=1",
		"(CASE WHEN 1=1 THEN id ELSE created_at END)", "id desc", "id; ATTACH DATABASE 'x' AS y",
	}
}

// stringsOf lists the places of a schema where a string may be given.
func (d *documentChecker) stringsOf(schema any, place string) (places []string) {
	for {
		ref, isRef := dig(schema, "$ref").(string)
		if !isRef {
			break
		}
		schema = dig(d.document, strings.Split(strings.TrimPrefix(ref, "#/"), "/")...)
	}
	if kind := dig(schema, "type"); kind == "string" || fmt.Sprint(kind) == "[string null]" {
		return []string{place}
	}
	properties, _ := dig(schema, "properties").(map[string]any)
	for name, inner := range properties {
		places = append(places, d.stringsOf(inner, strings.TrimPrefix(place+"."+name, "."))...)
	}
	if items := dig(schema, "items"); items != nil {
		places = append(places, d.stringsOf(items, place+".0")...)
	}
	return places
}

// properties are the names of the members of a schema.
func (d *documentChecker) properties(schema any) map[string]bool {
	if ref, isRef := dig(schema, "$ref").(string); isRef {
		schema = dig(d.document, strings.Split(strings.TrimPrefix(ref, "#/"), "/")...)
	}
	names := map[string]bool{}
	members, _ := dig(schema, "properties").(map[string]any)
	for name := range members {
		names[name] = true
	}
	return names
}

// bodies are what routes take, to be changed in one place: so that the rest of a request is as it should be.
func (n *tenant) bodies() map[string]string {
	return map[string]string{
		"create-application":    `{"name":"n","profile":"standard"}`,
		"create-key":            `{"role":"member","name":"k"}`,
		"create-deployment-key": `{"role":"publisher","name":"k"}`,
		"create-event-type":     `{"name":"a.b"}`,
		"create-subscription":   anyType,
		"publish-event":         `{"type":"a.b","payload":{}}`,
		"redeliver-invocations": `{"dry_run":true}`,
		"create-erasure":        `{"application_id":"` + n.app + `","entity_id":"nobody","reason":"r"}`,
	}
}

// changed is a JSON object with the members of another one.
func changed(object, change string) string {
	out := map[string]json.RawMessage{}
	for _, text := range []string{object, change} {
		if text != "" {
			_ = json.Unmarshal([]byte(text), &out)
		}
	}
	text, _ := json.Marshal(out)
	return string(text)
}

// bodyWith is a JSON body with nothing but the text at the place.
func bodyWith(place, text string) string {
	quoted := string(encoded(text))
	parts := strings.Split(place, ".")
	for _, name := range slices.Backward(parts) {
		if name == "0" {
			quoted = "[" + quoted + "]"
			continue
		}
		quoted = `{"` + name + `":` + quoted + "}"
	}
	return quoted
}

// ask is one request of a stranger.
type ask struct{ key, method, path, body string }

// asksWith are requests of every route of the table with the text in each parameter of the path and of the query, and
// in each string of the body, that the document has for it.
func (w *world) asksWith(n *tenant, text string) (asks []ask) {
	for _, r := range routes() {
		if r.public {
			continue
		}
		key := operatorKey
		if r.provider {
			key = n.roles[models.RoleAdmin]
		}
		op := dig(w.checks.document, "paths", r.path, strings.ToLower(r.method))
		for _, p := range pathParameters(r.path) {
			asks = append(asks, ask{key, r.method, n.path(r.with(p.Name, url.PathEscape(text)), ""), ""})
		}
		for _, p := range list(op, "parameters") {
			if dig(p, "in") == "query" {
				asks = append(asks, ask{key, r.method, n.path(r, "") + "?" + url.Values{dig(p, "name").(string): {text}}.Encode(), ""})
			}
		}
		asks = append(asks, ask{key, r.method, n.path(r, "") + "?" + url.Values{"sort": {text}, "order_by": {text}, text: {"1"}}.Encode(), ""})
		for _, place := range w.checks.stringsOf(dig(op, "requestBody", "content", "application/json", "schema"), "") {
			asks = append(asks, ask{key, r.method, n.path(r, ""), changed(n.bodies()[r.id], bodyWith(place, text))})
		}
	}
	return asks
}

func list(value any, path ...string) []any {
	items, _ := dig(value, path...).([]any)
	return items
}

// with is the route with one parameter of its path filled.
func (r route) with(parameter, value string) route {
	r.path = strings.ReplaceAll(r.path, "{"+parameter+"}", value)
	return r
}

// F62: nobody talks to the database but by bound values. Whatever is in a string, the answer is a refusal, or what such
// a string means; no statement breaks, none takes long, and no row is there or gone that should not.
func TestF62_NothingThatIsWrittenReachesAStatement(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		own, other := newTenant(w, ""), newTenant(w, "")
		before := w.op("GET", "/v1/applications?limit=500", "").is(200)["items"].([]any)
		tried, taken := 0, 0
		for _, text := range injections() {
			for _, a := range w.asksWith(own, text) {
				began := time.Now()
				out := w.do(a.key, a.method, a.path, a.body)
				require.Less(t, out.status, 500, "%s %s %s: %s", a.method, a.path, a.body, out.body)
				require.Less(t, time.Since(began), 8*time.Second, "%s %s %s", a.method, a.path, a.body)
				require.NotContains(t, strings.ToLower(string(out.body)), "syntax error")
				tried++
				if out.status < 300 {
					taken++
				}
			}
		}
		require.Greater(t, tried, 1000)
		require.Greater(t, taken, 100, "they are stored and looked for too")
		t.Logf("%d requests, %d of them taken", tried, taken)
		after := w.op("GET", "/v1/applications?limit=500", "").is(200)["items"].([]any)
		require.GreaterOrEqual(t, len(after), len(before))
		for _, n := range []*tenant{own, other} {
			for _, path := range []string{
				"/v1/applications/" + n.app, "/v1/subscriptions/" + n.sub, "/v1/events/" + n.event,
				"/v1/invocations/" + n.invocation, "/v1/jobs/" + n.job, "/v1/applications/" + n.app + "/keys",
			} {
				w.op("GET", path, "").is(200)
			}
		}
		require.NotContains(t, w.log.String(), "request failed")
		require.NotContains(t, w.log.String(), "panic")
	})
}

// F63: an id is an id. Whatever else is in its place names nothing, and leads to no other route or file.
func TestF63_NoPathLeadsAstray(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	own := newTenant(w, "")
	for _, text := range []string{
		"..%2f", "..%2f..%2fgo.mod", "%2e%2e%2f%2e%2e", "..%5c..", "%00", own.app + "%00", own.sub + ";x", ";", "a;b=c", ".", "..", "%2e",
		"%252e%252e%252f", "....//", own.event + "%2f", "%2fetc%2fpasswd", "C:%5cwindows", "~root", "%c0%ae%c0%ae%c0%af", "%ff",
		"{id}", ":id", "*", "-1", strings.Repeat("a", 10_000),
	} {
		for _, r := range routes() {
			if !strings.Contains(r.path, "{") {
				continue
			}
			path := regexp.MustCompile(`\{\w+\}`).ReplaceAllLiteralString(r.path, text)
			key := operatorKey
			if r.provider {
				key = own.roles[models.RoleAdmin]
			}
			out := w.do(key, r.method, path, "{}")
			require.Contains(t, []int{400, 404, 405, 422}, out.status, "%s %s: %s", r.method, path, out.body)
			require.NotContains(t, string(out.body), "module github.com")
			require.NotContains(t, string(out.body), "root:")
		}
	}
	w.op("GET", "/v1/subscriptions/"+own.sub, "").is(200)
}

// F64: a host is a name that resolves as it is written, or nothing. The guard that dials has the last word.
func TestF64_HostsAreNormalisedOrRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	app := w.application("standard", `,"overrides":{"subscription_limit":1000}`)
	label := strings.Repeat("a", 63)
	long := strings.Join([]string{label, label, label, label[:61]}, ".") // 253 characters
	path := "/v1/applications/" + app + "/subscriptions"
	create := func(host string) *reply {
		body := `{"event_types":["*"],"url":` + string(encoded("https://"+host+"/hook")) + `}`
		return w.op("POST", path, body)
	}
	for _, host := range []string{
		"xn--mnchen-3ya.example.com", "example.com", "EXAMPLE.com", "a-b.example.com", "sub.xn--p1ai", "münchen.example.com",
		"пример.рф", long, "example.com.",
	} {
		out := create(host)
		if out.status == 201 {
			continue
		}
		out.problem(422, models.CodeValidation, "url")
		t.Logf("%s is refused: %s", host, out.body)
	}
	for _, host := range []string{
		"localhost", "localhost.", "LOCALHOST", "foo.localhost", "①②⑦.⓪.⓪.①", "127。0。0。1", "127.1", "2130706433", "0x7f000001",
		"0177.0.0.1", "127.0.0.1.", "xn--", "xn--a.example.com", "xn--99999999999.example.com", long + "a", long + ".com",
		strings.Repeat("a", 64) + ".com", "-a.example.com", "a..example.com", ".example.com", "exa mple.com", "example.com%00", "[::1]",
		"[::ffff:127.0.0.1]", "[fe80::1%25eth0]", "user@example.com", "169.254.169.254", "ex\u00adample..com",
		"a.example.com:99999", "a.example.com:-1", "", ".", "..", "*",
	} {
		out := create(host)
		require.Equal(t, 422, out.status, "%q: %s", host, out.body)
		require.Contains(t, []any{"validation_failed", "blocked_url"}, out.is(422)["code"])
	}
	for _, item := range w.op("GET", path+"?limit=500", "").is(200)["items"].([]any) {
		host, err := url.Parse(item.(map[string]any)["url"].(string))
		require.NoError(t, err)
		t.Logf("stored: %s", host.Host)
	}
}

// F60: the database decides what is a repeat, whatever Temporal still knows, and however many ask at once.
func TestF60_RepeatsAreOneEvent(t *testing.T) {
	t.Parallel()
	for name, at := range databases() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			time0 := &clock{now: time.Now()}
			w := newWorldOn(t, at(t), time0.Now, nil)
			app, other := w.application("standard", ""), w.application("standard", "")
			w.subscription(app, anyType)
			path := "/v1/applications/" + app + "/events"
			const body = `{"type":"a","payload":{"n":1},"idempotency_key":"k"}`

			const askers = 100
			answers := make([]map[string]any, askers)
			var group sync.WaitGroup
			for i := range askers {
				group.Go(func() { answers[i] = w.op("POST", path, body).is(202) })
			}
			group.Wait()
			firsts := 0
			for _, answer := range answers {
				require.Equal(t, answers[0]["id"], answer["id"])
				require.Equal(t, answers[0]["sequence"], answer["sequence"])
				require.Equal(t, answers[0]["invocations"], answer["invocations"])
				if answer["duplicate"] == false {
					firsts++
				}
			}
			require.Equal(t, 1, firsts)
			require.Len(t, w.op("GET", path, "").is(200)["items"], 1)
			require.Len(t, w.op("GET", "/v1/applications/"+app+"/invocations", "").is(200)["items"], 1)

			w.op("POST", path, strings.Replace(body, "1", "2", 1)).problem(409, models.CodeIdempotencyMismatch)
			w.op("POST", path, `{"type":"a","payload":{"n":1}}`, "Idempotency-Key", "k").is(202)
			w.op("POST", path, `{"type":"b","payload":{"n":1}}`, "Idempotency-Key", "k").problem(409, models.CodeIdempotencyMismatch)
			require.NotEqual(t, answers[0]["id"], w.op("POST", "/v1/applications/"+other+"/events", body).is(202)["id"])

			// For as long as the event is kept, whatever Temporal has forgotten; then the key is free.
			time0.advance(700 * time.Hour)
			require.Equal(t, answers[0]["id"], w.op("POST", path, body).is(202)["id"])
			invocation := answers[0]["invocations"].([]any)[0].(map[string]any)["id"].(string)
			w.op("POST", "/v1/invocations/"+invocation+"/cancel", "").is(202)
			w.purge(time0.Now().Add(time.Hour))
			again := w.op("POST", path, body).is(202)
			require.NotEqual(t, answers[0]["id"], again["id"])
			require.Equal(t, false, again["duplicate"])
		})
	}
}

// purge removes what ended before, once the dispatcher's work is done.
func (w *world) purge(before time.Time) {
	w.t.Helper()
	commands, err := w.store.TakeCommands(w.t.Context(), 100)
	require.NoError(w.t, err)
	for _, command := range commands {
		require.NoError(w.t, w.store.MarkCommand(w.t.Context(), command))
	}
	for from := (models.PurgeCursor{}); ; {
		step, err := w.store.Purge(w.t.Context(), before, from, 100)
		require.NoError(w.t, err)
		if step.Done {
			return
		}
		from = step.Next
	}
}
