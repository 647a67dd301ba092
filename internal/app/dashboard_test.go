package app_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Somebody who has never seen it creates a webhook, verifies its URL, sends a test and finds what their server
// answered, in under two minutes.
func TestDashboardFirstWebhookInTwoMinutes(t *testing.T) {
	t.Parallel()
	w := start(t, embedded(t), everything)
	s := newSink(t, answer{status: 200, body: "thank you for the test"})
	app := w.application("viva", "")
	key := w.call("POST", "/v1/applications/"+app+"/keys", object{"role": "admin", "name": "first"}, 201)["key"].(string)
	b := newBrowser(t, w)

	started := time.Now()
	b.signIn(key)
	b.sees("Begin here")
	b.click("Create a webhook")
	b.enter("field-url", "ftp://example.com")
	b.sees("see the marked fields")
	b.enter("field-url", s.URL)
	b.click("transaction.created")
	b.sees("No fault so far")
	b.click("Create")
	b.sees("Verify the URL")
	b.click("Verify")
	b.sees("could not be verified") // its server answers something else yet
	s.shows(answer{status: 200, body: strings.TrimSpace(b.text("pre.code"))})
	b.click("Verify")
	b.sees("The URL is verified")
	b.click("Send a test")
	b.sees("succeeded")
	b.click("Response")
	b.sees("thank you for the test")
	require.Less(t, time.Since(started), 2*time.Minute)
	b.clean()
}

// What a receiver answers is shown, and is nothing but text.
func TestDashboardShowsHostileAnswersAsText(t *testing.T) {
	t.Parallel()
	const hostile = `</pre><script>document.title="owned"</script><img src=x onerror='document.title="owned"'>`
	w := start(t, embedded(t), everything)
	s := newSink(t, answer{status: 200, body: hostile, header: http.Header{"X-Hostile": {"<b onmouseover=alert(1)>"}}})
	app := w.application("standard", "")
	w.subscription(app, s.URL, object{"name": `"><script>document.title="owned"</script>`})
	_, ids := w.published(app, `{"type":"a.b","payload":{"text":"<script>document.title=\"owned\"</script>"}}`)
	w.becomes(ids[0], "succeeded")

	b := newBrowser(t, w)
	b.signIn(w.key)
	b.sees("Applications")
	b.open("/invocations/" + ids[0])
	b.click("Payload")
	b.click("Request")
	b.click("Response")
	b.sees(hostile)
	b.sees("<b onmouseover=alert(1)>")
	require.NotContains(t, value[string](b, "document.title"), "owned")
	b.open("/applications/" + app + "/subscriptions")
	b.sees(`"><script>`)
	require.NotContains(t, value[string](b, "document.title"), "owned")
	b.clean()
}

// shop is an application with deliveries that went well, that failed and that are still being tried.
type shop struct {
	app, good, bad, open string
	failed               string
}

func newShop(w *world) *shop {
	w.t.Helper()
	good := newSink(w.t, answer{status: 200, body: `{"received":true}`})
	bad := newSink(w.t, answer{status: 503, body: "<h1>Service Unavailable</h1>"})
	s := &shop{app: w.application("standard", "")}
	w.call("PATCH", "/v1/applications/"+s.app, object{"name": "Corner shop"}, 200)
	s.good = w.subscription(s.app, good.URL, object{"name": "Orders", "event_types": []string{"order.*"}})["id"].(string)
	s.bad = w.subscription(s.app, bad.URL, object{
		"name": "Warehouse", "event_types": []string{"stock.changed"},
		"delivery": object{"retry": object{"kind": "fixed", "interval": "20ms", "max_attempts": 3}},
	})["id"].(string)
	s.open = w.subscription(s.app, bad.URL, object{"name": "Accounting", "event_types": []string{"invoice.sent"}})["id"].(string)
	for i := range 12 {
		_, ids := w.published(s.app, fmt.Sprintf(`{"type":"order.created","entity_id":"order-%d","payload":{"order":%d,"total":"%d.50"}}`, i, i, 10+i))
		w.becomes(ids[0], "succeeded")
	}
	for i := range 3 {
		_, ids := w.published(s.app, fmt.Sprintf(`{"type":"stock.changed","payload":{"item":%d}}`, i))
		w.becomes(ids[0], "failed")
		s.failed = ids[0]
	}
	_, ids := w.published(s.app, `{"type":"invoice.sent","payload":{"invoice":7}}`)
	w.becomes(ids[0], "retrying")
	return s
}

