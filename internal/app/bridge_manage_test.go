package app_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// creations tries to create so many webhooks at once and returns the statuses and the ids of those created.
func (w *world) creations(app string, n int) (statuses []int, ids []string) {
	w.t.Helper()
	var mu sync.Mutex
	var group sync.WaitGroup
	for i := range n {
		group.Go(func() {
			body := fmt.Sprintf(`{"url":"https://example.com/%d","event_types":["item.created"]}`, i)
			code, answer := w.raw("POST", "/v1/applications/"+app+"/subscriptions", []byte(body), nil)
			var made struct {
				ID string `json:"id"`
			}
			_ = json.Unmarshal(answer, &made)
			mu.Lock()
			defer mu.Unlock()
			statuses = append(statuses, code)
			if code == http.StatusCreated {
				ids = append(ids, made.ID)
			}
		})
	}
	group.Wait()
	return statuses, ids
}

func TestBRI6_TwentyParallelCreationsAtTheLimitLeaveTen(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		app := w.bridge()
		statuses, ids := w.asRole(app, "admin").creations(app, 20)
		slices.Sort(statuses)
		require.Equal(t, slices.Concat(slices.Repeat([]int{201}, 10), slices.Repeat([]int{409}, 10)), statuses)
		require.Len(t, w.listed("/v1/applications/"+app+"/subscriptions"), 10)

		for _, id := range ids[:3] { // three places, for which twenty race again
			w.call("DELETE", "/v1/subscriptions/"+id, nil, 204)
		}
		_, again := w.asRole(app, "admin").creations(app, 20)
		require.Len(t, again, 3)
		require.Len(t, w.listed("/v1/applications/"+app+"/subscriptions"), 10)
	})
}

func TestBRI6_TheEleventhIsRefusedUntilOneIsDeleted(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		app, other := w.bridge(), w.bridge()
		var last string
		for i := range 10 {
			last = w.webhook(app, fmt.Sprintf("https://example.com/%d", i), object{"enabled": i%2 == 0})["id"].(string)
		}
		eleventh := object{"url": "https://example.com/11", "event_types": []string{"item.created"}}
		path := "/v1/applications/" + app + "/subscriptions"
		refused := func() {
			t.Helper()
			problem := w.call("POST", path, eleventh, 409)
			require.Equal(t, "subscription_limit_reached", problem["code"])
			require.InDelta(t, 10, problem["limit"], 0)
			require.Len(t, w.listed(path), 10)
		}
		refused()
		w.call("POST", "/v1/subscriptions/"+last+"/enable", nil, 200) // half are disabled, and count
		w.call("POST", "/v1/subscriptions/"+last+"/disable", nil, 200)
		refused()
		w.webhook(other, "https://example.com/", nil) // its ten are its own
		w.call("DELETE", "/v1/subscriptions/"+last, nil, 204)
		w.call("POST", path, eleventh, 201)
		refused()
	})
}

func TestBRI7_EachWebhookHasASecretOfItsOwnShownOnce(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		receiver := newSink(t)
		app := w.bridge()
		first, second := w.webhook(app, receiver.URL, nil), w.webhook(app, receiver.URL, nil)
		secret := first["secret"].(string)
		require.GreaterOrEqual(t, len(secret), 32)
		require.NotEqual(t, secret, second["secret"])

		mine := object{"url": receiver.URL, "event_types": []string{"item.created"}, "secret": "mine"}
		require.Equal(t, []string{"secret"}, w.refusedAt("POST", "/v1/applications/"+app+"/subscriptions", mine))

		id := w.item(app, "item.created", 1)[0]
		w.becomes(id, "succeeded")
		hook := "/v1/subscriptions/" + first["id"].(string)
		for _, path := range []string{
			hook, hook + "/events", hook + "/stats", "/v1/applications/" + app + "/subscriptions",
			"/v1/invocations/" + id, "/v1/invocations/" + id + "/logs",
		} {
			code, answer := w.raw("GET", path, nil, nil)
			require.Equal(t, 200, code, path)
			require.NotContains(t, string(answer), secret, path)
			require.NotContains(t, string(answer), `"secret"`, path)
		}
		require.NotContains(t, w.call("PATCH", hook, object{"name": "prod"}, 200), "secret")
	})
}

// act is something that only admins may do.
type act struct {
	method, path string
	body         any
	want         int
}

