package dashboard_test

import (
	"errors"
	"html"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/dashboard"
	"github.com/posthorn/posthorn/models"
)

// pagesOf are the pages of an application that has one of everything.
func pagesOf(app, sub, invocation, job string) []string {
	return []string{
		"/applications/" + app, "/applications/" + app + "/subscriptions", "/applications/" + app + "/subscriptions/new",
		"/subscriptions/" + sub, "/subscriptions/" + sub + "/delete", "/applications/" + app + "/invocations",
		"/invocations/" + invocation, "/applications/" + app + "/jobs", "/applications/" + app + "/jobs/new", "/jobs/" + job,
	}
}

func (w *world) job(app string) string {
	w.t.Helper()
	return w.op("POST", "/v1/applications/"+app+"/redeliveries", `{"filter":{"status":"pending"},"dry_run":true}`, 202)["id"].(string)
}

func TestEveryPageIsLockedDown(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	app := w.application("standard")
	sub := w.subscription(app)
	v := w.signIn(operatorKey)
	pages := append(pagesOf(app, sub, w.invocation(app), w.job(app)), "/applications", "/retry-policies", "/",
		"/assets/style.css", "/assets/htmx.min.js", "/assets/none.css", "/applications/none", "/jobs/x/y/z")
	for _, path := range pages {
		p := v.ask("GET", path, nil)
		policy := p.Header().Get("Content-Security-Policy")
		for _, rule := range []string{
			"default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'", "form-action 'self'",
			"base-uri 'none'", "frame-ancestors 'none'",
		} {
			require.Contains(t, policy, rule, path)
		}
		require.NotContains(t, policy, "unsafe", path)
		require.Equal(t, "nosniff", p.Header().Get("X-Content-Type-Options"), path)
		if strings.HasPrefix(path, "/assets/") {
			continue
		}
		for _, forbidden := range []string{"<style", " style=", "onclick=", "javascript:", "<script>", "https://cdn"} {
			require.NotContains(t, p.html, forbidden, path)
		}
	}
}

func TestAKeySeesItsOwnApplicationOnly(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	app, foreign := w.application("standard"), w.application("standard")
	sub, other := w.subscription(app), w.subscription(foreign)
	own := pagesOf(app, sub, w.invocation(app), w.job(app))
	theirs := pagesOf(foreign, other, w.invocation(foreign), w.job(foreign))
	for _, role := range []string{"admin", "member"} {
		v := w.signIn(w.key(app, role))
		for _, path := range own {
			v.get(path, http.StatusOK)
		}
		for _, path := range theirs {
			v.get(path, http.StatusNotFound)
		}
		v.get("/applications", http.StatusForbidden)
		for _, action := range []string{"disable", "delete", "test", "rotate-secret", "verify", "nonsense"} {
			v.post("/subscriptions/"+other+"/"+action, url.Values{"confirm": {"yes"}}, http.StatusNotFound)
		}
	}
	w.op("GET", "/v1/subscriptions/"+other, "", 200)
}

func TestAMemberReadsAndAnAdminActs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	app := w.application("standard")
	sub := w.subscription(app)
	invocation := w.invocation(app)
	member, admin := w.signIn(w.key(app, "member")), w.signIn(w.key(app, "admin"))
	one := "/subscriptions/" + sub
	require.NotContains(t, member.get(one, http.StatusOK), "Send a test")
	require.NotContains(t, member.get("/invocations/"+invocation, http.StatusOK), "Redeliver</button>")
	require.NotContains(t, member.get("/applications/"+app+"/subscriptions", http.StatusOK), "Create a webhook")
	for _, path := range []string{
		one + "/test", one + "/disable", one + "/enable", one + "/rotate-secret", "/invocations/" + invocation + "/cancel",
		"/invocations/" + invocation + "/redeliver", "/applications/" + app + "/subscriptions", "/applications/" + app + "/jobs",
	} {
		member.post(path, url.Values{"url": {"https://example.com"}, "status": {"failed"}}, http.StatusForbidden)
	}
	require.Contains(t, admin.get(one, http.StatusOK), "Send a test")
	admin.post(one+"/disable", nil, http.StatusSeeOther)
	require.Equal(t, "disabled", w.op("GET", "/v1"+one, "", 200)["status"])

	// What was done is in the audit log, by whom and from where.
	entries := w.op("GET", "/v1/audit?action=disable-subscription", "", 200)["items"].([]any)
	require.Len(t, entries, 1)
	require.Equal(t, "admin", entries[0].(map[string]any)["role"])
	require.Equal(t, "192.0.2.1", entries[0].(map[string]any)["remote_address"])
}

