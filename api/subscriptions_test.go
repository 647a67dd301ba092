package api

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/models"
)

func TestASubscriptionIsCreatedReadChangedAndDeleted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	app := w.application("standard", "")
	made := w.op("POST", "/v1/applications/"+app+"/subscriptions", `{
		"url":"https://example.com/hook?q=1","name":"prod","event_types":["loan.*","card.created"],
		"headers":{"X-Api-Key":"canary","Authorization":"Bearer canary"},"subscription_type":"webhook",
		"delivery":{"timeout":"2s","retry":{"kind":"fixed","interval":"1m"},"ordering":"none","max_in_flight":3}}`).is(201)
	require.True(t, strings.HasPrefix(made["secret"].(string), "whsec_"))
	require.True(t, strings.HasPrefix(made["public_key"].(string), "whpk_"))
	require.Equal(t, []any{}, made["warnings"])
	path := "/v1/subscriptions/" + made["id"].(string)
	out := w.op("GET", path, "")
	read := out.is(200)
	require.NotContains(t, string(out.body), "canary")
	require.NotContains(t, read, "secret")
	delete(made, "secret")
	delete(made, "warnings")
	require.Equal(t, made, read)
	require.Equal(t, "active", read["status"])
	require.Equal(t, map[string]any{"X-Api-Key": "***", "Authorization": "***"}, read["headers"])
	delivery := read["delivery"].(map[string]any)
	require.Equal(t, "2s", delivery["timeout"])
	require.Equal(t, map[string]any{"kind": "fixed", "interval": "1m"}, delivery["retry"])
	require.Nil(t, delivery["rate_limit"])
	require.Equal(t, "2xx", delivery["success"])

	changed := w.op("PATCH", path, `{"name":null,"url":"https://example.com/other","delivery":null,"enabled":false}`).is(200)
	require.Nil(t, changed["name"])
	require.Equal(t, "https://example.com/other", changed["url"])
	require.Equal(t, "disabled", changed["status"])
	require.Equal(t, "15s", changed["delivery"].(map[string]any)["timeout"])
	require.Equal(t, read["created_at"], changed["created_at"])
	require.Equal(t, read["event_types"], changed["event_types"])
	require.Equal(t, read["headers"], changed["headers"])

	w.op("DELETE", path, "").is(204)
	w.op("GET", path, "").problem(404, models.CodeNotFound)
	w.op("DELETE", path, "").problem(404, models.CodeNotFound)
}

