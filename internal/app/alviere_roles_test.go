package app_test

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// what an operator alone may do to a subscription of the profile: method, path below it, body.
func alviereManagement() [][3]string {
	return [][3]string{
		{"PATCH", "", `{"name":"mine"}`},
		{"POST", "/disable", ""},
		{"POST", "/enable", ""},
		{"POST", "/rotate-secret", `{}`},
		{"PUT", "/events", `{"event_types":["CHECK"]}`},
		{"DELETE", "/events/ACCOUNT", ""},
		{"DELETE", "", ""},
	}
}

func TestALV26_TheOperatorSetsSubscriptionsUp(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		app := w.alviere()
		list := "/v1/applications/" + app + "/subscriptions"
		request := alviereRequest("ACCOUNT", newSink(t).URL, "k1")
		holders := []*world{w.appKey(app, "admin"), w.appKey(app, "member")}
		for _, holder := range holders {
			require.Equal(t, "forbidden", holder.call("POST", list, request, 403)["code"])
		}
		require.Empty(t, w.call("GET", list, nil, 200)["items"])
		one := "/v1/subscriptions/" + w.call("POST", list, request, 201)["id"].(string)
		before := w.call("GET", one, nil, 200)
		for _, holder := range holders {
			for _, a := range alviereManagement() {
				code, answer := holder.raw(a[0], one+a[1], []byte(a[2]), nil)
				require.Equal(t, 403, code, "%s %s: %s", a[0], a[1], answer)
			}
		}
		require.Equal(t, before, w.call("GET", one, nil, 200), "nothing changed")
		for _, a := range alviereManagement() {
			code, answer := w.raw(a[0], one+a[1], []byte(a[2]), nil)
			require.NotEqual(t, 403, code, "%s %s: %s", a[0], a[1], answer)
		}
		w.call("GET", one, nil, 404)
	})
}

func TestALV26_TheApplicationsAdminOperatesDeliveries(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		receiver := newSink(t, status(500)...)
		app := w.application("alviere", `{"retry":{"kind":"fixed","interval":"1h"}}`)
		sub := w.account(app, receiver.URL)
		id := w.numbered(app, 1)
		w.becomes(id, "retrying")
		one, invocation := "/v1/subscriptions/"+sub, "/v1/invocations/"+id
		admin, member := w.appKey(app, "admin"), w.appKey(app, "member")
		for _, action := range []string{one + "/test", invocation + "/redeliver", invocation + "/cancel"} {
			member.call("POST", action, nil, 403)
		}
		for _, holder := range []*world{admin, member} {
			for _, path := range []string{
				one, one + "/events", one + "/stats", "/v1/applications/" + app + "/subscriptions", invocation,
				invocation + "/logs", "/v1/applications/" + app + "/invocations", "/v1/applications/" + app + "/events",
			} {
				holder.call("GET", path, nil, 200)
			}
		}
		admin.call("POST", invocation+"/redeliver", nil, 202)
		receiver.await(2)
		admin.call("POST", one+"/test", nil, 202)
		receiver.await(3)
		admin.call("POST", invocation+"/cancel", nil, 202)
		require.Equal(t, "cancelled", w.invocation(id)["status"])
	})
}
