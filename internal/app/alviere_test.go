package app_test

import (
	"fmt"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	alviereVersion = "2021-11-18.1"
	programUUID    = "04d3ac6e-82d3-4f52-b82f-6cc0320928af"
)

// program makes an application of Alviere's whose program_uuid is the documentation's.
func (w *world) program() string {
	w.t.Helper()
	return w.call("POST", "/v1/applications",
		object{"name": w.t.Name(), "profile": "alviere", "external_id": programUUID}, 201)["id"].(string)
}

// alviereSubscription has the four things that a subscription requires (ALV-15).
func alviereSubscription(url, eventType, key, version string) object {
	return object{"url": url, "event_types": []string{eventType}, "security_key": key, "version": version}
}

// catalogue lists a profile's event types as the API answers them.
func (w *world) catalogue(profile string) (entries []object) {
	w.t.Helper()
	for _, item := range w.call("GET", "/v1/event-types?limit=500&profile="+url.QueryEscape(profile), nil, 200)["items"].([]any) {
		entries = append(entries, item.(map[string]any))
	}
	return entries
}

// ALV-1, 3, 5, 7 … 14, 19: the documentation's message, in every attempt and in a redelivery.
func TestALV1_ALV3_ALV5_ALV7_ALV8_ALV9_ALV10_ALV11_ALV12_ALV13_ALV14_ALV19_TheMessage(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		receiver, app := newSink(t, status(500, 503, 200)...), w.program()
		w.call("POST", "/v1/applications/"+app+"/subscriptions",
			alviereSubscription(receiver.URL+"/hook?a=1", "WALLET_TRANSACTION", "k1", alviereVersion), 201)
		entity := `{"amount":-200,"rate":1.50, "n":9007199254740993,"s":"a<b & Ελ"}`
		id, invocations := w.published(app, `{"type":"WALLET_TRANSACTION","occurred_at":"2021-06-17T13:02:08.143+02:00","payload":`+entity+`}`)
		w.becomes(invocations[0], "succeeded")
		w.call("PATCH", "/v1/events/"+id, `{"payload":{}}`, 405)
		w.call("POST", "/v1/invocations/"+invocations[0]+"/redeliver", nil, 202)
		for i, r := range receiver.await(4) {
			want := fmt.Sprintf(`{"event_uuid":%q,"program_uuid":%q,"event_date":"2021-06-17T11:02:08.143Z",`+
				`"event_retry":%d,"event_type":"WALLET_TRANSACTION","event_version":%q,"entity":%s}`,
				id, programUUID, i, alviereVersion, entity)
			require.Equal(t, want, string(r.body))
			require.Equal(t, []string{"POST", "/hook?a=1"}, []string{r.method, r.target})
			require.Equal(t, "k1", r.header.Get("Alviere-Auth"))
			require.Equal(t, "application/json", r.header.Get("Content-Type"))
			for _, absent := range []string{"webhook-id", "webhook-timestamp", "webhook-signature", "Posthorn-Test"} {
				require.Empty(t, r.header.Get(absent))
			}
		}
	})
}

func TestALV2_ALV6_TheNineTypesEachReachTheirOwnSubscription(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		app, types := w.program(), w.catalogue("alviere")
		require.Len(t, types, 9)
		receivers := map[string]*sink{}
		for _, entry := range types {
			name := entry["name"].(string)
			require.NotEmpty(t, entry["description"])
			require.Equal(t, name, entry["wire"])
			receivers[name] = newSink(t)
			w.call("POST", "/v1/applications/"+app+"/subscriptions",
				alviereSubscription(receivers[name].URL, name, "key of "+name, alviereVersion), 201)
		}
		for name := range receivers {
			w.publish(app, fmt.Sprintf(`{"type":%q,"payload":{}}`, name))
		}
		for name, receiver := range receivers {
			got := receiver.await(1)
			require.Len(t, got, 1)
			require.Contains(t, string(got[0].body), fmt.Sprintf(`"event_type":%q`, name))
			require.Equal(t, "key of "+name, got[0].header.Get("Alviere-Auth"))
		}
		w.call("POST", "/v1/applications/"+app+"/subscriptions",
			alviereSubscription("https://example.com/", "FOO", "k", alviereVersion), 422)
	})
}