func TestBadSubscriptionsAreRefusedAndNotStored(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	apps := map[string]string{"standard": w.application("standard", ""), "viva": w.application("viva", "")}
	const ok = `"url":"https://example.com/h"`
	for name, c := range map[string]struct{ profile, body, place string }{
		"no URL":            {"standard", `{"event_types":["*"]}`, "url"},
		"empty URL":         {"standard", `{"url":"","event_types":["*"]}`, "url"},
		"null URL":          {"standard", `{"url":null,"event_types":["*"]}`, "url"},
		"http":              {"standard", `{"url":"http://example.com/h","event_types":["*"]}`, "url"},
		"ftp":               {"standard", `{"url":"ftp://example.com","event_types":["*"]}`, "url"},
		"a path":            {"standard", `{"url":"/hook","event_types":["*"]}`, "url"},
		"no host":           {"standard", `{"url":"https://","event_types":["*"]}`, "url"},
		"a user":            {"standard", `{"url":"https://u:p@example.com","event_types":["*"]}`, "url"},
		"a long URL":        {"standard", `{"url":"https://example.com/` + strings.Repeat("x", 2048) + `","event_types":["*"]}`, "url"},
		"no types":          {"standard", `{` + ok + `}`, "event_types"},
		"empty types":       {"standard", `{` + ok + `,"event_types":[]}`, "event_types"},
		"types a string":    {"standard", `{` + ok + `,"event_types":"*"}`, "event_types"},
		"a bad type":        {"standard", `{` + ok + `,"event_types":["a","b c"]}`, "event_types[1]"},
		"a type twice":      {"standard", `{` + ok + `,"event_types":["a","a"]}`, "event_types[1]"},
		"a type an object":  {"standard", `{` + ok + `,"event_types":[{}]}`, "event_types[0]"},
		"501 types":         {"standard", `{` + ok + `,"event_types":[` + strings.Repeat(`"a",`, 500) + `"a"]}`, "event_types"},
		"unknown type":      {"viva", `{` + ok + `,"event_types":[9999]}`, "event_types[0]"},
		"two types":         {"viva", `{` + ok + `,"event_types":[1796,1797]}`, "event_types"},
		"wildcard":          {"viva", `{` + ok + `,"event_types":["*"]}`, "event_types[0]"},
		"headers of viva":   {"viva", `{` + ok + `,"event_types":[1796],"headers":{"A":"b"}}`, "headers"},
		"no headers":        {"viva", `{` + ok + `,"event_types":[1796],"headers":{}}`, "headers"},
		"version":           {"standard", `{` + ok + `,"event_types":["*"],"version":"1"}`, "version"},
		"security_key":      {"standard", `{` + ok + `,"event_types":["*"],"security_key":"k"}`, "security_key"},
		"a reserved header": {"standard", `{` + ok + `,"event_types":["*"],"headers":{"Webhook-Id":"x"}}`, "headers.Webhook-Id"},
		"a header twice":    {"standard", `{` + ok + `,"event_types":["*"],"headers":{"X-A":"1","x-a":"2"}}`, "headers.x-a"},
		"a header a number": {"standard", `{` + ok + `,"event_types":["*"],"headers":{"X-A":1}}`, "headers.X-A"},
		"CRLF in a header":  {"standard", `{` + ok + `,"event_types":["*"],"headers":{"X-A":"a\r\nb"}}`, "headers.X-A"},
		"the mask":          {"standard", `{` + ok + `,"event_types":["*"],"headers":{"X-A":"***"}}`, "headers.X-A"},
		"headers a list":    {"standard", `{` + ok + `,"event_types":["*"],"headers":[]}`, "headers"},
		"e-mail":            {"standard", `{` + ok + `,"event_types":["*"],"subscription_type":"email"}`, "subscription_type"},
		"a bad filter":      {"standard", `{` + ok + `,"event_types":["*"],"filter":"payload.a >"}`, "filter"},
		"an empty filter":   {"standard", `{` + ok + `,"event_types":["*"],"filter":""}`, "filter"},
		"filter a boolean":  {"standard", `{` + ok + `,"event_types":["*"],"filter":true}`, "filter"},
		"a long filter":     {"standard", `{` + ok + `,"event_types":["*"],"filter":"true` + strings.Repeat(" ", 4096) + `"}`, "filter"},
		"a long timeout":    {"standard", `{` + ok + `,"event_types":["*"],"delivery":{"timeout":"61s"}}`, "delivery.timeout"},
		"a bad retry":       {"standard", `{` + ok + `,"event_types":["*"],"delivery":{"retry":{"kind":"fixed","interval":"1ms"}}}`, "delivery.retry.interval"},
		"foreign knob":      {"standard", `{` + ok + `,"event_types":["*"],"delivery":{"envelope":[]}}`, "delivery.envelope"},
		"delivery a string": {"standard", `{` + ok + `,"event_types":["*"],"delivery":"fast"}`, "delivery"},
		"enabled a string":  {"standard", `{` + ok + `,"event_types":["*"],"enabled":"yes"}`, "enabled"},
		"a long name":       {"standard", `{` + ok + `,"event_types":["*"],"name":"` + strings.Repeat("n", 201) + `"}`, "name"},
		"NUL in the name":   {"standard", `{` + ok + `,"event_types":["*"],"name":"\u0000"}`, "name"},
		"a read-only one":   {"standard", `{` + ok + `,"event_types":["*"],"status":"active"}`, "status"},
		"a secret":          {"standard", `{` + ok + `,"event_types":["*"],"secret":"mine"}`, "secret"},
		"another's":         {"standard", `{` + ok + `,"event_types":["*"],"application_id":"x"}`, "application_id"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w.op("POST", "/v1/applications/"+apps[c.profile]+"/subscriptions", c.body).
				problem(422, models.CodeValidation, c.place)
		})
	}
	for _, host := range []string{"https://127.0.0.1/", "https://localhost/", "https://10.0.0.1/", "https://[::1]/", "https://169.254.169.254/x", "https://example.com:22/"} {
		w.op("POST", "/v1/applications/"+apps["standard"]+"/subscriptions", `{"url":"`+host+`","event_types":["*"]}`).
			problem(422, models.CodeBlockedURL, "url")
	}
	w.op("POST", "/v1/applications/"+apps["standard"]+"/subscriptions", `{"url":"https://10.0.0.1/","event_types":[]}`).
		problem(422, models.CodeValidation, "url", "event_types")
	t.Cleanup(func() {
		for _, app := range apps {
			require.Empty(t, w.op("GET", "/v1/applications/"+app+"/subscriptions", "").is(200)["items"])
		}
	})
}

