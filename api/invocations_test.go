package api

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/internal/delivery"
	"github.com/posthorn/posthorn/models"
)

// bootID is that of the worker that settle plays.
const bootID = "01a20000-0000-7000-8000-000000000001"

// settle makes one attempt at an invocation as a worker would, answered with the status.
func settle(t *testing.T, w *world, id string, status int) {
	t.Helper()
	require.NoError(t, w.store.RenewWorker(t.Context(), bootID))
	gates, err := w.store.Claim(t.Context(), bootID, []string{id})
	require.NoError(t, err)
	require.Len(t, gates, 1)
	require.Equal(t, models.VerdictGranted, gates[0].Verdict)
	finish(t, w, gates[0].Claim, status)
}

// finish ends an attempt with the receiver's status.
func finish(t *testing.T, w *world, claim *models.Claim, status int) {
	t.Helper()
	started := time.Now().UTC()
	result := models.Result{
		StartedAt: started, FinishedAt: started.Add(40 * time.Millisecond), Outcome: models.AttemptSucceeded,
		StatusCode:      status,
		RequestHeaders:  delivery.MaskHeaders([]models.Header{{Name: "X-Api-Key", Value: "canary"}}, claim.Spec),
		ResponseHeaders: []models.Header{{Name: "Set-Cookie", Value: "a=1"}, {Name: "Set-Cookie", Value: "b=2"}},
		ResponseBody:    []byte("<b>\xff</b>"), Truncated: true,
	}
	if status != 200 {
		result.Outcome = models.AttemptFailed
		result.Error = &models.AttemptError{Code: models.AttemptStatus, Message: fmt.Sprintf("answered %d", status)}
	}
	_, err := w.store.Settle(t.Context(), claim.Settle(result))
	require.NoError(t, err)
}

func TestAnInvocationAndItsLog(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	own := newTenant(w, `,"external_id":"prog-1","overrides":{"envelope":[
		{"key":"id","value":"event_id"},{"key":"who","value":"tenant"},{"key":"n","value":"retry_count"},
		{"key":"data","value":"payload"}]}`)
	path := "/v1/invocations/" + own.invocation
	fresh := w.op("GET", path, "").is(200)
	require.Equal(t, "pending", fresh["status"])
	for _, none := range []string{"last_attempt_at", "delivered_at", "last_status_code", "last_error", "abandoned_by", "reason", "position", "entity_id"} {
		require.Contains(t, fresh, none)
		require.Nil(t, fresh[none])
	}
	require.Equal(t, "event/"+own.event, fresh["workflow_id"])
	require.Equal(t, "http://127.0.0.1:8233/namespaces/default/workflows/event%2F"+own.event, fresh["temporal_url"])
	require.Empty(t, w.op("GET", path+"/logs", "").is(200)["items"])

	settle(t, w, own.invocation, 500)
	retrying := w.op("GET", path, "").is(200)
	require.Equal(t, "retrying", retrying["status"])
	require.Equal(t, map[string]any{"code": "status", "message": "answered 500"}, retrying["last_error"])
	require.Equal(t, "500", fmt.Sprint(retrying["last_status_code"]))
	require.NotNil(t, retrying["next_attempt_at"])

	entry := w.op("GET", path+"/logs", "").is(200)["items"].([]any)[0].(map[string]any)
	require.Equal(t, "scheduled", entry["trigger"])
	require.Equal(t, "40", fmt.Sprint(entry["duration_ms"]))
	request := entry["request"].(map[string]any)
	require.Equal(t, `{"id":"`+own.event+`","who":"prog-1","n":0,"data":{}}`, request["body"])
	require.Equal(t, map[string]any{"X-Api-Key": "***"}, request["headers"])
	response := entry["response"].(map[string]any)
	require.Equal(t, "<b>\ufffd</b>", response["body"])
	require.Equal(t, map[string]any{"Set-Cookie": "a=1, b=2"}, response["headers"])
	require.Equal(t, true, response["truncated"])
}

