package app_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/internal/app"
)

// alviereRequest is a complete request for a subscription of the profile.
func alviereRequest(eventType, url, key string) object {
	return object{"event_types": []string{eventType}, "url": url, "version": "2021-11-18.1", "security_key": key}
}

// alviereSubscription subscribes to one of the profile's types.
func (w *world) alviereSubscription(app, eventType, url, key string) {
	w.t.Helper()
	w.subscription(app, url, alviereRequest(eventType, url, key))
}

// appKey makes a key of an application and returns the world as its holder sees it.
func (w *world) appKey(app, role string) *world {
	w.t.Helper()
	body := object{"role": role, "name": w.t.Name()}
	return w.as(w.call("POST", "/v1/applications/"+app+"/keys", body, 201)["key"].(string))
}

func TestALV1_PublishingCallsTheConsumerWithTheData(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		receiver := newSink(t)
		app := w.alviere()
		w.alviereSubscription(app, "WALLET_TRANSACTION", receiver.URL, "k1")
		_, ids := w.published(app, `{"type":"WALLET_TRANSACTION","payload":{"amount":-200,"status":"SETTLED"}}`)
		w.becomes(ids[0], "succeeded")
		got := receiver.got()
		require.Len(t, got, 1)
		require.JSONEq(t, `{"amount":-200,"status":"SETTLED"}`, string(alviereBodies(t, got)[0].Entity))
	})
}

func TestALV2_ASubscriptionIsForOneGroupOfEvents(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		accounts, checks := newSink(t), newSink(t)
		app := w.alviere()
		w.alviereSubscription(app, "ACCOUNT", accounts.URL, "k1")
		w.alviereSubscription(app, "CHECK", checks.URL, "k2")
		for _, eventType := range []string{"ACCOUNT", "CHECK"} {
			_, ids := w.published(app, `{"type":"`+eventType+`","payload":{}}`)
			require.Len(t, ids, 1)
			w.becomes(ids[0], "succeeded")
		}
		require.Len(t, accounts.got(), 1)
		require.Len(t, checks.got(), 1)
		require.JSONEq(t, `"ACCOUNT"`, string(alviereBodies(t, accounts.got())[0].Type))
		require.JSONEq(t, `"CHECK"`, string(alviereBodies(t, checks.got())[0].Type))
		for _, types := range []any{[]string{"ACCOUNT", "CHECK"}, []string{"*"}, []string{}} {
			request := alviereRequest("", accounts.URL, "k3")
			request["event_types"] = types
			w.call("POST", "/v1/applications/"+app+"/subscriptions", request, 422)
		}
	})
}

func TestALV3_EventsArePostedToTheSubscriptionsOwnURL(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		receiver := newSink(t)
		app := w.alviere()
		targets := []string{"/hooks/a%2Fb/~c?x=1&y=%20+z&empty=&flag", "/second/"}
		for _, target := range targets {
			w.account(app, receiver.URL+target)
		}
		w.publish(app, `{"type":"ACCOUNT","payload":{}}`)
		var seen []string
		for _, r := range receiver.await(2) {
			require.Equal(t, "POST", r.method)
			seen = append(seen, r.target)
		}
		require.ElementsMatch(t, targets, seen)
	})
}

func TestALV15_EveryPartOfASubscriptionIsRequired(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		app := w.alviere()
		list := "/v1/applications/" + app + "/subscriptions"
		complete := alviereRequest("ACCOUNT", "https://receiver.example/hook", "k1")
		for member := range complete {
			for name, spoil := range map[string]func(object){
				"left out": func(o object) { delete(o, member) }, "null": func(o object) { o[member] = nil },
			} {
				request := maps.Clone(complete)
				spoil(request)
				problem := w.call("POST", list, request, 422)
				require.Len(t, problem["errors"], 1, "%s %s", member, name)
				require.Equal(t, member, problem["errors"].([]any)[0].(map[string]any)["location"], name)
				require.Empty(t, w.call("GET", list, nil, 200)["items"])
			}
		}
		created := w.call("POST", list, complete, 201)
		require.Equal(t, "https://receiver.example/hook", created["url"])
		require.Equal(t, []any{"ACCOUNT"}, created["event_types"])
		require.Equal(t, "2021-11-18.1", created["version"])
	})
}

func TestALV16_TheURLIsACompleteHTTPSURL(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		app := w.alviere()
		list := "/v1/applications/" + app + "/subscriptions"
		for _, url := range []string{
			"", "http://h/x", "ftp://h", "/hook", "//h/hook", "h/hook", "https://", "https:///p", "https:h", "HTTPS//h",
			"https://u:p@h/x", "https://h/ x", "mailto:a@h", "https://h/#f",
		} {
			problem := w.call("POST", list, alviereRequest("ACCOUNT", url, "k1"), 422)
			require.Equal(t, "url", problem["errors"].([]any)[0].(map[string]any)["location"], url)
		}
		require.Empty(t, w.call("GET", list, nil, 200)["items"])
		sub := w.call("POST", list, alviereRequest("ACCOUNT", "https://h/p?q=1", "k1"), 201)
		require.Equal(t, "https://h/p?q=1", sub["url"])
		w.call("PATCH", "/v1/subscriptions/"+sub["id"].(string), object{"url": "http://h/p"}, 422)
		require.Equal(t, "https://h/p?q=1", w.call("GET", "/v1/subscriptions/"+sub["id"].(string), nil, 200)["url"])
	})
}

func TestALV16_HTTPIsRefusedUnlessTheOperatorAllowsIt(t *testing.T) {
	t.Parallel()
	cfg := external(t, sqliteFile(t), "127.0.0.1:1")
	cfg.AllowHTTP = false
	w := start(t, cfg, app.Roles{API: true})
	list := "/v1/applications/" + w.alviere() + "/subscriptions"
	for _, url := range []string{"http://receiver.example/x", "http://127.0.0.1:9/x", "http://localhost/x"} {
		w.call("POST", list, alviereRequest("ACCOUNT", url, "k1"), 422)
	}
	w.call("POST", list, alviereRequest("ACCOUNT", "https://receiver.example/x", "k1"), 201)
}

func TestALV17_TheKeyIsTheSubscribersAndNeverShown(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		const key = "the-subscribers-own-key-17"
		receiver := newSink(t)
		app := w.alviere()
		list := "/v1/applications/" + app + "/subscriptions"
		request, err := json.Marshal(alviereRequest("ACCOUNT", receiver.URL, key))
		require.NoError(t, err)
		code, created := w.raw("POST", list, request, nil)
		require.Equal(t, 201, code)
		var sub object
		require.NoError(t, json.Unmarshal(created, &sub))
		require.Nil(t, sub["secret"], "nothing is generated")
		id := w.numbered(app, 1)
		w.becomes(id, "succeeded")
		require.Equal(t, key, receiver.got()[0].header.Get("Alviere-Auth"))

		one := "/v1/subscriptions/" + sub["id"].(string)
		_, changed := w.raw("PATCH", one, []byte(`{"name":"renamed"}`), nil)
		answers := [][]byte{created, changed}
		for _, path := range []string{one, list, "/v1/invocations/" + id, "/v1/invocations/" + id + "/logs"} {
			code, answer := w.raw("GET", path, nil, nil)
			require.Equal(t, 200, code)
			answers = append(answers, answer)
		}
		for _, answer := range answers {
			require.False(t, bytes.Contains(answer, []byte(key)), string(answer))
		}
		masked := w.logs(id)[0]["request"].(map[string]any)["headers"].(map[string]any)
		require.Contains(t, masked, "Alviere-Auth", "the log says that it was sent")
	})
}