func TestAnAlviereLikeProfileNeedsVersionAndKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	app := w.application("standard", `,"overrides":{
		"wire":{"type":"string"},"versions":{"required":true},"auth":{"security_key_header":"Alviere-Auth"},
		"types_per_subscription":{"min":1,"max":2},"signing":{"scheme":"none"},
		"catalogue":[{"name":"ACCOUNT","versions":["1","2"]},{"name":"CHECK","versions":["2"],"deprecated":true}]}`)
	path := "/v1/applications/" + app + "/subscriptions"
	const url = `"url":"https://example.com/h"`
	w.op("POST", path, `{`+url+`,"event_types":["ACCOUNT"]}`).problem(422, models.CodeValidation, "version", "security_key")
	w.op("POST", path, `{`+url+`,"event_types":["ACCOUNT"],"version":"3","security_key":"k1"}`).problem(422, models.CodeValidation, "version")
	w.op("POST", path, `{`+url+`,"event_types":["ACCOUNT"],"version":"1","security_key":""}`).problem(422, models.CodeValidation, "security_key")
	out := w.op("POST", path, `{`+url+`,"event_types":["ACCOUNT"],"version":"1","security_key":"canary"}`)
	made := out.is(201)
	require.Nil(t, made["secret"])
	require.NotContains(t, string(out.body), "canary")
	one := "/v1/subscriptions/" + made["id"].(string)
	w.op("PUT", one+"/events", `{"event_types":["CHECK"]}`).problem(422, models.CodeValidation, "version")
	w.op("PATCH", one, `{"event_types":["CHECK"]}`).problem(422, models.CodeValidation, "version")
	w.op("PATCH", one, `{"security_key":null}`).problem(422, models.CodeValidation, "security_key")
	w.op("PATCH", one, `{"version":null}`).problem(422, models.CodeValidation, "version")
	require.Equal(t, "2", w.op("PATCH", one, `{"event_types":["CHECK"],"version":"2"}`).is(200)["version"])
	stored, err := w.store.Subscription(t.Context(), made["id"].(string))
	require.NoError(t, err)
	require.Equal(t, "canary", stored.Secrets.SecurityKey)
	warned := w.op("POST", path, `{`+url+`,"event_types":["CHECK"],"version":"2","security_key":"k"}`).is(201)
	require.Len(t, warned["warnings"], 1)
	w.op("POST", one+"/rotate-secret", "").problem(409, models.CodeConflict)
}