func TestLogsAreReadInParts(t *testing.T) {
	t.Parallel()
	time0 := &clock{now: time.Now()}
	w := newWorldWith(t, time0.Now, nil)
	own := newTenant(w, `,"overrides":{"retry":{"kind":"fixed","interval":"10ms"},"on_410":"failure"}`)
	for range 5 {
		settle(t, w, own.invocation, 500)
		time0.advance(time.Minute)
	}
	path := "/v1/invocations/" + own.invocation + "/logs"
	first := w.op("GET", path+"?limit=3", "").is(200)
	second := w.op("GET", path+"?limit=3&cursor="+first["next_cursor"].(string), "").is(200)
	require.Nil(t, second["next_cursor"])
	var numbers []string
	for _, item := range append(first["items"].([]any), second["items"].([]any)...) {
		numbers = append(numbers, fmt.Sprint(item.(map[string]any)["number"]))
	}
	require.Equal(t, []string{"1", "2", "3", "4", "5"}, numbers)
	require.Len(t, w.op("GET", path, "").is(200)["items"], 5)
	w.op("GET", path+"?cursor=x", "").problem(400, models.CodeMalformed)
}

func TestLogsOfLargePayloadsAreBounded(t *testing.T) {
	t.Parallel()
	time0 := &clock{now: time.Now()}
	w := newWorldWith(t, time0.Now, nil)
	app := w.application("standard", `,"overrides":{"retry":{"kind":"fixed","interval":"10ms"}}`)
	w.subscription(app, anyType)
	e := w.event(app, `{"type":"t","payload":"`+strings.Repeat("x", 1<<20-2)+`"}`)
	id := e["invocations"].([]any)[0].(map[string]any)["id"].(string)
	for range 34 {
		settle(t, w, id, 500)
		time0.advance(time.Minute)
	}
	first := w.op("GET", "/v1/invocations/"+id+"/logs", "").is(200)
	require.Len(t, first["items"], 32)
	second := w.op("GET", "/v1/invocations/"+id+"/logs?cursor="+first["next_cursor"].(string), "").is(200)
	require.Len(t, second["items"], 2)
}

func TestRedeliver(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	own := newTenant(w, "")
	path := "/v1/invocations/" + own.invocation + "/redeliver"
	admin := own.roles[models.RoleAdmin]
	require.Equal(t, map[string]any{"invocation_id": own.invocation}, w.do(admin, "POST", path, "").is(202))
	w.do(admin, "POST", path, `{"force":true}`).is(202)
	w.do(admin, "POST", path, `{"force":"yes"}`).problem(422, models.CodeValidation, "force")
	w.do(own.roles[models.RoleMember], "POST", path, "").problem(403, models.CodeForbidden)
	w.op("DELETE", "/v1/subscriptions/"+own.sub, "").is(204)
	w.do(admin, "POST", path, "").problem(409, models.CodeConflict)
	cancelled := w.op("GET", "/v1/invocations/"+own.invocation, "").is(200)
	require.Equal(t, "cancelled", cancelled["status"])
	require.Equal(t, "subscription_deleted", cancelled["reason"])
}

func TestCancel(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	own := newTenant(w, "")
	path := "/v1/invocations/" + own.invocation
	w.do(own.roles[models.RoleAdmin], "POST", path+"/cancel", "").is(202)
	cancelled := w.op("GET", path, "").is(200)
	require.Equal(t, "cancelled", cancelled["status"])
	require.Nil(t, cancelled["next_attempt_at"])
	w.op("POST", path+"/cancel", "").problem(409, models.CodeConflict)

	tomorrow := time.Now().UTC().Add(24 * time.Hour).Format("2006-01-02T15:04:05.000Z")
	e := w.event(own.app, `{"type":"t","payload":1,"not_before":"`+tomorrow+`"}`)
	event := "/v1/events/" + e["id"].(string)
	require.Equal(t, map[string]any{"event_id": e["id"]}, w.op("POST", event+"/cancel", "{}").is(202))
	read := w.op("GET", event, "").is(200)
	require.NotNil(t, read["cancelled_at"])
	require.Equal(t, tomorrow, read["not_before"])
	require.Equal(t, "event_cancelled", read["invocations"].([]any)[0].(map[string]any)["reason"])
	w.op("POST", event+"/cancel", "").is(202)
	w.op("PUT", event, `{}`).problem(405, codeMethodNotAllowed)
}

