package api

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/models"
)

func TestAnApplicationIsCreatedChangedAndDeleted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	made := w.op("POST", "/v1/applications", `{"name":"Shop","profile":"standard","environment":"demo",
		"external_id":"prog","overrides":{"timeout":"3s"}}`).is(201)
	path := "/v1/applications/" + made["id"].(string)
	require.Equal(t, made, w.op("GET", path, "").is(200))
	require.Equal(t, "demo", made["environment"])
	require.Equal(t, map[string]any{"timeout": "3s"}, made["overrides"])
	sub := w.op("POST", path+"/subscriptions", anyType).is(201)
	require.Equal(t, "3s", sub["delivery"].(map[string]any)["timeout"])

	changed := w.op("PATCH", path, `{"name":"Store","overrides":null}`).is(200)
	require.Equal(t, "Store", changed["name"])
	require.Equal(t, "prog", changed["external_id"])
	require.Nil(t, changed["overrides"])
	read := w.op("GET", "/v1/subscriptions/"+sub["id"].(string), "").is(200)
	require.Equal(t, "15s", read["delivery"].(map[string]any)["timeout"])

	w.op("DELETE", path, "").is(204)
	w.op("GET", path, "").problem(404, models.CodeNotFound)
	w.op("POST", path+"/events", `{"type":"t","payload":1}`).problem(404, models.CodeNotFound)
	require.Empty(t, w.op("GET", "/v1/applications", "").is(200)["items"])
}

func TestApplicationDefaults(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	made := w.op("POST", "/v1/applications", `{"name":"Shop","profile":"viva","external_id":null,"overrides":null}`).is(201)
	require.Equal(t, made["id"], made["external_id"])
	require.Equal(t, "production", made["environment"])
	require.Nil(t, made["overrides"])
	stored, err := w.store.Application(t.Context(), made["id"].(string))
	require.NoError(t, err)
	require.Regexp(t, "^[0-9A-F]{40}$", stored.HandshakeKey)
}

func TestBadApplicationsAreRefusedAndNotStored(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, c := range map[string]struct{ body, place string }{
		"no name":            {`{"profile":"standard"}`, "name"},
		"empty name":         {`{"name":"","profile":"standard"}`, "name"},
		"long name":          {`{"name":"` + strings.Repeat("n", 201) + `","profile":"standard"}`, "name"},
		"name a number":      {`{"name":1,"profile":"standard"}`, "name"},
		"no profile":         {`{"name":"n"}`, "profile"},
		"unknown profile":    {`{"name":"n","profile":"nobody"}`, "profile"},
		"environment":        {`{"name":"n","profile":"standard","environment":"test"}`, "environment"},
		"empty external_id":  {`{"name":"n","profile":"standard","external_id":""}`, "external_id"},
		"overrides a string": {`{"name":"n","profile":"standard","overrides":"x"}`, "overrides"},
		"unknown knob":       {`{"name":"n","profile":"standard","overrides":{"speed":1}}`, "overrides.speed"},
		"bad knob":           {`{"name":"n","profile":"standard","overrides":{"retry":{"kind":"fixed"}}}`, "overrides.retry.interval"},
		"the name":           {`{"name":"n","profile":"standard","overrides":{"name":"x"}}`, "overrides.name"},
		"an id":              {`{"name":"n","profile":"standard","id":"x"}`, "id"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w.op("POST", "/v1/applications", c.body).problem(422, models.CodeValidation, c.place)
		})
	}
	t.Cleanup(func() { require.Empty(t, w.op("GET", "/v1/applications", "").is(200)["items"]) })
}

func TestBadChangesOfAnApplicationChangeNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	path := "/v1/applications/" + w.application("standard", "")
	before := w.op("GET", path, "").is(200)
	for place, body := range map[string]string{
		"profile": `{"name":"x","profile":"viva"}`, "environment": `{"environment":"demo"}`, "name": `{"name":""}`,
		"overrides.timeout": `{"name":"x","overrides":{"timeout":"1ms"}}`, "created_at": `{"created_at":"x"}`,
	} {
		w.op("PATCH", path, body).problem(422, models.CodeValidation, place)
	}
	w.op("PATCH", path, "").problem(400, models.CodeMalformed)
	require.Equal(t, before, w.op("GET", path, "").is(200))
}

func TestProfilesAreShownWithEveryKnob(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, item := range profileNames(t, w) {
		name := item.(map[string]any)["name"].(string)
		require.Equal(t, item, any(w.op("GET", "/v1/profiles/"+name, "").is(200)))
	}
	w.op("GET", "/v1/profiles/nobody", "").problem(404, models.CodeNotFound)
	w.op("GET", "/v1/profiles/%00", "").problem(404, models.CodeNotFound)
	viva := w.op("GET", "/v1/event-types?profile=viva", "").is(200)["items"].([]any)
	require.Len(t, viva, 2)
	require.Contains(t, string(w.op("GET", "/v1/event-types?profile=viva", "").body), `"wire":1796`)
}

