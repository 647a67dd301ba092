package app_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// thredd creates an application of the profile with a quick retry.
func (w *world) thredd() string {
	w.t.Helper()
	return w.application("thredd", `{"retry":{"kind":"fixed","interval":"20ms","max_attempts":3}}`)
}

// endpoint subscribes the URL to the event codes and returns its path.
func (w *world) endpoint(app, url string, codes []int, more ...object) string {
	w.t.Helper()
	body := object{"event_types": codes}
	for _, m := range more {
		maps.Copy(body, m)
	}
	return "/v1/subscriptions/" + w.subscription(app, url, body)["id"].(string)
}

// notify publishes an event of the code, numbered, and returns the invocations' ids.
func (w *world) notify(app string, code, n int) []string {
	w.t.Helper()
	_, ids := w.published(app, fmt.Sprintf(`{"type":%d,"payload":{"n":%d}}`, code, n))
	return ids
}

// notification is a delivery of the profile.
type notification struct {
	ID      string          `json:"notificationId"` //nolint:tagliatelle // the wire's spelling, here and below
	Code    int             `json:"eventCode"`      //nolint:tagliatelle // as above
	Created time.Time       `json:"createdTime"`    //nolint:tagliatelle // as above
	Payload json.RawMessage `json:"payload"`
}

func notifications(t *testing.T, requests []request) []notification {
	t.Helper()
	list := make([]notification, len(requests))
	for i, r := range requests {
		require.NoError(t, json.Unmarshal(r.body, &list[i]), string(r.body))
	}
	return list
}

func codesOf(list []notification) []int {
	codes := make([]int, 0, len(list))
	for _, n := range list {
		codes = append(codes, n.Code)
	}
	return codes
}

// threddCatalogue are the codes and descriptions of Thredd's documentation.
func threddCatalogue() map[int]string {
	return map[int]string{
		101: "Supports when a fraud rule is triggered by a transaction.",
		102: "Supports when a fraud alert is closed, either from your confirmation using the API, or 3 days after the alert was triggered.",
		103: "Supports notifying a customer when a card status changes. This event code will also send an EMV chip block script when an irreversible card status is set.",
		104: "Supports notifying a customer when a customisable PAN is created.",
		105: "Supports notifying a customer when there's a potential scam payment on their card.",
		106: "Supports notifications sent for Tokenisation Authorisation Request (TAR) tokenisation requests.",
		107: "Supports notifications sent for Activation Code Notification (ACN) tokenisation requests.",
		108: "Supports notifications sent for Tokenisation Complete Notification (TCN) tokenisation requests.",
		109: "Supports notifications sent for Tokenisation Event Notification (TEN) tokenisation requests.",
		110: "Supports notifications sent for failed token status changes.",
		112: "Supports notifications sent for transaction confirmation events.",
	}
}

func threddCodes() []int {
	codes := make([]int, 0, 11)
	for code := range threddCatalogue() {
		codes = append(codes, code)
	}
	return codes
}

func TestTHR20_TheCatalogueIsElevenCodesWithout111(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		var codes []int
		for _, eventType := range w.catalogue("thredd") {
			code := int(eventType["wire"].(float64))
			require.Equal(t, strconv.Itoa(code), eventType["name"])
			codes = append(codes, code)
		}
		require.ElementsMatch(t, threddCodes(), codes)

		app := w.thredd()
		path := "/v1/applications/" + app + "/subscriptions"
		for _, wrong := range []any{111, 100, 113, "101a", "111", "", -101, 1010, "10*", "*", "0101", " 101"} {
			body := object{"url": "https://example.com/", "event_types": []any{101, wrong}}
			require.Equal(t, []string{"event_types[1]"}, w.refusedAt("POST", path, body), wrong)
			require.Equal(t, []string{"type"}, w.refusedAt("POST", "/v1/applications/"+app+"/events",
				object{"type": wrong, "payload": object{}}), wrong)
		}
		require.Empty(t, w.listed(path))
		for _, form := range []any{101, "101"} { // by wire value and by name
			body := object{"url": "https://example.com/", "event_types": []any{form}}
			require.Equal(t, []any{"101"}, w.call("POST", path, body, 201)["event_types"])
		}
	})
}

func TestTHR14_EveryCodeComesInTheSameFrame(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		receiver := newSink(t)
		app := w.thredd()
		w.endpoint(app, receiver.URL, threddCodes(), object{"headers": object{"X-Api-Key": "k"}})
		policies := map[string]bool{}
		for _, code := range threddCodes() {
			hook := w.endpoint(app, newSink(t).URL, []int{code})
			policy, err := json.Marshal(w.call("GET", hook, nil, 200)["delivery"])
			require.NoError(t, err)
			policies[string(policy)] = true
			w.notify(app, code, code)
		}
		require.Len(t, policies, 1)
		got := receiver.await(11)
		require.ElementsMatch(t, threddCodes(), codesOf(notifications(t, got)))
		names := func(r request) []string {
			var list []string
			for name := range r.header {
				list = append(list, name)
			}
			return list
		}
		for _, r := range got {
			require.Equal(t, []string{"notificationId", "eventCode", "createdTime", "payload"}, keysOf(t, r.body))
			require.ElementsMatch(t, names(got[0]), names(r))
			require.Equal(t, "k", r.header.Get("X-Api-Key"))
			require.Regexp(t, `"createdTime":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"`, string(r.body))
		}
	})
}

func TestTHR23_EachDescriptionIsTheSeedsAndEachCodeIsDelivered(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		described := map[int]string{}
		for _, eventType := range w.catalogue("thredd") {
			described[int(eventType["wire"].(float64))] = eventType["description"].(string)
		}
		require.Equal(t, threddCatalogue(), described)

		app := w.thredd()
		for _, code := range threddCodes() {
			receiver := newSink(t)
			w.endpoint(app, receiver.URL, []int{code})
			done := w.becomes(w.notify(app, code, code)[0], "succeeded")
			require.Equal(t, strconv.Itoa(code), done["event_type"])
			require.Equal(t, code, notifications(t, receiver.got())[0].Code)
		}
	})
}

func TestTHR11_THR19_TheBodyHoldsTheTransactionItself(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		receiver := newSink(t)
		app := w.thredd()
		w.endpoint(app, receiver.URL, []int{101})
		transaction := `{"transactionId":9007199254740993,"amount": 100.50,"merchant":"Café <&>","declined":true,` +
			`"card":{"token":"` + strings.Repeat("4", 2000) + `"},"rules":[ 1, 2 ]}`
		event, _ := w.published(app, `{"type":101,"occurred_at":"2024-03-17T10:11:12.5Z","payload":`+transaction+`}`)
		got := receiver.await(1)[0]
		require.Equal(t, `{"notificationId":"`+event+`","eventCode":101,"createdTime":"2024-03-17T10:11:12.500Z","payload":`+
			transaction+`}`, string(got.body))
		require.Equal(t, event, got.header.Get("webhook-id"))
	})
}

func TestTHR9_BetweenEventsTheReceiverHearsNothing(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		receiver := newSink(t)
		app := w.thredd()
		w.endpoint(app, receiver.URL, []int{101})
		receiver.quiet(300 * time.Millisecond) // no hello, no stream, no heartbeat
		for n := range 2 {
			w.becomes(w.notify(app, 101, n)[0], "succeeded")
			require.Empty(t, w.notify(app, 105, n), "filtered by the sender")
			receiver.quiet(300 * time.Millisecond)
		}
		require.Equal(t, []int{101, 101}, codesOf(notifications(t, receiver.got())))
	})
}
