package api

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/models"
)

const messages = "/webhooks/v1/messages"

// vivaTenant is an application of the viva profile with a verified subscription to 1796.
type vivaTenant struct {
	*world

	app, sub, admin, member string
}

func newVivaTenant(w *world) *vivaTenant {
	w.t.Helper()
	v := &vivaTenant{world: w, app: w.application("viva", "")}
	v.admin, v.member = w.key(v.app, "admin"), w.key(v.app, "member")
	v.sub = w.subscription(v.app, `{"url":"https://example.com/h","event_types":[1796]}`)
	w.op("POST", "/v1/subscriptions/"+v.sub+"/verify", "").is(200)
	return v
}

// fire publishes an event and returns its message's id.
func (v *vivaTenant) fire() string {
	v.t.Helper()
	e := v.event(v.app, `{"type":1796,"occurred_at":"2014-06-18T14:20:30.45+03:00","payload":{"Amount": 100.50}}`)
	return e["invocations"].([]any)[0].(map[string]any)["id"].(string)
}

// list returns the messages that the query finds.
func (v *vivaTenant) list(query string) []map[string]any {
	v.t.Helper()
	out := v.do(v.member, "GET", messages+"?"+query, "")
	require.Equal(v.t, http.StatusOK, out.status, string(out.body))
	var list []map[string]any
	require.NoError(v.t, json.Unmarshal(out.body, &list))
	require.NotNil(v.t, list, "never null")
	return list
}

func (v *vivaTenant) ids(query string) []string {
	v.t.Helper()
	ids := []string{}
	for _, m := range v.list(query) {
		ids = append(ids, m["messageId"].(string))
	}
	return ids
}

func TestMessagesAreListedNewestFirstAndFiltered(t *testing.T) {
	t.Parallel()
	time0 := &clock{now: time.Now()}
	w := newWorldWith(t, time0.Now, nil)
	v := newVivaTenant(w)
	ids := make([]string, 3)
	for i := range ids {
		ids[i] = v.fire()
		time0.advance(time.Minute)
	}
	require.Equal(t, []string{ids[2], ids[1], ids[0]}, v.ids("eventTypeId=1796"))
	require.Equal(t, []string{ids[2], ids[1], ids[0]}, v.ids("eventTypeId=1796&before=&responseStatus=&limit="))
	require.Equal(t, []string{ids[2], ids[1]}, v.ids("eventTypeId=1796&limit=2"))
	for _, none := range []string{"1797", "9999", "-1", "0"} {
		require.Empty(t, v.ids("eventTypeId="+none))
	}
	created := v.list("eventTypeId=1796")[1]["created"].(string)
	require.Equal(t, []string{ids[0]}, v.ids("eventTypeId=1796&before="+created))
	at, err := time.Parse(time.RFC3339, created)
	require.NoError(t, err)
	athens := at.Add(time.Second).In(time.FixedZone("", 3*60*60)).Format("2006-01-02T15:04:05.000")
	require.Equal(t, []string{ids[1], ids[0]}, v.ids("eventTypeId=1796&before="+athens+"%2B03:00"))
	require.Equal(t, []string{ids[1], ids[0]}, v.ids("eventTypeId=1796&before="+athens+"+03:00"), "a + that was not encoded")
	require.Empty(t, v.ids("eventTypeId=1796&before=0001-01-01T00:00:00Z"), "nothing is older than the first year")
	other := newVivaTenant(w)
	require.Empty(t, other.ids("eventTypeId=1796"), "another tenant's")

	settle(t, w, ids[0], 200)
	settle(t, w, ids[1], 500)
	require.Equal(t, []string{ids[0]}, v.ids("eventTypeId=1796&responseStatus=1"))
	require.Equal(t, []string{ids[1]}, v.ids("eventTypeId=1796&responseStatus=2"))
	require.Len(t, v.ids("eventTypeId=1796"), 3)
}

func TestTypesThatAreWordsOnTheWireFindNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	own := newTenant(w, "")
	out := w.do(own.roles[models.RoleAdmin], "GET", messages+"?eventTypeId=1796", "")
	require.Equal(t, "[]\n", string(out.body))
	detail := w.do(own.roles[models.RoleAdmin], "GET", messages+"/"+own.invocation, "").is(200)
	require.Nil(t, detail["eventTypeId"])
}