func TestSendATest(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	own := newTenant(w, "")
	before := w.wakes.n
	id := w.do(own.roles[models.RoleAdmin], "POST", "/v1/subscriptions/"+own.sub+"/test", "").is(202)["invocation_id"].(string)
	require.Greater(t, w.wakes.n, before)
	test := w.op("GET", "/v1/invocations/"+id, "").is(200)
	require.Nil(t, test["event_id"])
	require.Equal(t, "webhook.test", test["event_type"])
	require.Equal(t, map[string]any{"type": "webhook.test"}, test["payload"])
	require.Equal(t, "invocation/"+id, test["workflow_id"])
	settle(t, w, id, 500)
	failed := w.op("GET", "/v1/invocations/"+id, "").is(200)
	require.Equal(t, "failed", failed["status"], "one attempt")
	entry := w.op("GET", "/v1/invocations/"+id+"/logs", "").is(200)["items"].([]any)[0].(map[string]any)
	require.Equal(t, "test", entry["trigger"])
	const sent = `{"type":"webhook.test"}`
	require.Equal(t, sent, entry["request"].(map[string]any)["body"]) //nolint:testifylint // byte for byte
	list := w.op("GET", "/v1/applications/"+own.app+"/invocations?include=payload&event_type=webhook.test", "").is(200)
	require.Len(t, list["items"], 1)

	viva := w.application("viva", "")
	sub := w.subscription(viva, `{"url":"https://example.com/h","event_types":[1797]}`)
	w.op("POST", "/v1/subscriptions/"+sub+"/verify", "").is(200)
	ref := w.op("POST", "/v1/subscriptions/"+sub+"/test", "").is(202)["invocation_id"].(string)
	require.Equal(t, "transaction.created", w.op("GET", "/v1/invocations/"+ref, "").is(200)["event_type"])
}

func TestAnEventWithoutSubscribersIsKept(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	app := w.application("standard", "")
	e := w.event(app, `{"type":"t","payload":1,"occurred_at":"2014-06-18T14:20:30.45+03:00","entity_id":"e","sequence":7}`)
	require.Equal(t, []any{}, e["invocations"])
	require.Equal(t, "7", fmt.Sprint(e["sequence"]))
	read := w.op("GET", "/v1/events/"+e["id"].(string), "").is(200)
	require.Equal(t, []any{}, read["invocations"])
	require.Equal(t, "2014-06-18T14:20:30.45+03:00", read["occurred_at"])
	require.Equal(t, "t", read["event_type"])
	w.op("POST", "/v1/applications/"+app+"/events", `{"type":"t","payload":1,"entity_id":"e"}`).
		problem(422, models.CodeValidation, "sequence")
}

func TestAnIDInAnotherSpellingThanOursWasAFaultOfThisServer(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		own := newTenant(w, "")
		list := "/v1/applications/" + own.app + "/invocations?"
		for name, id := range map[string]string{"subscription_id": own.sub, "event_id": own.event} {
			require.Len(w.t, w.op("GET", list+name+"="+id, "").is(200)["items"], 1)
			for _, spelling := range []string{"urn:uuid:" + id, "%7B" + id + "%7D", strings.ToUpper(id), strings.ReplaceAll(id, "-", "")} {
				w.op("GET", list+name+"="+spelling, "").problem(422, models.CodeValidation, name)
			}
		}
		w.op("GET", "/v1/applications/"+own.app+"/timeline?subscription_id="+strings.ToUpper(own.sub), "").
			problem(422, models.CodeValidation, "subscription_id")
	})
}