func TestTheLimitHoldsInParallel(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	app := w.application("standard", `,"overrides":{"subscription_limit":10}`)
	var created, refused atomic.Int32
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			switch out := w.op("POST", "/v1/applications/"+app+"/subscriptions", anyType); out.status {
			case http.StatusCreated:
				created.Add(1)
			case http.StatusConflict:
				problem := out.problem(409, models.CodeSubscriptionLimit)
				require.Equal(t, "10", fmt.Sprint(problem["limit"]))
				refused.Add(1)
			}
		})
	}
	wg.Wait()
	require.EqualValues(t, 10, created.Load())
	require.EqualValues(t, 10, refused.Load())
	page := w.op("GET", "/v1/applications/"+app+"/subscriptions", "").is(200)
	w.op("DELETE", "/v1/subscriptions/"+page["items"].([]any)[0].(map[string]any)["id"].(string), "").is(204)
	w.subscription(app, `{"url":"https://example.com/h","event_types":["*"],"enabled":false}`)
	w.op("POST", "/v1/applications/"+app+"/subscriptions", anyType).problem(409, models.CodeSubscriptionLimit)
}

func TestEventTypesAreAddedAndRemoved(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	app := w.application("standard", "")
	path := "/v1/subscriptions/" + w.subscription(app, `{"url":"https://example.com/h","event_types":["a"]}`) + "/events"
	types := func(list ...any) map[string]any { return map[string]any{"event_types": list} }
	require.Equal(t, types("a"), w.op("GET", path, "").is(200))
	require.Equal(t, types("a", "b", "c.*"), w.op("PUT", path, `{"event_types":["b","c.*"]}`).is(200))
	w.op("PUT", path, `{"event_types":["d","b"]}`).problem(409, models.CodeConflict)
	w.op("PUT", path, `{"event_types":["d","d"]}`).problem(409, models.CodeConflict)
	w.op("PUT", path, `{"event_types":["d","e e"]}`).problem(422, models.CodeValidation, "event_types[1]")
	w.op("PUT", path, `{"event_types":[]}`).problem(422, models.CodeValidation, "event_types")
	w.op("PUT", path, "").problem(400, models.CodeMalformed)
	require.Equal(t, types("a", "b", "c.*"), w.op("GET", path, "").is(200))
	w.op("DELETE", path+"/c.*", "").is(204)
	w.op("DELETE", path+"/c.*", "").problem(404, models.CodeNotFound)
	w.op("DELETE", path+"/never", "").problem(404, models.CodeNotFound)
	w.op("DELETE", path+"/b", "").is(204)
	w.op("DELETE", path+"/a", "").problem(422, models.CodeValidation, "event_types")
	require.Equal(t, types("a"), w.op("GET", path, "").is(200))
	require.Len(t, w.event(app, `{"type":"a","payload":1}`)["invocations"], 1)
	require.Empty(t, w.event(app, `{"type":"b","payload":1}`)["invocations"])
}

func TestVIV26_29_TheHandshake(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	app := w.application("viva", "")
	made := w.op("POST", "/v1/applications/"+app+"/subscriptions", `{"url":"https://example.com/h","event_types":["1796"]}`).is(201)
	require.Equal(t, "unverified", made["status"])
	require.Equal(t, []any{"transaction.created"}, made["event_types"])
	require.Nil(t, made["secret"])
	path := "/v1/subscriptions/" + made["id"].(string)
	event := `{"type":1796,"payload":{"TransactionTypeId":5}}`
	require.Empty(t, w.event(app, event)["invocations"])
	w.op("POST", path+"/test", "").problem(409, models.CodeConflict)
	w.verify = func(url, member, key string) error {
		require.Equal(t, "https://example.com/h", url)
		require.Equal(t, "Key", member)
		require.Len(t, key, 40)
		return models.Errorf(models.CodeVerificationFailed, "the URL answered 500")
	}
	w.op("POST", path+"/verify", "").problem(422, models.CodeVerificationFailed)
	require.Equal(t, "unverified", w.op("GET", path, "").is(200)["status"])
	w.verify = func(string, string, string) error { return errors.New("ours") }
	w.op("POST", path+"/verify", "").problem(500, models.CodeInternal)
	w.verify = nil
	require.Equal(t, map[string]any{"verified": true}, w.op("POST", path+"/verify", "{}").is(200))
	require.Len(t, w.event(app, event)["invocations"], 1)
	require.Equal(t, true, w.op("PATCH", path, `{"name":"n"}`).is(200)["verified"])
	require.Equal(t, true, w.op("PATCH", path, `{"url":"https://example.com/h"}`).is(200)["verified"])
	require.Equal(t, "unverified", w.op("PATCH", path, `{"url":"https://example.com/new"}`).is(200)["status"])
	require.Equal(t, "unverified", w.op("POST", path+"/enable", "").is(200)["status"])

	standard := newTenant(w, "")
	w.op("POST", "/v1/subscriptions/"+standard.sub+"/verify", "").problem(409, models.CodeConflict)
}