func TestBadMessageQueriesAre400(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v := newVivaTenant(w)
	for query, location := range map[string]string{
		"":                                  "eventTypeId",
		"eventTypeId=":                      "eventTypeId",
		"eventTypeId=abc":                   "eventTypeId",
		"eventTypeId=1796.0":                "eventTypeId",
		"eventTypeId=99999999999999999999":  "eventTypeId",
		"eventTypeId=1796&eventTypeId=1797": "eventTypeId",
		"eventTypeId=1796&before=yesterday": "before",
		"eventTypeId=1796&before=2014-06-18T14:20:30,5Z":  "before",
		"eventTypeId=1796&before=2014-06-18":              "before",
		"eventTypeId=1796&before=2014-06-18 14:20:30Z":    "before",
		"eventTypeId=1796&before=2014-06-18T14:20:30":     "before",
		"eventTypeId=1796&responseStatus=3":               "responseStatus",
		"eventTypeId=1796&responseStatus=0":               "responseStatus",
		"eventTypeId=1796&responseStatus=x":               "responseStatus",
		"eventTypeId=1796&limit=0":                        "limit",
		"eventTypeId=1796&limit=501":                      "limit",
		"eventTypeId=1796&limit=x":                        "limit",
		"eventTypeId=1796&cursor=x":                       "cursor",
		"eventTypeId=1796&EventTypeId=1796":               "EventTypeId",
		"eventTypeId=1796&before=%ff":                     "before",
		"eventTypeId=x&before=x&responseStatus=x&limit=x": "limit",
	} {
		target := messages + "?" + strings.ReplaceAll(query, " ", "%20")
		w.do(v.member, "GET", target, "").problem(400, models.CodeMalformed, location)
	}
	w.do(v.member, "GET", messages+"?eventTypeId=%zz", "").problem(400, models.CodeMalformed)
}

func TestATestIsNoMessage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v := newVivaTenant(w)
	test := w.op("POST", "/v1/subscriptions/"+v.sub+"/test", "").is(202)["invocation_id"].(string)
	require.Empty(t, v.ids("eventTypeId=1796"))
	w.do(v.admin, "GET", messages+"/"+test, "").problem(404, models.CodeNotFound)
	w.do(v.admin, "POST", messages+"/"+test+":redeliver", "").problem(404, models.CodeNotFound)
}

func TestAMessageIsRedelivered(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v := newVivaTenant(w)
	id := v.fire()
	wakes := w.wakes.n
	for _, path := range []string{":redeliver", "%3Aredeliver", "%3aredeliver"} {
		out := w.do(v.admin, "POST", messages+"/"+id+path, "")
		require.Equal(t, map[string]any{"messageId": id}, out.is(202))
	}
	require.Greater(t, w.wakes.n, wakes)
	w.do(v.admin, "POST", messages+"/"+id+":redeliver", `{}`).is(202)
	w.do(v.admin, "POST", messages+"/"+id+":redeliver", `{"force":true}`).problem(400, models.CodeMalformed, "force")
	w.do(v.member, "POST", messages+"/"+id+":redeliver", "").problem(403, models.CodeForbidden)

	for _, c := range []struct{ method, path, allow string }{
		{"GET", id + ":redeliver", "POST, OPTIONS"},
		{"GET", "nonsense%3Aredeliver", "POST, OPTIONS"},
		{"POST", id, "GET, HEAD, OPTIONS"},
		{"POST", id + ":", "GET, HEAD, OPTIONS"},
		{"POST", id + ":cancel", "GET, HEAD, OPTIONS"},
		{"POST", id + ":redeliver:redeliver", "GET, HEAD, OPTIONS"},
	} {
		out := w.do(v.admin, c.method, messages+"/"+c.path, "")
		out.problem(405, codeMethodNotAllowed)
		require.Equal(t, c.allow, out.header.Get("Allow"), c.path)
	}
	w.do(v.admin, "GET", messages+"/"+id+":cancel", "").problem(400, models.CodeMalformed)
	require.Equal(t, 405, w.do(v.admin, "DELETE", messages+"/"+id, "").status)

	w.op("PATCH", "/v1/subscriptions/"+v.sub, `{"url":"https://example.com/new"}`).is(200)
	w.do(v.admin, "POST", messages+"/"+id+":redeliver", "").problem(409, models.CodeConflict)
	w.op("DELETE", "/v1/subscriptions/"+v.sub, "").is(204)
	w.do(v.admin, "POST", messages+"/"+id+":redeliver", "").problem(409, models.CodeConflict)
	require.NotNil(t, w.do(v.admin, "GET", messages+"/"+id, "").is(200)["payload"], "it stays readable")
}

func TestTheTokenIsTheApplicationsKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v, other := newVivaTenant(w), newVivaTenant(w)
	const path = "/api/messages/config/token"
	app, err := w.store.Application(t.Context(), v.app)
	require.NoError(t, err)
	token := w.do(v.admin, "GET", path, "").is(200)
	require.Equal(t, map[string]any{"Key": app.HandshakeKey}, token)
	require.Regexp(t, "^[0-9A-F]{40}$", token["Key"])
	require.NotEqual(t, token, w.do(other.admin, "GET", path, "").is(200))
	w.do(v.member, "GET", path, "").problem(403, models.CodeForbidden)
	require.NotContains(t, string(w.op("GET", "/v1/applications/"+v.app, "").body), app.HandshakeKey)
}
