package app_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/models"
)

func TestTHR2_EndpointsAreCreatedAndChangedOverTheAPI(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		before, after := newSink(t), newSink(t)
		app := w.thredd()
		hook := w.endpoint(app, before.URL, []int{101}, object{"headers": object{"X-Api-Key": "old", "X-Env": "test"}})
		w.notify(app, 101, 1)
		require.Equal(t, "old", before.await(1)[0].header.Get("X-Api-Key"))

		changed := w.call("PATCH", hook, object{"url": after.URL + "/v2", "headers": object{"X-Api-Key": "new"}}, 200)
		require.Equal(t, after.URL+"/v2", changed["url"])
		w.notify(app, 101, 2)
		got := after.await(1)[0]
		require.Equal(t, "/v2", got.target)
		require.Equal(t, "new", got.header.Get("X-Api-Key"))
		require.Empty(t, got.header.Values("X-Env"), "the headers are replaced")

		require.Equal(t, "disabled", w.call("PATCH", hook, object{"enabled": false}, 200)["status"])
		require.Empty(t, w.notify(app, 101, 3))
		require.Equal(t, "active", w.call("PATCH", hook, object{"enabled": true}, 200)["status"])
		w.notify(app, 101, 4)
		after.await(2)
		require.Len(t, before.got(), 1)
		const unknown = "/v1/subscriptions/01890000-0000-7000-8000-000000000000"
		for _, method := range []string{"GET", "PATCH", "DELETE"} {
			w.call(method, unknown, object{}, 404)
		}
	})
}

func TestTHR3_OnlyTheChosenCodesAreNotified(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		receiver, other := newSink(t), newSink(t)
		app := w.thredd()
		w.endpoint(app, receiver.URL, []int{101, 103})
		w.endpoint(app, other.URL, []int{102})
		for _, code := range []int{101, 102, 103} {
			require.Len(t, w.notify(app, code, 1), 1)
		}
		require.ElementsMatch(t, []int{101, 103}, codesOf(notifications(t, receiver.await(2))))
		require.Equal(t, []int{102}, codesOf(notifications(t, other.await(1))))
		receiver.quiet(100 * time.Millisecond)
	})
}

func TestTHR5_ChangingAnEndpointsDetailsKeepsItsIdentityAndHistory(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		receiver := newSink(t)
		app := w.thredd()
		hook := w.endpoint(app, receiver.URL, []int{101}, object{"name": "old"})
		id := w.notify(app, 101, 1)[0]
		w.becomes(id, "succeeded")
		history := "/v1/applications/" + app + "/invocations?subscription_id=" + hook[len("/v1/subscriptions/"):]
		past := w.listed(history)
		made := w.call("GET", hook, nil, 200)

		changed := w.asRole(app, "admin").call("PATCH", hook,
			object{"name": "new", "url": receiver.URL + "/new", "headers": object{"X-Api-Key": "k"}}, 200)
		require.Equal(t, changed, w.call("GET", hook, nil, 200))
		require.Equal(t, []any{"new", receiver.URL + "/new", map[string]any{"X-Api-Key": "***"}},
			[]any{changed["name"], changed["url"], changed["headers"]})
		for _, kept := range []string{"id", "application_id", "created_at", "event_types", "status", "delivery"} {
			require.Equal(t, made[kept], changed[kept], kept)
		}
		require.True(t, instant(t, changed["updated_at"]).After(instant(t, made["updated_at"])))
		require.Equal(t, past, w.listed(history))
		require.Equal(t, receiver.URL, w.logs(id)[0]["url"], "what was sent stays on record as it was")
	})
}

func TestTHR6_EventCodesAreAddedListedAndRemoved(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		receiver := newSink(t)
		app := w.thredd()
		hook := w.endpoint(app, receiver.URL, []int{101})
		admin, events := w.asRole(app, "admin"), hook+"/events"
		require.Empty(t, w.notify(app, 102, 1), "not yet")
		admin.call("PUT", events, object{"event_types": []int{102}}, 200)
		require.Equal(t, []any{"101", "102"}, admin.call("GET", events, nil, 200)["event_types"])
		require.Len(t, w.notify(app, 102, 2), 1)

		require.Equal(t, "conflict", admin.call("PUT", events, object{"event_types": []int{103, 102}}, 409)["code"])
		require.Equal(t, []string{"event_types[1]"}, admin.refusedAt("PUT", events, object{"event_types": []int{104, 111}}))
		require.Equal(t, "conflict", admin.call("PUT", events, object{"event_types": []any{105, "105"}}, 409)["code"])
		require.Equal(t, []any{"101", "102"}, admin.call("GET", hook, nil, 200)["event_types"], "refused as a whole")

		admin.call("DELETE", events+"/101", nil, 204)
		admin.call("DELETE", events+"/101", nil, 404)
		require.Equal(t, []any{"102"}, admin.call("GET", events, nil, 200)["event_types"])
		require.Empty(t, w.notify(app, 101, 3))
		require.Len(t, w.notify(app, 102, 4), 1)
		require.Equal(t, []int{102, 102}, codesOf(notifications(t, receiver.await(2))))
		receiver.quiet(100 * time.Millisecond)
	})
}

