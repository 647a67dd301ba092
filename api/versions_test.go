package api

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/models"
)

// versioned is an application whose event type ACCOUNT has the versions 1 to 3, the last with a schema.
func (w *world) versioned(more string) string {
	w.t.Helper()
	return w.application("standard", `,"overrides":{"versions":{"required":true},"types_per_subscription":{"min":1,"max":1},
		"wire":{"type":"string"},"catalogue":[{"name":"ACCOUNT","versions":["1","2","3"],
		"schema":{"properties":{"n":{"type":"integer"}}}}]`+more+`}`)
}

func (w *world) pinned(app, version, more string) string {
	w.t.Helper()
	return w.subscription(app,
		`{"url":"https://example.com/h","event_types":["ACCOUNT"],"version":"`+version+`"`+more+`}`)
}

func TestEventsCarryAPayloadForEachVersion(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	app := w.versioned("")
	subs := map[string]string{}
	for _, version := range []string{"1", "2", "3"} {
		subs[w.pinned(app, version, "")] = version
	}
	payloads := map[string]string{"2": `{ "n" : 100, "s":"<&>\ud800" , "n":9007199254740993}`, "1": `[ 1.50 ]`}
	e := w.event(app, `{"type":"ACCOUNT","versions":[ {"version":"2", "payload": `+payloads["2"]+` },{"payload":`+payloads["1"]+`,"version":"1"}]}`)
	require.Len(t, e["invocations"], 3)

	out := w.op("GET", "/v1/events/"+e["id"].(string), "")
	require.Nil(t, out.is(200)["payload"])
	require.Contains(t, string(out.body), `"payload":null`)
	require.Contains(t, string(out.body),
		`"versions":[{"version":"1","payload":`+payloads["1"]+`},{"version":"2","payload":`+payloads["2"]+`}]`)
	listed := w.op("GET", "/v1/applications/"+app+"/events?include=payload", "")
	require.Contains(t, string(listed.body), `"payload":null`)
	require.NotContains(t, string(listed.body), `"versions"`)
	all := string(w.op("GET", "/v1/applications/"+app+"/invocations?include=payload", "").body)
	for _, fired := range e["invocations"].([]any) {
		id := fired.(map[string]any)["id"].(string)
		version := subs[fired.(map[string]any)["subscription_id"].(string)]
		out := w.op("GET", "/v1/invocations/"+id, "")
		shown := out.is(200)
		require.Equal(t, version, shown["version"])
		if version == "3" {
			require.Equal(t, "cancelled", shown["status"])
			require.Equal(t, models.ReasonVersionMissing, shown["reason"])
			require.Nil(t, shown["workflow_id"])
			require.Contains(t, string(out.body), `"payload":null`)
			w.op("POST", "/v1/invocations/"+id+"/redeliver", "").problem(409, models.CodeConflict)
			w.op("POST", "/v1/invocations/"+id+"/cancel", "").problem(409, models.CodeConflict)
			continue
		}
		require.Equal(t, "pending", shown["status"])
		require.Contains(t, string(out.body), `"payload":`+payloads[version])
		require.Contains(t, all, `"payload":`+payloads[version])
	}
}

func TestAPlainPayloadServesEveryVersion(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	app := w.versioned("")
	w.pinned(app, "1", "")
	w.pinned(app, "3", "")
	e := w.event(app, `{"type":"ACCOUNT","payload":{"n":1}}`)
	for _, fired := range e["invocations"].([]any) {
		shown := w.op("GET", "/v1/invocations/"+fired.(map[string]any)["id"].(string), "")
		require.Equal(t, "pending", shown.is(200)["status"])
		require.Contains(t, string(shown.body), `"payload":{"n":1}`)
	}
	out := w.op("GET", "/v1/events/"+e["id"].(string), "")
	require.NotContains(t, string(out.body), `"versions"`)
}

func TestBadVersionsAreRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	app := w.versioned("")
	entity := w.versioned(`,"entity":{"sources":["payload.id"]}`)
	big := `"` + strings.Repeat("x", 1<<20) + `"`
	many := strings.TrimSuffix(strings.Repeat(`{"version":"1","payload":1},`, 21), ",")
	for name, c := range map[string]struct {
		app, versions string
		status        int
		code          models.Code
		place         string
	}{
		"null":             {app, `null`, 422, models.CodeValidation, "payload"},
		"empty":            {app, `[]`, 422, models.CodeValidation, "versions"},
		"21":               {app, `[` + many + `]`, 422, models.CodeValidation, "versions"},
		"an object":        {app, `{"1":{}}`, 422, models.CodeValidation, "versions"},
		"a number":         {app, `[7]`, 422, models.CodeValidation, "versions[0]"},
		"no version":       {app, `[{"payload":1}]`, 422, models.CodeValidation, "versions[0].version"},
		"version a number": {app, `[{"version":1,"payload":1}]`, 422, models.CodeValidation, "versions[0].version"},
		"empty version":    {app, `[{"version":"","payload":1}]`, 422, models.CodeValidation, "versions[0].version"},
		"no payload":       {app, `[{"version":"1"}]`, 422, models.CodeValidation, "versions[0].payload"},
		"unknown member":   {app, `[{"version":"1","payload":1,"x":2}]`, 422, models.CodeValidation, "versions[0].x"},
		"payload twice":    {app, `[{"version":"1","payload":1,"payload":2}]`, 422, models.CodeValidation, "versions[0].payload"},
		"unknown version":  {app, `[{"version":"1","payload":1},{"version":"9","payload":1}]`, 422, models.CodeValidation, "versions[1].version"},
		"listed twice":     {app, `[{"version":"1","payload":1},{"version":"1","payload":2}]`, 422, models.CodeValidation, "versions[1].version"},
		"a schema's fault": {app, `[{"version":"1","payload":{}},{"version":"2","payload":{"n":"x"}}]`, 422, models.CodeValidation, "versions[1].payload/n"},
		"too large":        {app, `[{"version":"1","payload":` + big + `}]`, 413, models.CodePayloadTooLarge, ""},
		"too deep":         {app, `[{"version":"1","payload":` + nested(129) + `}]`, 400, models.CodeMalformed, ""},
		"two entities":     {entity, `[{"version":"1","payload":{"id":"a"}},{"version":"2","payload":{"id":"b"}}]`, 422, models.CodeValidation, "versions[1].payload"},
		"half an entity":   {entity, `[{"version":"1","payload":{"id":"a"}},{"version":"2","payload":{}}]`, 422, models.CodeValidation, "versions[1].payload"},
		"a long entity":    {entity, `[{"version":"1","payload":{"id":"` + strings.Repeat("a", 129) + `"}}]`, 422, models.CodeValidation, "versions[0].payload/id"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			body := `{"type":"ACCOUNT","versions":` + c.versions + `}`
			problem := w.op("POST", "/v1/applications/"+c.app+"/events", body).problem(c.status, c.code)
			if c.place != "" {
				require.Contains(t, places(problem), c.place)
			}
			if c.status != 422 {
				require.Contains(t, problem["detail"], "versions[0]: the payload is")
			}
			result := w.op("POST", "/v1/applications/"+c.app+"/events/batch", `{"events":[`+body+`]}`).is(202)
			refusal := result["results"].([]any)[0].(map[string]any)["error"].(map[string]any)
			require.Equal(t, string(c.code), refusal["code"])
			if c.place != "" {
				require.Contains(t, places(refusal), "events[0]."+c.place)
			}
		})
	}
	t.Cleanup(func() {
		for _, app := range []string{app, entity} {
			require.Empty(t, w.op("GET", "/v1/applications/"+app+"/events", "").is(200)["items"])
		}
	})
}

func TestVersionsCountForIdempotency(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	app := w.versioned("")
	publish := func(members string) *reply {
		return w.op("POST", "/v1/applications/"+app+"/events", `{"type":"ACCOUNT",`+members+`,"idempotency_key":"k"}`)
	}
	first := publish(`"versions":[{"version":"1","payload":1},{"version":"2","payload":2}]`).is(202)
	again := publish(`"versions":[{"version":"1","payload":1},{"version":"2","payload":2}]`).is(202)
	require.Equal(t, []any{true, first["id"]}, []any{again["duplicate"], again["id"]})
	for _, other := range []string{
		`"versions":[{"version":"1","payload":1},{"version":"2","payload":3}]`, `"versions":[{"version":"1","payload":1}]`,
		`"versions":[{"version":"1","payload":1},{"version":"3","payload":2}]`, `"payload":1`,
	} {
		publish(other).problem(409, models.CodeIdempotencyMismatch)
	}
}