func TestTheURLMayNotChangeDuringItsHandshake(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	app := w.application("viva", "")
	path := "/v1/subscriptions/" + w.subscription(app, `{"url":"https://example.com/h","event_types":[1796]}`)
	w.verify = func(string, string, string) error {
		w.op("PATCH", path, `{"url":"https://example.com/evil"}`).is(200)
		return nil
	}
	w.op("POST", path+"/verify", "").problem(409, models.CodeConflict)
	require.Equal(t, "unverified", w.op("GET", path, "").is(200)["status"])
}

func TestASubscriptionIsSwitchedOffAndOn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	own := newTenant(w, "")
	path := "/v1/subscriptions/" + own.sub
	require.Equal(t, "disabled", w.op("POST", path+"/disable", "").is(200)["status"])
	require.Equal(t, false, w.op("POST", path+"/disable", "{}").is(200)["enabled"])
	require.Empty(t, w.event(own.app, `{"type":"t","payload":1}`)["invocations"])
	paused := w.op("GET", "/v1/invocations/"+own.invocation, "").is(200)
	require.Equal(t, "paused", paused["status"])
	require.Nil(t, paused["next_attempt_at"])
	w.op("POST", path+"/test", "").problem(409, models.CodeConflict)
	require.Equal(t, "active", w.op("POST", path+"/enable", "").is(200)["status"])
	open := w.op("GET", "/v1/invocations/"+own.invocation, "").is(200)
	require.Equal(t, "pending", open["status"])
	require.NotNil(t, open["next_attempt_at"])
	w.op("POST", path+"/enable", `{"now":true}`).problem(422, models.CodeValidation, "now")
	w.op("POST", path+"/enable", `[]`).problem(422, models.CodeValidation)
	w.op("POST", path+"/enable", `{`).problem(400, models.CodeMalformed)
}

func TestEnablingAndANewURLReviveWhatIsGone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	own := newTenant(w, "")
	path := "/v1/subscriptions/" + own.sub
	for _, revive := range []func(){
		func() { w.op("POST", path+"/enable", "").is(200) },
		func() { w.op("PATCH", path, `{"enabled":true}`).is(200) },
		func() { w.op("PATCH", path, `{"url":"https://example.com/new"}`).is(200) },
	} {
		_, err := w.store.UpdateSubscription(t.Context(), own.sub, func(sub *models.Subscription) error {
			sub.Gone, sub.Failing, sub.ConsecutiveFailures = true, true, 30
			return nil
		})
		require.NoError(t, err)
		require.Equal(t, "gone", w.op("GET", path, "").is(200)["status"])
		w.op("PATCH", path, `{"name":"still gone"}`).is(200)
		require.Equal(t, "gone", w.op("GET", path, "").is(200)["status"])
		revive()
		require.Equal(t, "active", w.op("GET", path, "").is(200)["status"])
	}
}