func TestWhatReceiversAndPublishersSayIsEscaped(t *testing.T) {
	t.Parallel()
	const hostile = `</pre></details><script>alert("receiver")</script><img src=x onerror=alert(1)>`
	w := newWorld(t)
	app := w.application("standard")
	sub := w.op("POST", "/v1/applications/"+app+"/subscriptions",
		`{"url":"https://example.com/?\"><script>","name":"<script>name</script>","event_types":["*"]}`, 201)["id"].(string)
	invocation := w.invocation(app)
	w.attempted(invocation, "X-Hostile", hostile)
	v := w.signIn(operatorKey)
	text := v.get("/invocations/"+invocation, http.StatusOK)
	require.Contains(t, text, html.EscapeString("</pre></details><script>"))
	require.Equal(t, 3, strings.Count(text, "alert(&#34;receiver&#34;)"), "as body, header and error")
	require.Contains(t, text, `https://temporal.example/namespaces/default/workflows/`)
	for _, path := range append(pagesOf(app, sub, invocation, w.job(app)),
		"/applications/"+app+"/invocations?status=<script>&event_type=<script>&entity_id=<script>x",
		"/applications/"+app+"/jobs/new?event_type=<script>", "/applications/"+app+"?notice=<script>&hours=<script>") {
		page := v.ask("GET", path, nil).html
		require.NotContains(t, page, "<script>", path)
		require.NotContains(t, page, "<img", path)
	}
}

func TestAFormIsHeldAgainstTheAPI(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	app := w.application("standard")
	v := w.signIn(w.key(app, "admin"))
	wrong := url.Values{
		"url": {"http://example.com"}, "event_types": {"loan.*  not/a/name"}, "headers": {"Bad Header: x\nX-Good: y"},
		"filter": {"payload.amount >"}, "delivery.timeout": {"1ms"}, "delivery.max_in_flight": {"many"},
		"delivery.retry.kind": {"fixed"}, "delivery.retry.interval": {"1ms"},
	}
	for _, path := range []string{"/applications/" + app + "/subscriptions/validate", "/applications/" + app + "/subscriptions"} {
		p := v.ask("POST", path, wrong)
		if strings.HasSuffix(path, "validate") {
			require.Equal(t, http.StatusOK, p.Code)
		} else {
			require.Equal(t, http.StatusUnprocessableEntity, p.Code)
		}
		for _, field := range []string{"url", "event-types", "headers", "filter"} {
			require.Regexp(t, `id="field-`+field+`-error"[^>]*>[^<]+<`, p.html, path)
		}
	}
	require.Empty(t, w.op("GET", "/v1/applications/"+app+"/subscriptions", "", 200)["items"])

	right := url.Values{
		"url": {"https://example.com/hook"}, "name": {"Mine"}, "event_types": {"loan.*, order.created"}, "headers": {"X-Good: y"},
		"filter": {"payload.amount > 1"}, "delivery.timeout": {"2s"}, "delivery.rate_limit": {"2.5"}, "delivery.max_in_flight": {"3"},
		"delivery.retry.kind": {"schedule"}, "delivery.retry.delays": {"1s, 1m"}, "delivery.retry.jitter": {"0.1"},
	}
	require.Contains(t, v.ask("POST", "/applications/"+app+"/subscriptions/validate", right).html, "No fault so far")
	made := v.post("/applications/"+app+"/subscriptions", right, http.StatusOK)
	require.Contains(t, made.html, "whsec_", "the secret, this once")
	sub := w.op("GET", "/v1/applications/"+app+"/subscriptions", "", 200)["items"].([]any)[0].(map[string]any)
	require.Equal(t, []any{"loan.*", "order.created"}, sub["event_types"])
	require.Equal(t, "Mine", sub["name"])
	delivery := sub["delivery"].(map[string]any)
	require.Equal(t, "2s", delivery["timeout"])
	require.InDelta(t, 2.5, delivery["rate_limit"], 0)
	require.Equal(t, []any{"1s", "1m"}, delivery["retry"].(map[string]any)["delays"])
	require.NotContains(t, v.get("/subscriptions/"+sub["id"].(string), http.StatusOK), "whsec_")
	require.NotContains(t, v.get("/subscriptions/"+sub["id"].(string), http.StatusOK), "X-Good: y")
}