// Every main page, light and dark, on a desk and on a phone, has no violation of axe-core's rules.
func TestDashboardIsAccessible(t *testing.T) {
	t.Parallel()
	w := start(t, embedded(t), everything)
	s := newShop(w)
	job := w.call("POST", "/v1/applications/"+s.app+"/redeliveries",
		object{"filter": object{"status": "failed"}, "dry_run": true}, 202)["id"].(string)
	alviere := w.application("alviere", "")
	b := newBrowser(t, w)
	check := func(name string) {
		t.Helper()
		for _, size := range []screenSize{desktop, phone} {
			for _, scheme := range []string{"light", "dark"} {
				b.screen(size, scheme)
				b.accessible(name + " " + size.name + " " + scheme)
				b.shoot(name + "-" + size.name + "-" + scheme)
			}
		}
		b.screen(desktop, "light")
	}
	b.open("/")
	check("sign-in")
	b.signIn(w.key)
	b.sees("Applications")
	for _, page := range []struct{ name, path string }{
		{"applications", "/applications"},
		{"overview", "/applications/" + s.app},
		{"webhooks", "/applications/" + s.app + "/subscriptions"},
		{"webhook", "/subscriptions/" + s.good},
		{"webhook-new", "/applications/" + s.app + "/subscriptions/new"},
		{"webhook-new-catalogue", "/applications/" + alviere + "/subscriptions/new"},
		{"webhook-delete", "/subscriptions/" + s.good + "/delete"},
		{"deliveries", "/applications/" + s.app + "/invocations"},
		{"delivery", "/invocations/" + s.failed},
		{"redeliveries", "/applications/" + s.app + "/jobs"},
		{"redelivery-new", "/applications/" + s.app + "/jobs/new"},
		{"redelivery", "/jobs/" + job},
		{"retry-policies", "/retry-policies"},
		{"not-found", "/invocations/none"},
	} {
		b.open(page.path)
		if page.name == "delivery" {
			b.click("Response")
		}
		check(page.name)
	}
	b.clean()
}

// Every button and link does what it says.
func TestDashboardEveryButton(t *testing.T) {
	t.Parallel()
	w := start(t, embedded(t), everything)
	s := newShop(w)
	b := newBrowser(t, w)
	b.signIn("ph_admin_wrong")
	b.sees("That key is not valid")
	b.signIn(w.key)

	t.Log("applications")
	b.sees("Corner shop")
	b.enter("name", "Second shop")
	b.choose("profile", "bridge")
	b.click("Create")
	b.sees("The application was created")
	b.click("Create a webhook")
	b.sees("How to deliver")
	b.click("Back")
	b.sees("There is no webhook yet")
	b.click("Overview")
	b.sees("Begin here")
	b.click("Applications")
	b.click("Corner shop")
	b.sees("Latest deliveries")
	b.click("7 days")
	b.sees("12 succeeded")
	b.click("The numbers")
	b.click("All deliveries")
	b.sees("order.created")

	b.everyButtonOfAWebhook(w, s)
	b.everyButtonOfDeliveries(w, s)
	b.everyButtonOfJobs(s)
	b.everyFieldOfARetryPolicy()

	b.click("Sign out")
	b.sees("API key")
	b.open("/applications/" + s.app)
	b.sees("Sign in")
	b.clean()
}

func (b *browser) everyButtonOfAWebhook(w *world, s *shop) {
	b.t.Helper()
	b.click("Webhooks")
	for _, status := range []string{"Active", "Unverified", "Failing", "Disabled", "Gone", "All"} {
		b.narrow(status)
	}
	b.sees("Warehouse")
	b.click("Create a webhook")
	b.enter("field-url", "https://example.com/hooks")
	b.enter("field-headers", "X-Shop: corner")
	b.enter("field-filter", "payload.total >")
	b.sees("see the marked fields")
	b.click("Create")
	b.sees("One field needs your attention")
	b.enter("field-filter", "payload.total > 10")
	b.sees("No fault so far")
	b.click("How to deliver")
	b.click("Fixed")
	b.enter("field-delivery-retry-interval", "5m")
	b.enter("field-delivery-retry-max-attempts", "4")
	b.sees("4 attempts, the last 15 min after the first")
	b.click("Create")
	b.sees("The webhook was created")
	require.Contains(b.t, b.text("code.copy"), "whsec_")
	b.click("Delete")
	b.sees("This cannot be undone")
	b.click("Keep it")
	b.sees("payload.total > 10")
	b.seesNot("whsec_")
	b.click("Rotate the secret")
	b.sees("goes on signing beside it")
	b.click("Delete")
	b.sees("This cannot be undone")
	b.click("Delete")
	b.sees("The webhook was deleted")

	b.open("/subscriptions/" + s.good)
	b.sees("Orders")
	b.click("Retries")
	b.click("Disable")
	b.sees("The webhook is disabled")
	require.Equal(b.t, "disabled", w.call("GET", "/v1/subscriptions/"+s.good, nil, 200)["status"])
	b.click("Enable")
	b.sees("The webhook is enabled")
	b.click("Send a test")
	b.sees("The test is on its way")
	b.sees("200 OK")
}

