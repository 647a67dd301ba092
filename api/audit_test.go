package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/internal/secret"
	"github.com/posthorn/posthorn/models"
)

// entries reads the audit log, newest first.
func (w *world) entries(query string) []map[string]any {
	w.t.Helper()
	var list []map[string]any
	for _, item := range w.op("GET", "/v1/audit"+query, "").is(200)["items"].([]any) {
		list = append(list, item.(map[string]any))
	}
	return list
}

// of keeps what the test looks at.
func of(entry map[string]any, members ...string) []any {
	list := make([]any, len(members))
	for i, name := range members {
		list[i] = entry[name]
	}
	return list
}

func TestAnEntrySaysWhoDidWhatWhenAndFromWhere(t *testing.T) {
	t.Parallel()
	time0 := &clock{now: time.Date(2031, 11, 21, 19, 17, 0, 0, time.UTC)}
	w := newWorldWith(t, time0.Now, nil)
	app := w.application("standard", "")
	admin := w.key(app, "admin")
	id, _, err := secret.ParseAPIKey(admin)
	require.NoError(t, err)
	made := w.do(admin, "POST", "/v1/applications/"+app+"/keys", `{"role": "member", "name":"<ops>"}`,
		"X-Request-Id", "my-request", "X-Forwarded-For", "203.0.113.9", "Forwarded", "for=203.0.113.9").is(201)
	entry := w.entries("?application_id=" + app)[0]
	require.True(t, models.IsID(entry["id"].(string)))
	require.Equal(t, map[string]any{
		"id": entry["id"], "created_at": "2031-11-21T19:17:00.000Z", "actor": id, "role": "admin", "application_id": app,
		"action": "create-key", "denied": false, "subject_type": "key", "subject_id": made["id"], "remote_address": "192.0.2.1",
		"request_id": "my-request", "detail": map[string]any{"role": "member", "name": "<ops>"},
	}, entry)
	w.do(admin, "DELETE", "/v1/keys/"+made["id"].(string), "").is(204)
	entry = w.entries("?application_id=" + app)[0]
	require.Equal(t, []any{id, "revoke-key", "key", made["id"], nil},
		of(entry, "actor", "action", "subject_type", "subject_id", "detail"))
	deployment := w.op("POST", "/v1/keys", `{"role":"publisher","name":"p"}`).is(201)
	entry = w.entries("")[0]
	require.Equal(t, []any{"operator", "operator", nil, "create-deployment-key", deployment["id"]},
		of(entry, "actor", "role", "application_id", "action", "subject_id"))
}

// change is one call of a route that is audited, and what its entry is about.
type change struct{ action, method, path, body, subject, id string }

// changes are calls of every route that is audited, in an order in which all succeed.
func (n *tenant) changes() []change {
	app, sub, inv := "/v1/applications/"+n.app, "/v1/subscriptions/"+n.sub, "/v1/invocations/"+n.invocation
	job, types := "/v1/jobs/"+n.job, "/v1/profiles/thredd/event-types"
	listed := `{"ids":["` + n.invocation + `"]}`
	return []change{
		{"create-application", "POST", "/v1/applications", `{"name":"Δ","profile":"standard"}`, "application", ""},
		{"change-application", "PATCH", app, `{"name":"Δ"}`, "application", n.app},
		{"create-deployment-key", "POST", "/v1/keys", `{"role":"operator","name":"k"}`, "key", ""},
		{"create-key", "POST", app + "/keys", `{"role":"member","name":"k"}`, "key", ""},
		{"revoke-key", "DELETE", "/v1/keys/" + n.key, "", "key", n.key},
		{"create-event-type", "POST", types, `{"name":"audited","wire":4711}`, "event_type", "thredd/audited"},
		{"change-event-type", "PATCH", types + "/audited", `{"group":"g"}`, "event_type", "thredd/audited"},
		{"create-subscription", "POST", app + "/subscriptions", anyType, "subscription", ""},
		{"change-subscription", "PATCH", sub, `{"name":"n"}`, "subscription", n.sub},
		{"add-subscription-events", "PUT", sub + "/events", `{"event_types":["a.b"]}`, "subscription", n.sub},
		{"remove-subscription-event", "DELETE", sub + "/events/a.b", "", "subscription", n.sub},
		{"disable-subscription", "POST", sub + "/disable", "", "subscription", n.sub},
		{"enable-subscription", "POST", sub + "/enable", "{}", "subscription", n.sub},
		{"rotate-secret", "POST", sub + "/rotate-secret", `{"overlap":"1h"}`, "subscription", n.sub},
		{"test-subscription", "POST", sub + "/test", "", "subscription", n.sub},
		{"redeliver-invocation", "POST", inv + "/redeliver", `{"force":true}`, "invocation", n.invocation},
		{"cancel-invocation", "POST", inv + "/cancel", "", "invocation", n.invocation},
		{"redeliver-invocations", "POST", app + "/redeliveries", listed, "job", ""},
		{"pause-job", "POST", job + "/pause", "", "job", n.job},
		{"resume-job", "POST", job + "/resume", "", "job", n.job},
		{"cancel-job", "POST", job + "/cancel", "", "job", n.job},
		{"cancel-event", "POST", "/v1/events/" + n.event + "/cancel", "", "event", n.event},
		{"redeliver-message", "POST", "/webhooks/v1/messages/" + n.invocation + ":redeliver", "", "invocation", n.invocation},
		{"delete-subscription", "DELETE", sub, "", "subscription", n.sub},
		{"delete-application", "DELETE", app, "", "application", n.app},
		{"create-erasure", "POST", "/v1/erasures", `{"application_id":"` + n.app + `","reason":"r"}`, "erasure", ""},
	}
}