func TestTheFilterSeesThePayloadOfThePinnedVersion(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	app := w.versioned(`,"suppress":[{"type":"ACCOUNT","when":[{"member":"hidden","equals":true}]}]`)
	const filter = `,"filter":"payload.n > 1"`
	one, two := w.pinned(app, "1", filter), w.pinned(app, "2", filter)
	none, plain := w.pinned(app, "3", filter), w.pinned(app, "1", "")
	fired := func(versions string) []string {
		got := []string{}
		for _, f := range w.event(app, `{"type":"ACCOUNT","versions":`+versions+`}`)["invocations"].([]any) {
			got = append(got, f.(map[string]any)["subscription_id"].(string))
		}
		return got
	}
	require.ElementsMatch(t, []string{two, none, plain},
		fired(`[{"version":"1","payload":{"n":1}},{"version":"2","payload":{"n":2}}]`))
	require.ElementsMatch(t, []string{one, plain},
		fired(`[{"version":"1","payload":{"n":2}},{"version":"2","payload":{"n":1}},{"version":"3","payload":{"n":1}}]`))
	require.ElementsMatch(t, []string{two},
		fired(`[{"version":"1","payload":{"n":2,"hidden":true}},{"version":"2","payload":{"n":2}},{"version":"3","payload":{}}]`))
}

func TestAPATCHOfAnEventTypeDroppedTheVersionsItHad(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	path := "/v1/profiles/alviere/event-types/ACCOUNT"
	first := []any{"2021-11-18.1"}
	require.Equal(t, first, w.op("PATCH", path, `{"description":"d"}`).is(200)["versions"])
	require.Equal(t, append(first, "3", "2"), w.op("PATCH", path, `{"versions":["3","2"]}`).is(200)["versions"])
	require.Equal(t, append(first, "3", "2", "4"), w.op("PATCH", path, `{"versions":["4","2"]}`).is(200)["versions"])
	require.Equal(t, append(first, "3", "2", "4"), w.op("PATCH", path, `{"versions":[]}`).is(200)["versions"])
	w.op("PATCH", path, `{"versions":["5","5"]}`).problem(422, models.CodeValidation, "versions[1]")
	app := w.application("alviere", "")
	for _, version := range []string{"2021-11-18.1", "4"} {
		w.subscription(app, `{"url":"https://example.com/h","event_types":["ACCOUNT"],"version":"`+version+`","security_key":"k"}`)
	}
}

func TestASubscriptionCouldNotBeChangedOnceItsVersionLeftTheCatalogue(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	app := w.versioned("")
	one := "/v1/subscriptions/" + w.pinned(app, "1", "")
	w.op("PATCH", "/v1/applications/"+app, `{"overrides":{"versions":{"required":true},
		"types_per_subscription":{"min":1,"max":2},"wire":{"type":"string"},
		"catalogue":[{"name":"ACCOUNT","versions":["3"]},{"name":"CHECK","versions":["3"]}]}}`).is(200)
	for _, body := range []string{`{"name":"n"}`, `{"version":"1"}`, `{"event_types":["ACCOUNT"]}`, `{"name":null,"version":"1"}`} {
		require.Equal(t, "1", w.op("PATCH", one, body).is(200)["version"], body)
	}
	w.op("PATCH", one, `{"version":"2"}`).problem(422, models.CodeValidation, "version")
	w.op("PATCH", one, `{"event_types":["ACCOUNT","CHECK"]}`).problem(422, models.CodeValidation, "version")
	w.op("PUT", one+"/events", `{"event_types":["CHECK"]}`).problem(422, models.CodeValidation, "version")
	require.Equal(t, "3", w.op("PATCH", one, `{"version":"3","event_types":["ACCOUNT","CHECK"]}`).is(200)["version"])
	w.op("PATCH", one, `{"version":"1"}`).problem(422, models.CodeValidation, "version")
}