func (b *browser) everyButtonOfDeliveries(w *world, s *shop) {
	b.t.Helper()
	b.open("/applications/" + s.app + "/invocations")
	b.choose("status", "failed")
	b.click("Filter")
	b.gone("order-3")
	b.sees("stock.changed")
	b.click("All")
	b.sees("order-4")
	b.enter("entity", "order-3")
	b.choose("subscription", s.good)
	b.click("Filter")
	b.gone("order-4")
	b.sees("order-3")
	b.enter("event-type", "order created")
	b.click("Filter")
	b.sees("is not an event type")

	b.open("/invocations/" + s.failed)
	b.sees("Service Unavailable")
	b.click("Redeliver")
	b.sees("It is being delivered once more")
	b.sees("redeliver ·")
	open := w.call("GET", "/v1/applications/"+s.app+"/invocations?status=retrying", nil, 200)["items"].([]any)[0].(map[string]any)
	b.open("/invocations/" + open["id"].(string))
	b.click("Cancel")
	b.sees("It was cancelled")
	w.becomes(open["id"].(string), "cancelled")

	// A list that is open shows what comes, without a hand being moved.
	b.open("/applications/" + s.app + "/invocations")
	b.sees("Updates by itself")
	w.publish(s.app, `{"type":"order.created","entity_id":"order-of-this-moment","payload":{}}`)
	b.sees("order-of-this-moment")
	for i := range 30 {
		w.publish(s.app, fmt.Sprintf(`{"type":"order.created","entity_id":"later-%d","payload":{}}`, i))
	}
	b.sees("later-29")
	b.click("Older")
	b.sees("order-of-this-moment")
}

func (b *browser) everyButtonOfJobs(s *shop) {
	b.t.Helper()
	b.click("Redeliveries")
	b.sees("Nothing was redelivered in bulk yet")
	b.click("Redeliver many")
	b.choose("subscription", s.bad)
	b.click("Count")
	b.sees("3 deliveries match")
	b.enter("rate", "1")
	b.click("Redeliver")
	b.sees("of 3 seen to")
	b.click("Pause")
	b.sees("The redelivery is paused")
	b.click("Resume")
	b.sees("The redelivery goes on")
	b.sees("3 of 3 seen to")
	b.sees("completed")

	b.open("/applications/" + s.app + "/jobs/new?status=succeeded")
	b.enter("rate", "1")
	b.click("Redeliver")
	b.sees("seen to")
	b.click("Cancel")
	b.sees("The redelivery was cancelled")
	b.click("Redeliveries")
	b.sees("completed")
	b.sees("counted only")
}

func (b *browser) everyFieldOfARetryPolicy() {
	b.t.Helper()
	b.click("Retry policies")
	b.sees("10 attempts")
	b.click("Schedule")
	b.enter("field-delivery-retry-delays", "5s, 1m, 1h")
	b.sees("4 attempts, the last 1 h 1 min after the first")
	b.click("Polynomial")
	b.enter("field-delivery-retry-initial", "1s")
	b.enter("field-delivery-retry-degree", "2")
	b.enter("field-delivery-retry-max-attempts", "3")
	b.sees("3 attempts, the last 5 s after the first")
	b.enter("field-delivery-retry-initial", "soon")
	b.sees("This policy is not complete yet")
	b.click("Exponential")
	b.enter("field-delivery-retry-initial", "1s")
	b.enter("field-delivery-retry-factor", "3")
	b.sees("3 attempts, the last 4 s after the first")
	b.click("The retries as a table")
	b.sees("After the attempt before")
}