func TestEveryChangeHasAnEntry(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	own := newTenant(w, "")
	seen := map[string]bool{}
	for _, c := range own.changes() {
		key := operatorKey
		if c.action == "redeliver-message" {
			key = own.roles[models.RoleAdmin]
		}
		before := len(w.entries("?limit=500"))
		out := w.do(key, c.method, c.path, c.body)
		require.Less(t, out.status, 300, "%s: %s", c.action, out.body)
		after := w.entries("?limit=500")
		require.Len(t, after, before+1, c.action)
		requireEntry(t, c, after[0], out)
		seen[c.action] = true
	}
	verified := w.application("viva", "")
	sub := w.subscription(verified, `{"url":"https://example.com/","event_types":[1796]}`)
	w.op("POST", "/v1/subscriptions/"+sub+"/verify", "").is(200)
	require.Equal(t, []any{"verify-subscription", sub}, of(w.entries("")[0], "action", "subject_id"))
	seen["verify-subscription"] = true
	for _, r := range routes() {
		require.Equal(t, r.audited(), seen[r.id], "%s: is it tried above, and rightly?", r.id)
	}
}

func requireEntry(t *testing.T, c change, entry map[string]any, out *reply) {
	t.Helper()
	require.Equal(t, []any{c.action, c.subject}, of(entry, "action", "subject_type"))
	if c.id == "" {
		c.id = out.is(out.status)["id"].(string)
	}
	require.Equal(t, c.id, entry["subject_id"], c.action)
	require.Equal(t, out.header.Get("X-Request-Id"), entry["request_id"])
	switch {
	case c.action == "remove-subscription-event":
		require.Equal(t, map[string]any{"event_type": "a.b"}, entry["detail"])
	case c.body == "":
		require.Nil(t, entry["detail"], c.action)
	default:
		text, err := json.Marshal(entry["detail"])
		require.NoError(t, err)
		require.JSONEq(t, c.body, string(text))
	}
}

func TestWhatChangesNothingHasNoEntry(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.verify = func(_, _, _ string) error { return models.Errorf(models.CodeVerificationFailed, "no") }
	own, foreign := newTenant(w, ""), newTenant(w, "")
	verified := w.application("viva", "")
	unverified := w.subscription(verified, `{"url":"https://example.com/","event_types":[1796]}`)
	admin, member := own.roles[models.RoleAdmin], own.roles[models.RoleMember]
	app, sub := "/v1/applications/"+own.app, "/v1/subscriptions/"+own.sub
	before := w.entries("?limit=500")
	for _, refused := range []struct {
		key, method, path, body string
		status                  int
	}{
		{"", "DELETE", sub, "", 401},
		{member, "DELETE", sub, "", 403}, // a denial, which is listed by itself
		{admin, "DELETE", "/v1/subscriptions/" + foreign.sub, "", 404},
		{admin, "DELETE", "/v1/keys/" + foreign.key, "", 404},
		{admin, "PATCH", sub, `{"url":"https://10.0.0.1/"}`, 422},
		{admin, "PATCH", sub, `{"unknown":1}`, 422},
		{admin, "PATCH", sub, `{`, 400},
		{admin, "PUT", sub + "/events", `{"event_types":["*"]}`, 409},
		{admin, "DELETE", sub + "/events/none", "", 404},
		{admin, "DELETE", sub + "/events/*", "", 422},
		{admin, "POST", sub + "/verify", "", 409},
		{operatorKey, "POST", "/v1/subscriptions/" + unverified + "/verify", "", 422},
		{operatorKey, "POST", "/v1/profiles/standard/event-types", `[]`, 422},
		{operatorKey, "POST", app + "/events", `{"type":"a","payload":{}}`, 202},
		{operatorKey, "POST", app + "/events/batch", `{"events":[{"type":"a","payload":{}}]}`, 202},
		{operatorKey, "POST", "/v1/retry-policies/preview", `{"retry":{"kind":"fixed","interval":"1h"}}`, 200},
		{admin, "GET", sub, "", 200},
	} {
		out := w.do(refused.key, refused.method, refused.path, refused.body)
		require.Equal(t, refused.status, out.status, "%s %s: %s", refused.method, refused.path, out.body)
	}
	require.Equal(t, before, w.entries("?limit=500"))
}

