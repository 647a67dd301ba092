package app_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// bridge creates an application of the profile with a quick retry.
func (w *world) bridge() string {
	w.t.Helper()
	return w.application("bridge", `{"retry":{"kind":"fixed","interval":"20ms","max_attempts":5}}`)
}

// asRole is the world seen with a fresh key of the application.
func (w *world) asRole(app, role string) *world {
	w.t.Helper()
	made := w.call("POST", "/v1/applications/"+app+"/keys", object{"role": role, "name": role}, 201)
	return w.as(made["key"].(string))
}

// webhook subscribes the URL to item.created, unless more says otherwise, and returns the answer.
func (w *world) webhook(app, url string, more object) object {
	w.t.Helper()
	body := object{"event_types": []string{"item.created"}}
	maps.Copy(body, more)
	return w.subscription(app, url, body)
}

// item publishes an event of the type about an item and returns the invocations' ids.
func (w *world) item(app, eventType string, id int) []string {
	w.t.Helper()
	_, ids := w.published(app, fmt.Sprintf(`{"type":%q,"payload":{"item_id":%d}}`, eventType, id))
	return ids
}

// listed are the items of a list, of one page.
func (w *world) listed(path string) []object {
	w.t.Helper()
	items := w.call("GET", path, nil, 200)["items"].([]any)
	list := make([]object, 0, len(items))
	for _, item := range items {
		list = append(list, item.(map[string]any))
	}
	return list
}

// refusedAt sends what has to be refused as invalid and returns the places of the faults.
func (w *world) refusedAt(method, path string, body any) []string {
	w.t.Helper()
	problem := w.call(method, path, body, 422)
	require.Contains(w.t, []any{"validation_failed", "blocked_url"}, problem["code"])
	var places []string
	for _, fault := range problem["errors"].([]any) {
		require.NotEmpty(w.t, fault.(map[string]any)["message"])
		places = append(places, fault.(map[string]any)["location"].(string))
	}
	return places
}

// keysOf are the keys of a JSON object, in their order.
func keysOf(t *testing.T, text []byte) (keys []string) {
	t.Helper()
	decoder := json.NewDecoder(bytes.NewReader(text))
	_, err := decoder.Token()
	require.NoError(t, err)
	for decoder.More() {
		key, err := decoder.Token()
		require.NoError(t, err)
		keys = append(keys, key.(string))
		var value json.RawMessage
		require.NoError(t, decoder.Decode(&value))
	}
	return keys
}

// bridgeBody is a delivery of the profile.
type bridgeBody struct {
	Content   json.RawMessage `json:"content"`
	Timestamp int64           `json:"timestamp"`
	Type      string          `json:"type"`
}

func bridgeBodies(t *testing.T, requests []request) []bridgeBody {
	t.Helper()
	bodies := make([]bridgeBody, len(requests))
	for i, r := range requests {
		require.NoError(t, json.Unmarshal(r.body, &bodies[i]), string(r.body))
	}
	return bodies
}

func TestBRI1_EventsGoToTheWebhooksOfTheirApplicationOnly(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		mine, theirs := newSink(t), newSink(t)
		a, b := w.bridge(), w.bridge()
		w.webhook(a, mine.URL, nil)
		w.webhook(b, theirs.URL, nil)
		ids := w.item(a, "item.created", 1)
		require.Len(t, ids, 1)
		w.becomes(ids[0], "succeeded")
		theirs.quiet(100 * time.Millisecond)
		require.Len(t, mine.got(), 1)
	})
}

func TestBRI3_AWebhookNeedsACallbackURL(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		app := w.bridge()
		path := "/v1/applications/" + app + "/subscriptions"
		for _, url := range []any{nil, "", "https://", "/hook", "example.com/hook", "http://example.com/h", "ftp://example.com/h"} {
			body := object{"url": url, "event_types": []string{"item.created"}}
			require.Contains(t, w.refusedAt("POST", path, body), "url", url)
		}
		require.Contains(t, w.refusedAt("POST", path, object{"event_types": []string{"item.created"}}), "url")
		require.Empty(t, w.listed(path))

		const url = "https://example.com/hook?shop=1&x=%20"
		made := w.webhook(app, url, nil)
		require.Equal(t, url, made["url"])
		require.Equal(t, url, w.call("GET", "/v1/subscriptions/"+made["id"].(string), nil, 200)["url"])
	})
}

func TestBRI4_TheNameIsOptionalAndNeedNotBeUnique(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		app := w.bridge()
		require.Nil(t, w.webhook(app, "https://example.com/a", nil)["name"])
		first := w.webhook(app, "https://example.com/b", object{"name": "prod"})
		second := w.webhook(app, "https://example.com/c", object{"name": "prod"})
		for _, made := range []object{first, second} {
			require.Equal(t, "prod", w.call("GET", "/v1/subscriptions/"+made["id"].(string), nil, 200)["name"])
		}
		require.NotEqual(t, first["id"], second["id"])
	})
}

func TestBRI5_OnlyTheSelectedEventsAreSent(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		receiver := newSink(t)
		app := w.bridge()
		hook := w.webhook(app, receiver.URL, object{"event_types": []string{"item.created", "item.refreshed"}})
		path := "/v1/subscriptions/" + hook["id"].(string)
		all := []string{"item.created", "item.refreshed", "item.account.created", "transfer.created"}
		for _, eventType := range all {
			w.item(app, eventType, 1)
		}
		require.ElementsMatch(t, all[:2], typesOf(bridgeBodies(t, receiver.await(2))))

		require.Contains(t, w.refusedAt("PATCH", path, object{"event_types": []string{}}), "event_types")
		require.Contains(t, w.refusedAt("PATCH", path, object{"event_types": []string{"item.created", "item.gone"}}),
			"event_types[1]")
		w.call("PATCH", path, object{"event_types": []string{"transfer.created"}}, 200)
		for _, eventType := range all {
			w.item(app, eventType, 2)
		}
		require.Equal(t, "transfer.created", bridgeBodies(t, receiver.await(3))[2].Type)
		receiver.quiet(100 * time.Millisecond)
	})
}

func typesOf(bodies []bridgeBody) []string {
	types := make([]string, 0, len(bodies))
	for _, body := range bodies {
		types = append(types, body.Type)
	}
	return types
}
