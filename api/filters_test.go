package api

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/models"
)

func TestAFilterIsCheckedWhenItIsSet(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	app := w.application("standard", "")
	list := "/v1/applications/" + app + "/subscriptions"
	const begin = `{"url":"https://example.com/h","event_types":["*"],"filter":`
	for filter, message := range map[string]string{
		`payload.amount >`:      "line 1, column 17: the expression ends too early",
		`amount > 100`:          "line 1, column 1: 'amount' is not known",
		`type == 'a' &&\n  foo`: "line 2, column 3: 'foo' is not known",
		`payload.paid`:          "line 1, column 1: the expression must be true or false",
		`type > 5`:              "line 1, column 6: found no matching overload for '>'",
	} {
		problem := w.op("POST", list, begin+`"`+filter+`"}`).problem(422, models.CodeValidation, "filter")
		require.Contains(t, problem["errors"].([]any)[0].(map[string]any)["message"], message)
	}
	require.Empty(t, w.op("GET", list, "").is(200)["items"])

	made := w.op("POST", list, begin+`"payload.amount > 100"}`).is(201)
	require.Equal(t, "payload.amount > 100", made["filter"])
	one := "/v1/subscriptions/" + made["id"].(string)
	w.op("PATCH", one, `{"filter":"payload.amount >"}`).problem(422, models.CodeValidation, "filter")
	require.Equal(t, "payload.amount > 100", w.op("GET", one, "").is(200)["filter"])
	require.Equal(t, "true", w.op("PATCH", one, `{"filter":"true"}`).is(200)["filter"])
	require.Equal(t, "true", w.op("PATCH", one, `{"name":"n"}`).is(200)["filter"], "what is not given stays")
	require.Nil(t, w.op("PATCH", one, `{"filter":null}`).is(200)["filter"])
}

func TestFiltersChooseWhoGetsAnEvent(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	app := w.application("standard", "")
	subscribe := func(filter string) string {
		return w.subscription(app, `{"url":"https://example.com/h","event_types":["order.*"],"filter":"`+filter+`"}`)
	}
	names := map[string]string{
		subscribe("payload.amount > 100"):                    "big",
		subscribe("payload.amount <= 100"):                   "small",
		subscribe("entity_id == 'o-1'"):                      "one",
		subscribe("entity_id == '' && type == 'order.paid'"): "nobody's",
		subscribe("payload.n == 9007199254740993"):           "exact",
		subscribe("payload.items.all(i, i / 0 == 1)"):        "unable",
	}
	fired := func(body string) []string {
		got := []string{}
		for _, f := range w.event(app, body)["invocations"].([]any) {
			got = append(got, names[f.(map[string]any)["subscription_id"].(string)])
		}
		return got
	}
	for body, want := range map[string][]string{
		`{"type":"order.paid","payload":{"amount":100.50}}`:                {"big", "nobody's"},
		`{"type":"order.made","payload":{"amount":100},"entity_id":"o-1"}`: {"small", "one"},
		`{"type":"order.made","payload":{"n":9007199254740993}}`:           {"exact"},
		`{"type":"order.made","payload":{"n":9007199254740992}}`:           {},
		`{"type":"order.made","payload":null}`:                             {},
		`{"type":"order.made","payload":{"items":[1]}}`:                    {"unable"},
		`{"type":"other","payload":{"amount":1000}}`:                       {},
	} {
		require.ElementsMatch(t, want, fired(body), body)
	}
	e := w.event(app, `{"type":"order.made","payload":{"n":"<&>"}}`)
	require.Empty(t, e["invocations"])
	stored := w.op("GET", "/v1/events/"+e["id"].(string), "")
	require.Empty(t, stored.is(200)["invocations"])
	require.Contains(t, string(stored.body), `"payload":{"n":"<&>"}`)

	batch := w.op("POST", "/v1/applications/"+app+"/events/batch",
		`{"events":[{"type":"order.made","payload":{"amount":1}},{"type":"order.made","payload":{"amount":1000}}]}`).is(202)
	for i, want := range []string{"small", "big"} {
		invocations := batch["results"].([]any)[i].(map[string]any)["invocations"].([]any)
		require.Len(t, invocations, 1)
		require.Equal(t, want, names[invocations[0].(map[string]any)["subscription_id"].(string)])
	}
}

func TestTheFilterSeesWhatTheProfileTakesForTheEntity(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	app := w.application("standard", `,"overrides":{"entity":{"sources":["payload.id"]}}`)
	w.subscription(app, `{"url":"https://example.com/h","event_types":["*"],"filter":"entity_id == 'loan-7'"}`)
	require.Len(t, w.event(app, `{"type":"t","payload":{"id":"loan-7"}}`)["invocations"], 1)
	require.Empty(t, w.event(app, `{"type":"t","payload":{"id":"loan-8"}}`)["invocations"])
}