// Every profile's form has the fields that the profile uses, and no others.
func TestTheFormIsTheProfiles(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v := w.signIn(operatorKey)
	for profile, want := range map[string]struct{ has, hasNot []string }{
		"standard": {[]string{`id="field-headers"`, `id="field-event-types"`}, []string{`"security_key"`, `"version"`}},
		"alviere":  {[]string{`"security_key"`, `"version"`, `type="radio" name="event_types"`}, []string{`id="field-headers"`}},
		"bridge":   {[]string{`type="checkbox" name="event_types"`}, []string{`"security_key"`, `id="field-headers"`}},
		"thredd":   {[]string{`type="checkbox" name="event_types"`, `id="field-headers"`}, []string{`"version"`}},
		"viva":     {[]string{`type="radio" name="event_types"`}, []string{`id="field-headers"`}},
	} {
		text := v.get("/applications/"+w.application(profile)+"/subscriptions/new", http.StatusOK)
		for _, part := range want.has {
			require.Contains(t, text, part, profile)
		}
		for _, part := range want.hasNot {
			require.NotContains(t, text, part, profile)
		}
	}
}

func TestAURLIsVerified(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	app := w.application("viva")
	v := w.signIn(w.key(app, "admin"))
	made := v.post("/applications/"+app+"/subscriptions",
		url.Values{"url": {"https://example.com/hook"}, "event_types": {"transaction.created"}}, http.StatusSeeOther)
	one, _, _ := strings.Cut(made.Header().Get("Location"), "?")
	require.Regexp(t, `\{&#34;Key&#34;:&#34;[0-9A-F]{40}&#34;\}|\{"Key":"[0-9A-F]{40}"\}`, v.get(one, http.StatusOK))
	require.NotRegexp(t, `[0-9A-F]{40}`, w.signIn(operatorKey).get(one, http.StatusOK), "for the application's own keys alone")
	w.verify = func() error {
		return models.Errorf(models.CodeVerificationFailed, "the URL could not be verified: <b>no</b>")
	}
	refused := v.post(one+"/verify", nil, http.StatusUnprocessableEntity)
	require.Contains(t, refused.html, "&lt;b&gt;no&lt;/b&gt;")
	w.verify = func() error { return errors.New("secret cause") }
	require.NotContains(t, v.post(one+"/verify", nil, http.StatusInternalServerError).html, "secret cause")
	w.verify = nil
	v.post(one+"/verify", nil, http.StatusSeeOther)
	require.Contains(t, v.get(one+"?notice=verified", http.StatusOK), "The URL is verified")
}