func TestWhatIsDeniedIsInTheAuditLog(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	own := newTenant(w, "")
	admin, member := own.roles[models.RoleAdmin], own.roles[models.RoleMember]
	publisher := w.op("POST", "/v1/keys", `{"role":"publisher","name":"p"}`).is(201)
	app := "/v1/applications/" + own.app
	done := w.entries("?limit=500")
	for _, denied := range []struct {
		key, method, path, body       string
		role, application, action     any
		subject, subjectID, requested any
	}{
		{member, "DELETE", "/v1/subscriptions/" + own.sub, "", "member", own.app, "delete-subscription", "subscription", own.sub, nil},
		{
			admin, "POST", app + "/keys", `{"role":"publisher","name":"k"}`, "admin", own.app, "create-key", "application", own.app,
			map[string]any{"role": "publisher", "name": "k"},
		},
		{admin, "POST", app + "/events", `{"type":"a","payload":1}`, "admin", own.app, "publish-event", "application", own.app, nil},
		{admin, "GET", "/v1/audit", "", "admin", own.app, "list-audit-entries", "deployment", nil, nil},
		{publisher["key"].(string), "GET", "/webhooks/v1/messages", "", "publisher", nil, "list-messages", "deployment", nil, nil},
	} {
		out := w.do(denied.key, denied.method, denied.path, denied.body)
		require.Equal(t, 403, out.status, "%s %s: %s", denied.method, denied.path, out.body)
		list := w.entries("?denied=true&action=" + denied.action.(string))
		require.Len(t, list, 1, denied.action)
		id, _, err := secret.ParseAPIKey(denied.key)
		require.NoError(t, err)
		require.Equal(t, []any{
			true, id, denied.role, denied.application, denied.action, denied.subject, denied.subjectID, denied.requested,
			out.header.Get("X-Request-Id"),
		}, of(list[0], "denied", "actor", "role", "application_id", "action", "subject_type", "subject_id", "detail", "request_id"))
	}
	require.Equal(t, done, w.entries("?limit=500"), "what is denied is listed by itself")
	require.Len(t, w.entries("?denied=true&application_id="+own.app), 4)
	w.do("ph_admin_none", "DELETE", "/v1/subscriptions/"+own.sub, "").is(401)
	w.do(admin, "DELETE", "/v1/subscriptions/"+newTenant(w, "").sub, "").is(404)
	require.Len(t, w.entries("?denied=true&limit=500"), 5, "nobody is known to have asked, or nothing to have been there")
}

func TestDenialsOfAKeyAreBoundedInTheAuditLog(t *testing.T) {
	t.Parallel()
	time0 := &clock{now: time.Now()}
	w := newWorldWith(t, time0.Now, nil)
	app := w.application("standard", "")
	first, second := w.key(app, "member"), w.key(app, "member")
	denied := func(key string, times, want int) {
		for range times {
			w.do(key, "POST", "/v1/applications/"+app+"/events", "").is(403)
		}
		require.Len(t, w.entries("?denied=true&limit=500"), want)
	}
	denied(first, 3*auditedDenialsAtOnce, auditedDenialsAtOnce)
	denied(second, 1, auditedDenialsAtOnce+1)
	time0.advance(auditedDenialsEvery)
	denied(first, 5, auditedDenialsAtOnce+2)
}