func TestTHR12_AnEndpointNeedsAURL(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		app := w.thredd()
		path := "/v1/applications/" + app + "/subscriptions"
		require.Equal(t, []string{"url"}, w.refusedAt("POST", path, object{"event_types": []int{101}}))
		for _, url := range []any{nil, "", 101, "http://example.com/", "https://", "//example.com/", "hook", "https://u:p@example.com/"} {
			body := object{"url": url, "event_types": []int{101}}
			require.Equal(t, []string{"url"}, w.refusedAt("POST", path, body), fmt.Sprint(url))
		}
		require.Empty(t, w.listed(path))
	})
}

func TestTHR18_AWebhookMayComeBeforeItsEvents(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		receiver := newSink(t)
		app := w.thredd()
		hook := w.endpoint(app, receiver.URL, []int{})
		require.Equal(t, []any{}, w.call("GET", hook, nil, 200)["event_types"])
		require.Empty(t, w.notify(app, 101, 1))
		event, _ := w.published(app, `{"type":101,"payload":{"n":2}}`)
		require.Empty(t, w.call("GET", "/v1/events/"+event, nil, 200)["invocations"], "kept, though nobody wanted it")

		w.call("PUT", hook+"/events", object{"event_types": []int{101}}, 200)
		w.becomes(w.notify(app, 101, 3)[0], "succeeded")
		receiver.quiet(200 * time.Millisecond)
		got := notifications(t, receiver.got())
		require.Len(t, got, 1, "what was published before is not sent by itself")
		require.JSONEq(t, `{"n":3}`, string(got[0].Payload))

		leftOut := w.call("POST", "/v1/applications/"+app+"/subscriptions", object{"url": receiver.URL}, 201)
		require.Equal(t, []any{}, leftOut["event_types"])
	})
}

// THR-13 is the promise of self-service: what THR-2 to THR-8 do, with the customer's own key.
func TestTHR13_ACustomersAdminControlsEndpointsSubscriptionsAndNotifications(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		receiver := newSink(t, status(500)...)
		app := w.application("thredd", `{"retry":{"kind":"fixed","interval":"1h","max_attempts":3}}`)
		admin := w.asRole(app, "admin")
		hook := admin.endpoint(app, receiver.URL, []int{101}, object{"name": "mine"})
		admin.call("PATCH", hook, object{"headers": object{"X-Api-Key": "k"}}, 200)
		admin.call("PUT", hook+"/events", object{"event_types": []int{102}}, 200)
		admin.call("GET", hook+"/events", nil, 200)
		admin.call("GET", hook+"/stats", nil, 200)

		first, second := w.notify(app, 101, 1)[0], w.notify(app, 102, 2)[0]
		admin.becomes(first, "retrying")
		admin.becomes(second, "retrying")
		missed := admin.listed("/v1/applications/" + app + "/invocations?status=retrying&include=payload")
		require.Len(t, missed, 2)
		require.Len(t, admin.listed("/v1/applications/"+app+"/events?undelivered=true"), 2)
		receiver.answers(answer{status: 200})
		admin.call("POST", "/v1/invocations/"+first+"/redeliver", nil, 202)
		admin.becomes(first, "succeeded")
		admin.call("POST", "/v1/invocations/"+second+"/cancel", nil, 202)
		require.Equal(t, "cancelled", admin.invocation(second)["status"])
		require.NotEmpty(t, admin.logs(first))
		unknown := models.NewID()
		job := admin.redeliveries(app, fmt.Sprintf(`{"ids":[%q,%q,%q]}`, first, second, unknown))
		ended := admin.jobEnds(job["id"], patience)
		require.Equal(t, []any{"completed", 2.0, 2.0}, values(ended, "state", "done", "succeeded"))
		outcomes := map[any]any{}
		for _, result := range ended["results"].([]any) {
			outcomes[result.(map[string]any)["id"]] = result.(map[string]any)["outcome"]
		}
		require.Equal(t, map[any]any{first: "succeeded", second: "succeeded", unknown: "not_found"}, outcomes)
		require.Equal(t, "succeeded", admin.invocation(second)["status"])
		admin.call("DELETE", hook+"/events/102", nil, 204)
		admin.call("POST", hook+"/disable", nil, 200)
		admin.call("DELETE", hook, nil, 204)
	})
}