func TestManyAreCountedBeforeTheyAreRedelivered(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	app := w.application("standard")
	w.subscription(app)
	w.invocation(app)
	v := w.signIn(w.key(app, "admin"))
	path := "/applications/" + app + "/jobs"
	counted := v.post(path, url.Values{"status": {"pending"}, "count": {"yes"}, "rate": {"5"}}, http.StatusOK)
	require.Contains(t, counted.html, "<b>1</b> delivery matches")
	require.Contains(t, v.post(path, url.Values{"status": {"pending"}, "rate": {"many"}}, http.StatusUnprocessableEntity).html, "rate")
	require.Contains(t, v.post(path, url.Values{"count": {"yes"}}, http.StatusOK).html, "<b>1</b> delivery matches", "everything")
	begun := v.post(path, url.Values{"status": {"pending"}, "rate": {"5"}, "after": {"2020-01-01T00:00"}}, http.StatusSeeOther)
	job := begun.Header().Get("Location")
	require.Contains(t, v.get(job, http.StatusOK), "0 of 1 seen to")
	v.post(job+"/pause", nil, http.StatusSeeOther)
	require.Contains(t, v.get(job, http.StatusOK), "Resume")
	v.post(job+"/resume", nil, http.StatusSeeOther)
	v.post(job+"/cancel", nil, http.StatusSeeOther)
	v.post(job+"/pause", nil, http.StatusConflict)
	v.post(job+"/nonsense", nil, http.StatusNotFound)
}

func TestDeletingIsConfirmed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	sub := w.subscription(w.application("standard"))
	v := w.signIn(operatorKey)
	p := v.post("/subscriptions/"+sub+"/delete", nil, http.StatusSeeOther)
	require.Equal(t, "/subscriptions/"+sub+"/delete", p.Header().Get("Location"))
	require.Contains(t, v.get("/subscriptions/"+sub+"/delete", http.StatusOK), "cannot be undone")
	w.op("GET", "/v1/subscriptions/"+sub, "", 200)
	v.post("/subscriptions/"+sub+"/delete", url.Values{"confirm": {"yes"}}, http.StatusSeeOther)
	w.op("GET", "/v1/subscriptions/"+sub, "", 404)
}

// A page that is left open asks for its live part alone, says what changed, and stops after a while.
func TestAPageKeepsItselfUpToDateForAWhile(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	app := w.application("standard")
	w.subscription(app)
	one := "/invocations/" + w.invocation(app)
	v := w.signIn(operatorKey)
	require.Contains(t, v.get(one, http.StatusOK), `hx-get="`+one+`?polls=1&amp;seen=pending0"`)
	poll := v.ask("GET", one+"?polls=1&seen=pending0", nil, "HX-Request", "true", "HX-Target", "live").html
	require.NotContains(t, poll, "<html")
	require.NotContains(t, poll, "announcement", "nothing has changed")
	w.attempted(one[len("/invocations/"):], "X-A", "b")
	poll = v.ask("GET", one+"?polls=2&seen=pending0", nil, "HX-Request", "true", "HX-Target", "live").html
	require.Contains(t, poll, "retrying, 1 attempts")
	require.NotContains(t, v.get(one+"?polls=600", http.StatusOK), "hx-trigger")

	v.cookie = nil
	expired := v.ask("GET", one+"?polls=2", nil, "HX-Request", "true", "HX-Target", "live")
	require.Equal(t, "/", expired.Header().Get("HX-Redirect"))
}

func TestWhatIsNoPageIsTheAPIs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v := w.signIn(operatorKey)
	for path, want := range map[string]int{
		"/healthz": 200, "/docs": 200, "/openapi.json": 200, "/v1/me": 401, "/v1//x": 404, "//applications": 404,
		"/v1/applications/../me": 404, "/nothing": 404,
	} {
		p := v.ask("GET", path, nil)
		require.Equal(t, want, p.Code, path)
		require.NotContains(t, p.Header().Get("Set-Cookie"), "posthorn", path)
	}
	require.Equal(t, "application/problem+json", v.ask("GET", "/v1/me", nil).Header().Get("Content-Type"), "a cookie is no credential there")
	_, err := dashboard.New(dashboard.Options{})
	require.Error(t, err)
}
