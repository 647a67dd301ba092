package app_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestARI1_WithoutASubscriptionNothingIsSent(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		app := w.aria()
		event, ids := w.published(app, `{"type":"loan.created","payload":{"id":"L"}}`)
		require.Empty(t, ids)
		stored := w.call("GET", "/v1/events/"+event, nil, 200)
		require.Equal(t, map[string]any{"id": "L"}, stored["payload"])
		require.Empty(t, stored["invocations"])
		w.loans(app, newSink(t).URL)
		require.Empty(t, w.call("GET", "/v1/events/"+event, nil, 200)["invocations"], "it was before the subscription")
	})
}

func TestARI2_ASubscriptionIsForOneEvent(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		receiver := newSink(t)
		app := w.aria()
		list := "/v1/applications/" + app + "/subscriptions"
		for _, types := range []any{
			nil, []string{}, []string{"loan.created", "loan.updated"}, []string{"loan.*"}, []string{"*"}, []string{"loan"},
		} {
			request := object{"url": receiver.URL}
			if types != nil {
				request["event_types"] = types
			}
			problem := w.call("POST", list, request, 422)
			require.Contains(t, problem["errors"].([]any)[0].(map[string]any)["location"], "event_types")
		}
		require.Empty(t, w.call("GET", list, nil, 200)["items"])
		types := []string{"loan.created", "loan.updated", "loan.deleted"}
		for _, eventType := range types {
			sub := w.subscription(app, receiver.URL, object{"event_types": []string{eventType}})
			shown := w.call("GET", "/v1/subscriptions/"+sub["id"].(string), nil, 200)
			require.Equal(t, []any{eventType}, shown["event_types"])
		}
		for _, eventType := range types {
			_, ids := w.published(app, fmt.Sprintf(`{"type":%q,"payload":{"id":"L"}}`, eventType))
			require.Len(t, ids, 1)
			w.becomes(ids[0], "succeeded")
		}
		require.Len(t, receiver.got(), 3)
	})
}

func TestARI3_TheCatalogueHasElevenEvents(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		var names []string
		for _, item := range w.call("GET", "/v1/event-types?profile=aria", nil, 200)["items"].([]any) {
			entry := item.(map[string]any)
			names = append(names, entry["name"].(string))
			require.NotEmpty(t, entry["description"])
			require.Equal(t, strings.HasPrefix(entry["name"].(string), "advance."), entry["deprecated"], "ARI-4")
		}
		require.Equal(t, []string{
			"kyc.updated", "contract.created", "contract.updated", "loan.created", "loan.updated", "loan.deleted",
			"credit-limit.created", "credit-limit.updated", "credit-limit.deleted", "advance.created", "advance.updated",
		}, names)
	})
}

func TestARI4_DeprecatedEventsWorkWithAWarning(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		receiver := newSink(t)
		app := w.aria()
		for _, eventType := range []string{"advance.created", "advance.updated"} {
			sub := w.subscription(app, receiver.URL, object{"event_types": []string{eventType}})
			require.Len(t, sub["warnings"], 1)
			require.Contains(t, sub["warnings"].([]any)[0], eventType)
			_, ids := w.published(app, fmt.Sprintf(`{"type":%q,"payload":{"id":"A"}}`, eventType))
			w.becomes(ids[0], "succeeded")
		}
		require.Len(t, receiver.got(), 2)
		current := w.subscription(app, receiver.URL, object{"event_types": []string{"loan.created"}})
		require.Empty(t, current["warnings"])
	})
}

func TestARI7_SubscriptionsAreManagedWithTheAPI(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		first, second := newSink(t), newSink(t)
		app := w.aria()
		admin := w.appKey(app, "admin")
		list := "/v1/applications/" + app + "/subscriptions"
		created := admin.subscription(app, first.URL, object{"event_types": []string{"loan.updated"}, "name": "loans"})
		one := "/v1/subscriptions/" + created["id"].(string)
		read := admin.call("GET", one, nil, 200)
		for _, member := range []string{"url", "name", "event_types", "status", "delivery", "created_at"} {
			require.Equal(t, created[member], read[member], member)
		}
		require.Equal(t, []any{map[string]any(read)}, admin.call("GET", list, nil, 200)["items"])
		w.becomes(w.loan(app, "L1", "ONE")[0], "succeeded")

		require.Equal(t, second.URL, admin.call("PATCH", one, object{"url": second.URL}, 200)["url"])
		w.becomes(w.loan(app, "L2", "TWO")[0], "succeeded")
		require.Equal(t, "disabled", admin.call("PATCH", one, object{"enabled": false}, 200)["status"])
		require.Empty(t, w.loan(app, "L3", "THREE"))
		require.Equal(t, "active", admin.call("PATCH", one, object{"enabled": true}, 200)["status"])
		second.answers(answer{status: 500})
		open := w.loan(app, "L4", "FOUR")[0]
		w.becomes(open, "retrying")

		admin.call("DELETE", one, nil, 204)
		admin.call("GET", one, nil, 404)
		require.Empty(t, admin.call("GET", list, nil, 200)["items"])
		require.Empty(t, w.loan(app, "L5", "FIVE"))
		require.Equal(t, "subscription_deleted", w.becomes(open, "cancelled")["reason"])
		second.quiet(200 * time.Millisecond) // four intervals
		require.Equal(t, []string{"ONE"}, states(t, first.got()))
	})
}

func TestARI8_WebhookIsTheOnlySubscriptionType(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		app := w.aria()
		for _, given := range []object{{}, {"subscription_type": "webhook"}} {
			given["event_types"] = []string{"loan.updated"}
			sub := w.subscription(app, "https://receiver.example/", given)
			require.Equal(t, "webhook", sub["subscription_type"])
			require.Equal(t, "webhook", w.call("GET", "/v1/subscriptions/"+sub["id"].(string), nil, 200)["subscription_type"])
		}
		for _, bad := range []any{"email", "", "Webhook", 1} {
			problem := w.call("POST", "/v1/applications/"+app+"/subscriptions", object{
				"url": "https://receiver.example/", "event_types": []string{"loan.updated"}, "subscription_type": bad,
			}, 422)
			require.Equal(t, "subscription_type", problem["errors"].([]any)[0].(map[string]any)["location"])
		}
		require.Len(t, w.call("GET", "/v1/applications/"+app+"/subscriptions", nil, 200)["items"], 2)
	})
}