func TestNoSecretIsInTheAuditLog(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	thredd, alviere := w.application("thredd", ""), w.application("alviere", "")
	const canary = "canary-0123456789"
	w.op("POST", "/v1/applications/"+alviere+"/subscriptions",
		`{"url":"https://example.com/","event_types":["ACCOUNT"],"version":"2021-11-18.1","security_key":"`+canary+`"}`).is(201)
	sub := w.subscription(thredd, `{"url":"https://example.com/","event_types":[],"headers":{"X-Key":"`+canary+`"}}`)
	w.op("PATCH", "/v1/subscriptions/"+sub, `{"headers":{"Authorization":"`+canary+`","X-Other":"`+canary+`"}}`).is(200)
	w.op("PATCH", "/v1/subscriptions/"+sub, `{"headers":null}`).is(200)
	standard := w.application("standard", "")
	made := w.op("POST", "/v1/applications/"+standard+"/subscriptions", anyType).is(201)
	rotated := w.op("POST", "/v1/subscriptions/"+made["id"].(string)+"/rotate-secret", "").is(200)
	key := w.key(standard, "admin")

	log := string(w.op("GET", "/v1/audit?limit=500", "").body)
	for _, text := range []string{canary, made["secret"].(string), rotated["secret"].(string), key} {
		require.NotContains(t, log, text)
	}
	list := w.entries("?application_id=" + thredd)
	require.Equal(t, map[string]any{"headers": nil}, list[0]["detail"])
	require.Equal(t, map[string]any{"headers": map[string]any{"Authorization": "***", "X-Other": "***"}}, list[1]["detail"])
	require.Equal(t, "***", w.entries("?application_id=" + alviere)[0]["detail"].(map[string]any)["security_key"])
}

func TestLongMembersAreNotedByTheirLength(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	app := w.application("standard", "")
	filter := `type == "` + strings.Repeat("a", maxNoted-30) + `"` // short enough to be set; quoted, too long to be noted
	w.op("POST", "/v1/applications/"+app+"/redeliveries", `{"ids":["`+strings.Repeat("é", 100)+`"],"rate":7}`).is(202)
	require.Equal(t, json.Number("7"), w.entries("")[0]["detail"].(map[string]any)["rate"])
	ids := strings.Repeat(`"`+models.NewID()+`",`, 999)
	w.op("POST", "/v1/applications/"+app+"/redeliveries", `{"rate":7,"ids":[`+ids+`"x"]}`).is(202)
	require.Equal(t, map[string]any{"rate": json.Number("7"), "ids": fmt.Sprintf("(%d bytes)", len(ids)+len(`["x"]`))},
		w.entries("")[0]["detail"])
	w.subscription(app, `{"url":"https://example.com/","event_types":["*"],"filter":`+string(encoded(filter))+`}`)
	require.Contains(t, w.entries("")[0]["detail"].(map[string]any)["filter"], "aaa")
}

func TestTheAuditLogIsPagedAndFiltered(t *testing.T) {
	t.Parallel()
	time0 := &clock{now: time.Date(2031, 11, 21, 19, 17, 0, 0, time.UTC)}
	w := newWorldWith(t, time0.Now, nil)
	var own []string
	app, other := w.application("standard", ""), w.application("standard", "")
	for range 5 {
		time0.advance(time.Second)
		own = append([]string{w.op("POST", "/v1/applications/"+app+"/keys", `{"role":"member","name":"k"}`).is(201)["id"].(string)}, own...)
		w.key(other, "member")
	}
	ids := func(query string) (list []string) {
		for _, entry := range w.entries(query) {
			list = append(list, entry["subject_id"].(string))
		}
		return list
	}
	of := "?application_id=" + app + "&action=create-key"
	require.Equal(t, own, ids(of))
	require.Equal(t, []string{app}, ids("?action=create-application&application_id="+app))
	require.Equal(t, own[1:3], ids(of+"&after=2031-11-21T19:17:03Z&before=2031-11-21T19:17:05Z"))
	require.Empty(t, ids("?application_id="+models.NewID()))
	first := w.op("GET", "/v1/audit"+of+"&limit=3", "").is(200)
	cursor := first["next_cursor"].(string)
	require.Equal(t, own[3:], ids(of+"&limit=3&cursor="+cursor))
	w.op("GET", "/v1/audit?limit=3&cursor="+cursor, "").problem(http.StatusBadRequest, models.CodeMalformed)
	for query, location := range map[string]string{
		"?application_id=1": "application_id", "?application_id=" + strings.ToUpper(app): "application_id",
		"?action=readiness": "action", "?denied=perhaps": "denied", "?action=nothing": "action", "?after=yesterday": "after", "?who=me": "who",
	} {
		w.op("GET", "/v1/audit"+query, "").problem(422, models.CodeValidation, location)
	}
}