func TestAnEventTypeIsAddedAndChangedWithoutRestart(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	app := w.application("viva", "")
	path := "/v1/profiles/viva/event-types"
	body := `{"name":"transfer.created","wire":1798,"group":"Transfers","description":"d",
		"schema":{"required":["Amount"]}}`
	w.op("POST", "/v1/applications/"+app+"/events", `{"type":1798,"payload":{}}`).problem(422, models.CodeValidation, "type")
	made := w.op("POST", path, body).is(201)
	require.Equal(t, "transfer.created", made["name"])
	require.Equal(t, map[string]any{"required": []any{"Amount"}}, made["schema"])
	w.subscription(app, `{"url":"https://example.com/h","event_types":[1798]}`)
	w.op("POST", "/v1/applications/"+app+"/events", `{"type":1798,"payload":{}}`).problem(422, models.CodeValidation, "payload")
	w.event(app, `{"type":"1798","payload":{"Amount":1}}`)
	w.op("POST", path, body).problem(409, models.CodeConflict)
	w.op("POST", path, `{"name":"other","wire":1798}`).problem(422, models.CodeValidation, "wire")
	w.op("POST", path, `{"name":"other","wire":"x"}`).problem(422, models.CodeValidation, "wire")
	w.op("POST", path, `{"name":"other","wire":1799,"speed":1}`).problem(422, models.CodeValidation, "speed")
	w.op("POST", path, `{"name":"other","wire":1799,"schema":{"$ref":"http://evil"}}`).problem(422, models.CodeValidation, "schema")
	w.op("POST", path, `[]`).problem(422, models.CodeValidation)
	w.op("POST", "/v1/profiles/nobody/event-types", body).problem(404, models.CodeNotFound)

	changed := w.op("PATCH", path+"/1798", `{"deprecated":true,"versions":["1"],"schema":null}`).is(200)
	require.Equal(t, true, changed["deprecated"])
	require.NotContains(t, changed, "schema")
	require.Equal(t, "Transfers", changed["group"])
	w.event(app, `{"type":1798,"payload":{}}`)
	w.op("PATCH", path+"/1798", `{"name":"renamed"}`).problem(422, models.CodeValidation, "name")
	w.op("PATCH", path+"/never", `{}`).problem(404, models.CodeNotFound)
	require.Len(t, w.op("GET", "/v1/event-types?profile=viva", "").is(200)["items"], 3)

	open := "/v1/profiles/standard/event-types"
	w.op("PATCH", open+"/not.listed", `{}`).problem(404, models.CodeNotFound)
	w.op("POST", open, `{"name":"loan.updated","description":"d"}`).is(201)
	w.op("PATCH", open+"/loan.updated", `{"description":"e"}`).is(200)
}

func TestPreviewOfARetryPolicy(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	path := "/v1/retry-policies/preview"
	got := w.op("POST", path, `{"retry":{"kind":"exponential","initial":"60s","factor":2,"max_attempts":3}}`).is(200)
	require.Equal(t, []any{"1m", "2m"}, got["delays"])
	require.Equal(t, "3m", got["total"])
	endless := w.op("POST", path, `{"retry":{"kind":"polynomial","initial":"20ms","degree":2,"max_interval":"2m"}}`).is(200)
	require.Len(t, endless["delays"], 100)
	require.Nil(t, endless["attempts"])
	require.Nil(t, endless["total"])
	unlimited := `"interval":"1h","max_age":0,"max_interval":null,"jitter":null`
	require.Nil(t, w.op("POST", path, `{"retry":{"kind":"fixed",`+unlimited+`}}`).is(200)["attempts"], "0 is a duration")
	for body, place := range map[string]string{
		`{"retry":{"kind":"polynomial","initial":"1s"}}`:            "retry.degree",
		`{"retry":{"kind":"fixed","interval":0}}`:                   "retry.interval",
		`{"retry":{"kind":"fixed","interval":"1h","max_age":"0x"}}`: "retry.max_age",
		`{}`: "retry", `{"retry":null}`: "retry", `{"retry":{}}`: "retry.kind", `{"retry":{"kind":"fixed"}}`: "retry.interval",
		`{"retry":{"kind":"magic"}}`: "retry.kind", `{"retry":{"kind":"fixed","interval":5}}`: "retry.interval",
		`{"retry":{"kind":"fixed","interval":"1h","speed":1}}`:         "retry.speed",
		`{"retry":{"kind":"schedule","delays":["5s","soon"]}}`:         "retry.delays[1]",
		`{"retry":{"kind":"fixed","interval":"1h","jitter":1e999}}`:    "retry.jitter",
		`{"retry":{"kind":"fixed","interval":"1h","max_attempts":-1}}`: "retry.max_attempts",
	} {
		w.op("POST", path, body).problem(422, models.CodeValidation, place)
	}
}