func TestALV15_ALV16_ALV17_WhatASubscriptionRequires(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		app := w.program()
		path := "/v1/applications/" + app + "/subscriptions"
		for _, member := range []string{"url", "event_types", "security_key", "version"} {
			request := alviereSubscription("https://example.com/p?q=1", "ACCOUNT", "k1", alviereVersion)
			delete(request, member)
			refused := w.call("POST", path, request, 422)["errors"].([]any)
			require.Len(t, refused, 1)
			require.Equal(t, member, refused[0].(map[string]any)["location"])
		}
		for _, url := range []string{"http://example.com/x", "ftp://example.com", "/hook", "example.com/hook", "https://", ""} {
			w.call("POST", path, alviereSubscription(url, "ACCOUNT", "k1", alviereVersion), 422)
		}
		w.call("POST", path, alviereSubscription("https://example.com/", "ACCOUNT", "k1", "1999-01-01.1"), 422)
		require.Empty(t, w.call("GET", path, nil, 200)["items"], "nothing of it was stored")

		made := w.call("POST", path, alviereSubscription("https://example.com/p?q=1", "ACCOUNT", "the-key-itself", alviereVersion), 201)
		shown := fmt.Sprint(w.call("GET", "/v1/subscriptions/"+made["id"].(string), nil, 200))
		require.Contains(t, shown, "https://example.com/p?q=1")
		require.NotContains(t, shown, "the-key-itself")
	})
}

func TestALV13_ALV18_EachSubscriptionHasItsVersion(t *testing.T) {
	t.Parallel()
	onEachAlone(t, func(w *world) {
		t := w.t
		w.call("PATCH", "/v1/profiles/alviere/event-types/WALLET_TRANSACTION", `{"versions":["2021-11-18.1","2022-05-01.2"]}`, 200)
		app := w.program()
		receivers := map[string]*sink{alviereVersion: newSink(t), "2022-05-01.2": newSink(t)}
		for version, receiver := range receivers {
			w.call("POST", "/v1/applications/"+app+"/subscriptions",
				alviereSubscription(receiver.URL, "WALLET_TRANSACTION", "k", version), 201)
		}
		w.publish(app, `{"type":"WALLET_TRANSACTION","payload":{}}`)
		for version, receiver := range receivers {
			require.Contains(t, string(receiver.await(1)[0].body), fmt.Sprintf(`"event_version":%q`, version))
		}
	})
}

func TestALV20_Only200IsDelivered(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		for _, first := range []int{201, 202, 204, 206, 301, 400, 401, 404, 410, 429, 500, 503} {
			receiver, app := newSink(t, status(first, 200)...), w.program()
			w.call("POST", "/v1/applications/"+app+"/subscriptions",
				alviereSubscription(receiver.URL, "CHECK", "k", alviereVersion), 201)
			_, ids := w.published(app, `{"type":"CHECK","payload":{}}`)
			w.becomes(ids[0], "succeeded")
			require.Len(t, receiver.got(), 2, first)
			require.EqualValues(t, first, w.logs(ids[0])[0]["status_code"])
		}
	})
}

func TestALV21_TheFirstRetryComesAfter20Milliseconds(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		receiver, app := newSink(t, status(500, 500, 500, 200)...), w.program()
		w.call("POST", "/v1/applications/"+app+"/subscriptions",
			alviereSubscription(receiver.URL, "CHECK", "k", alviereVersion), 201)
		_, ids := w.published(app, `{"type":"CHECK","payload":{}}`)
		w.becomes(ids[0], "succeeded")
		logs := w.logs(ids[0])
		require.Len(t, logs, 4)
		for n := 1; n < len(logs); n++ {
			ended, began := moment(t, logs[n-1]["finished_at"]), moment(t, logs[n]["started_at"])
			wait := time.Duration(n*n) * 20 * time.Millisecond
			require.GreaterOrEqual(t, began.Sub(ended), wait-time.Millisecond, "20 ms · %d², to the millisecond that times have", n)
		}
	})
}

func moment(t *testing.T, text any) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339Nano, text.(string))
	require.NoError(t, err)
	return at
}

// alviere's test event is a sample in the normal envelope, marked by a header.
func TestALV7_ATestEventLooksLikeAnEventButForItsHeader(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		receiver, app := newSink(t), w.program()
		sub := w.call("POST", "/v1/applications/"+app+"/subscriptions",
			alviereSubscription(receiver.URL, "CHECK", "k1", alviereVersion), 201)
		w.call("POST", "/v1/subscriptions/"+sub["id"].(string)+"/test", nil, 202)
		got := receiver.await(1)[0]
		require.Equal(t, "true", got.header.Get("Posthorn-Test"))
		require.Equal(t, "k1", got.header.Get("Alviere-Auth"))
		require.Regexp(t, `^{"event_uuid":"[0-9a-f-]{36}","program_uuid":"`+programUUID+`","event_date":"[0-9T:.-]{23}Z",`+
			`"event_retry":0,"event_type":"ACCOUNT","event_version":"2021-11-18.1","entity":{`, string(got.body))
	})
}