// managing are all acts on a webhook, in an order in which an admin can do them one after the other.
func managing(app, hook, url string) []act {
	return []act{
		{"POST", "/v1/applications/" + app + "/subscriptions", object{"url": url, "event_types": []string{"*"}}, 422},
		{"POST", "/v1/applications/" + app + "/subscriptions", object{"url": url, "event_types": []string{"item.created"}}, 201},
		{"PATCH", hook, object{"name": "changed", "url": url + "/changed"}, 200},
		{"PUT", hook + "/events", object{"event_types": []string{"item.refreshed"}}, 200},
		{"DELETE", hook + "/events/item.created", nil, 204},
		{"POST", hook + "/test", nil, 202},
		{"POST", hook + "/rotate-secret", nil, 200},
		{"POST", hook + "/disable", nil, 200},
		{"POST", hook + "/enable", nil, 200},
		{"POST", hook + "/verify", nil, 409}, // it has no handshake
		{"DELETE", hook, nil, 204},
	}
}

func TestBRI9_OnlyAdminsManageWebhooks(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		receiver := newSink(t)
		app := w.bridge()
		hook := "/v1/subscriptions/" + w.webhook(app, receiver.URL, nil)["id"].(string)
		list := "/v1/applications/" + app + "/subscriptions"
		before := w.listed(list)
		member, publisher, stranger := w.asRole(app, "member"), w.asRole(app, "publisher"), w.asRole(w.bridge(), "admin")
		for _, a := range managing(app, hook, receiver.URL) {
			require.Equal(t, "forbidden", member.call(a.method, a.path, a.body, 403)["code"], a.path)
			require.Equal(t, "forbidden", publisher.call(a.method, a.path, a.body, 403)["code"], a.path)
			require.Equal(t, "not_found", stranger.call(a.method, a.path, a.body, 404)["code"], a.path)
			w.withoutKey(a)
		}
		require.Equal(t, before, w.listed(list), "refused, and yet something changed")
		receiver.quiet(100 * time.Millisecond)
		require.Empty(t, receiver.got())
		require.Equal(t, before, member.listed(list), "a member may read")
		member.call("GET", hook, nil, 200)

		admin := w.asRole(app, "admin")
		for _, a := range managing(app, hook, receiver.URL) {
			admin.call(a.method, a.path, a.body, a.want)
		}
	})
}

// withoutKey tries the act with no Authorization header at all.
func (w *world) withoutKey(a act) {
	w.t.Helper()
	encoded, err := json.Marshal(a.body)
	require.NoError(w.t, err)
	code, answer := w.raw(a.method, a.path, encoded, http.Header{"Authorization": nil})
	require.Equal(w.t, 401, code, string(answer))
}

func TestBRI22_AWebhooksWholeLifeIsSelfServiceOverHTTP(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		first, second := newSink(t), newSink(t)
		app := w.bridge()
		admin := w.asRole(app, "admin")
		hook := admin.webhook(app, first.URL, object{"name": "prod"})["id"].(string)
		path := "/v1/subscriptions/" + hook
		require.Equal(t, hook, admin.listed("/v1/applications/" + app + "/subscriptions")[0]["id"])
		admin.call("POST", path+"/test", nil, 202)
		first.await(1)

		admin.call("PATCH", path, object{"url": second.URL, "event_types": []string{"item.refreshed"}}, 200)
		id := w.item(app, "item.refreshed", 1)[0]
		second.await(1)
		require.Equal(t, second.URL, admin.logsOf(id)[0]["url"])

		admin.call("POST", path+"/disable", nil, 200)
		require.Empty(t, w.item(app, "item.refreshed", 2))
		admin.call("POST", path+"/enable", nil, 200)
		require.Len(t, w.item(app, "item.refreshed", 3), 1)
		second.await(2)
		admin.call("DELETE", path, nil, 204)
		admin.call("GET", path, nil, 404)
		require.Empty(t, w.item(app, "item.refreshed", 4))
		second.quiet(100 * time.Millisecond)
		require.Len(t, first.got(), 1)
	})
}

// logsOf waits for the first log entry: it is stored after the receiver has answered.
func (w *world) logsOf(id string) (logs []object) {
	w.t.Helper()
	require.Eventually(w.t, func() bool { logs = w.logs(id); return len(logs) > 0 }, patience, 10*time.Millisecond)
	return logs
}