func TestSecretsAreRotatedWithOverlap(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	own := newTenant(w, "")
	path := "/v1/subscriptions/" + own.sub + "/rotate-secret"
	live := func() []models.SigningSecret {
		sub, err := w.store.Subscription(t.Context(), own.sub)
		require.NoError(t, err)
		return sub.Secrets.Signing
	}
	first := live()[0].Symmetric
	rotated := w.op("POST", path, "").is(200)
	require.Len(t, live(), 2)
	require.Equal(t, rotated["secret"], live()[0].Symmetric)
	require.Nil(t, live()[0].ExpiresAt)
	require.Equal(t, first, live()[1].Symmetric)
	require.NotNil(t, live()[1].ExpiresAt)
	require.Equal(t, rotated["public_key"], w.op("GET", "/v1/subscriptions/"+own.sub, "").is(200)["public_key"])
	w.op("POST", path, `{"overlap":"1h"}`).is(200)
	require.Len(t, live(), 2, "a second rotation ends the first")
	w.op("POST", path, `{"overlap":"0s"}`).is(200)
	require.Len(t, live(), 1)
	for _, bad := range []string{`{"overlap":"169h"}`, `{"overlap":"soon"}`, `{"overlap":24}`, `{"overlap":"-1h"}`} {
		w.op("POST", path, bad).problem(422, models.CodeValidation, "overlap")
	}
	require.Len(t, live(), 1)
}

func TestHMACHexSecretsAreText(t *testing.T) {
	t.Parallel()
	made, err := newSigningSecret(models.Signing{Scheme: models.SigningHMACHex, Header: "BridgeApi-Signature"})
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(*made.shown()), 32)
	require.Empty(t, made.public)
	require.Nil(t, (*signingSecret)(nil).shown())
}

func TestStats(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	own := newTenant(w, "")
	path := "/v1/subscriptions/" + own.sub
	stats := w.op("GET", path+"/stats", "").is(200)
	counts := stats["counts"].(map[string]any)
	require.Len(t, counts, 8)
	require.Equal(t, "1", fmt.Sprint(counts["pending"]))
	require.Nil(t, stats["success_ratio"])
	require.Equal(t, "1", fmt.Sprint(stats["queue"].(map[string]any)["depth"]))
	require.NotNil(t, stats["queue"].(map[string]any)["head_age_ms"])
	settle(t, w, own.invocation, 200)
	stats = w.op("GET", path+"/stats", "").is(200)
	require.Equal(t, "1", fmt.Sprint(stats["success_ratio"]))
	require.Equal(t, "40", fmt.Sprint(stats["latency"].(map[string]any)["p95_ms"]))
	require.Equal(t, map[string]any{"depth": stats["queue"].(map[string]any)["depth"], "head_age_ms": nil}, stats["queue"])
}

func TestPercentile(t *testing.T) {
	t.Parallel()
	require.Nil(t, percentile(nil, 50))
	hundred := make([]int64, 100)
	for i := range hundred {
		hundred[i] = int64(i + 1)
	}
	require.EqualValues(t, 50, *percentile(hundred, 50))
	require.EqualValues(t, 95, *percentile(hundred, 95))
	require.EqualValues(t, 7, *percentile([]int64{7}, 95))
}

func TestASubscriptionStayedUnverifiedOnceNobodyCouldVerifyIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	app := w.application("viva", "")
	w.verify = func(string, string, string) error { return errors.New("must not be asked") }
	one := "/v1/subscriptions/" + w.subscription(app, `{"url":"https://example.com/h","event_types":[1796]}`)
	require.Equal(t, "unverified", w.op("GET", one, "").is(200)["status"])
	w.op("PATCH", "/v1/applications/"+app, `{"name":"n"}`).is(200)
	w.op("PATCH", "/v1/applications/"+app, `{"overrides":{"timeout":"1s"}}`).is(200)
	require.Equal(t, "unverified", w.op("GET", one, "").is(200)["status"], "its profile asks for a handshake still")

	before := w.wakes.n
	w.op("PATCH", "/v1/applications/"+app, `{"overrides":{"verification":{"kind":"none"}}}`).is(200)
	require.Greater(t, w.wakes.n, before)
	freed := w.op("GET", one, "").is(200)
	require.Equal(t, []any{"active", true}, []any{freed["status"], freed["verified"]})
	require.Len(t, w.event(app, `{"type":1796,"payload":{}}`)["invocations"], 1)
	w.op("POST", one+"/verify", "").problem(409, models.CodeConflict)
	require.Equal(t, "active", w.op("PATCH", one, `{"url":"https://example.com/other"}`).is(200)["status"])
}
