package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/internal/ingest"
	"github.com/posthorn/posthorn/models"
)

// poison are payloads that decoding and encoding again would change.
func poison() map[string]string {
	return map[string]string{
		"spacing":            "{ \"a\" :\t1 ,\n\"b\" : [ 1 , 2 ] }",
		"key order":          `{"z":1,"a":2,"m":3}`,
		"duplicate keys":     `{"a":1,"a":2}`,
		"angle brackets":     `{"html":"<b>&amp;</b>"}`,
		"trailing zeros":     `{"amount":100.50,"rate":1.10}`,
		"big integers":       `{"n":9007199254740993,"m":12345678901234567890123}`,
		"huge exponents":     `[1E400,-1e-4000,1e+2]`,
		"escaped NUL":        `{"s":"\u0000"}`,
		"lone surrogate":     `{"s":"\ud800"}`,
		"escapes":            `{"\u0061":"\/\"\\\b\f\n\r\t"}`,
		"Greek":              `{"name":"Ηλεκτρονικές Υπηρεσίες"}`,
		"line separators":    "{\"s\":\"\u2028\u2029\"}",
		"string":             `"x"`,
		"number":             `-0.0`,
		"true":               `true`,
		"null":               `null`,
		"empty list":         `[ ]`,
		"empty object":       `{ }`,
		"depth 128":          nested(128),
		"brackets in string": `{"s":"}]{[\"}","t":"\\"}`,
		"1 MiB":              `"` + strings.Repeat("x", 1<<20-2) + `"`,
	}
}

func nested(depth int) string { return strings.Repeat("[", depth) + strings.Repeat("]", depth) }

func TestPayloadsComeBackByteForByte(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	app := w.application("standard", "")
	w.subscription(app, anyType)
	for name, payload := range poison() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := w.event(app, `{ "payload" : `+payload+` , "type":"t", "entity_id":"`+name+`"}`)
			stored, err := w.store.Event(t.Context(), e["id"].(string))
			require.NoError(t, err)
			require.Equal(t, payload, string(stored.Payload))
			invocation := e["invocations"].([]any)[0].(map[string]any)["id"].(string)
			filter := "?include=payload&entity_id=" + strings.ReplaceAll(name, " ", "%20")
			for _, path := range []string{
				"/v1/events/" + e["id"].(string), "/v1/invocations/" + invocation,
				"/v1/applications/" + app + "/events" + filter, "/v1/applications/" + app + "/invocations" + filter,
			} {
				out := w.op("GET", path, "")
				require.Equal(t, 200, out.status)
				require.True(t, bytes.Contains(out.body, []byte(`"payload":`+payload)), path)
			}
		})
	}
}

func TestListsCarryPayloadsOnlyWhenAsked(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	own := newTenant(w, "")
	for _, list := range []string{"/events", "/invocations"} {
		path := "/v1/applications/" + own.app + list
		require.NotContains(t, string(w.op("GET", path, "").body), `"payload"`)
		require.Contains(t, string(w.op("GET", path+"?include=payload&limit=50", "").body), `"payload":{}`)
		w.op("GET", path+"?include=payload&limit=51", "").problem(422, models.CodeValidation, "limit")
		w.op("GET", path+"?include=secrets", "").problem(422, models.CodeValidation, "include")
	}
}

func TestBadEventsAreRefusedAndNotStored(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	app := w.application("standard", "")
	event := func(payload string) string { return `{"type":"t","payload":` + payload + `}` }
	for name, c := range map[string]struct {
		body   string
		status int
		code   models.Code
		place  string
	}{
		"nothing":              {"", 400, models.CodeMalformed, ""},
		"blanks":               {" \n", 400, models.CodeMalformed, ""},
		"not JSON":             {"{", 400, models.CodeMalformed, ""},
		"two values":           {"{}{}", 400, models.CodeMalformed, ""},
		"a byte order mark":    {"\ufeff" + event("1"), 400, models.CodeMalformed, ""},
		"not UTF-8":            {event("\"\xff\""), 400, models.CodeMalformed, ""},
		"a raw NUL":            {event("\"\x00\""), 400, models.CodeMalformed, ""},
		"a raw NUL between":    {event("\x001"), 400, models.CodeMalformed, ""},
		"a NUL alone":          {"\x00", 400, models.CodeMalformed, ""},
		"no payload value":     {event(""), 400, models.CodeMalformed, ""},
		"depth 129":            {event(nested(129)), 400, models.CodeMalformed, ""},
		"depth 200000":         {event(nested(200_000)), 400, models.CodeMalformed, ""},
		"unclosed depth":       {strings.Repeat("[", 100_000), 400, models.CodeMalformed, ""},
		"over 1 MiB":           {event(`"` + strings.Repeat("x", 1<<20-1) + `"`), 413, models.CodePayloadTooLarge, ""},
		"over 8 MiB":           {event(`"` + strings.Repeat("x", 8<<20) + `"`), 413, models.CodePayloadTooLarge, ""},
		"a list":               {"[]", 422, models.CodeValidation, ""},
		"null":                 {"null", 422, models.CodeValidation, ""},
		"empty":                {"{}", 422, models.CodeValidation, "type"},
		"no payload":           {`{"type":"t"}`, 422, models.CodeValidation, "payload"},
		"no type":              {`{"payload":1}`, 422, models.CodeValidation, "type"},
		"null type":            {`{"type":null,"payload":1}`, 422, models.CodeValidation, "type"},
		"fractional type":      {`{"type":1.5,"payload":1}`, 422, models.CodeValidation, "type"},
		"bad type":             {`{"type":"no blanks","payload":1}`, 422, models.CodeValidation, "type"},
		"NUL in the type":      {`{"type":"a\u0000b","payload":1}`, 422, models.CodeValidation, "type"},
		"unknown member":       {`{"type":"t","payload":1,"tenant_id":"x"}`, 422, models.CodeValidation, "tenant_id"},
		"other case":           {`{"Type":"t","payload":1}`, 422, models.CodeValidation, "Type"},
		"payload twice":        {`{"type":"t","payload":1,"payload":2}`, 422, models.CodeValidation, "payload"},
		"versions":             {`{"type":"t","versions":[{"version":"1","payload":1}]}`, 422, models.CodeValidation, "versions"},
		"versions and payload": {`{"type":"t","payload":1,"versions":[{"version":"1","payload":1}]}`, 422, models.CodeValidation, "versions"},
		"no versions":          {`{"type":"t","versions":[]}`, 422, models.CodeValidation, "versions"},
		"entity_id a number":   {`{"type":"t","payload":1,"entity_id":5}`, 422, models.CodeValidation, "entity_id"},
		"entity_id too long":   {`{"type":"t","payload":1,"entity_id":"` + strings.Repeat("ω", 129) + `"}`, 422, models.CodeValidation, "entity_id"},
		"NUL in entity_id":     {`{"type":"t","payload":1,"entity_id":"\u0000"}`, 422, models.CodeValidation, "entity_id"},
		"sequence a string":    {`{"type":"t","payload":1,"sequence":"5"}`, 422, models.CodeValidation, "sequence"},
		"sequence a fraction":  {`{"type":"t","payload":1,"sequence":5.5}`, 422, models.CodeValidation, "sequence"},
		"sequence too big":     {`{"type":"t","payload":1,"sequence":9223372036854775808}`, 422, models.CodeValidation, "sequence"},
		"occurred_at":          {`{"type":"t","payload":1,"occurred_at":"yesterday"}`, 422, models.CodeValidation, "occurred_at"},
		"occurred_at's comma":  {`{"type":"t","payload":1,"occurred_at":"2014-06-18T14:20:30,45+03:00"}`, 422, models.CodeValidation, "occurred_at"},
		"occurred_at's hour":   {`{"type":"t","payload":1,"occurred_at":"2014-06-18T4:20:30Z"}`, 422, models.CodeValidation, "occurred_at"},
		"not_before":           {`{"type":"t","payload":1,"not_before":7}`, 422, models.CodeValidation, "not_before"},
		"empty idempotency":    {`{"type":"t","payload":1,"idempotency_key":""}`, 422, models.CodeValidation, "idempotency_key"},
		"endless idempotency":  {`{"type":"t","payload":1,"idempotency_key":"` + strings.Repeat("k", 300) + `"}`, 422, models.CodeValidation, "idempotency_key"},
		"a thousand strangers": {`{` + strings.Repeat(`"x":1,`, 1000) + `"type":"t"}`, 422, models.CodeValidation, "x"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out := w.op("POST", "/v1/applications/"+app+"/events", c.body)
			problem := out.problem(c.status, c.code)
			if c.place != "" {
				require.Contains(t, places(problem), c.place, string(out.body))
			}
			require.Less(t, len(out.body), 10_000)
		})
	}
	t.Cleanup(func() {
		events, _, err := w.store.Events(context.WithoutCancel(t.Context()), models.EventFilter{ApplicationID: app}, models.Page{Limit: 10})
		require.NoError(t, err)
		require.Empty(t, events)
	})
}

func TestABodyWithoutLengthIsBoundedToo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	app := w.application("standard", "")
	huge := `{"type":"t","payload":"` + strings.Repeat("x", 9<<20) + `"}`
	w.op("POST", "/v1/applications/"+app+"/events", huge, "Transfer-Encoding", "chunked").
		problem(413, models.CodePayloadTooLarge)
}

func TestIdempotency(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	app, other := w.application("standard", ""), w.application("standard", "")
	w.subscription(app, anyType)
	path := "/v1/applications/" + app + "/events"
	const body = `{"type":"t","payload":{"a":1}}`
	first := w.op("POST", path, body, "Idempotency-Key", "k1").is(202)
	require.Equal(t, false, first["duplicate"])
	again := w.op("POST", path, `{"type":"t","payload":{"a":1},"idempotency_key":"k1"}`).is(202)
	require.Equal(t, true, again["duplicate"])
	for _, same := range []string{"id", "sequence", "created_at", "invocations"} {
		require.Equal(t, first[same], again[same])
	}
	w.op("POST", path, `{"type":"t","payload":{"a":2}}`, "Idempotency-Key", "k1").
		problem(409, models.CodeIdempotencyMismatch)
	w.op("POST", path, `{"type":"t","payload":{"a": 1}}`, "Idempotency-Key", "k1").
		problem(409, models.CodeIdempotencyMismatch)
	w.op("POST", path, `{"type":"t","payload":1,"idempotency_key":"k2"}`, "Idempotency-Key", "k3").
		problem(422, models.CodeValidation, "idempotency_key")
	require.Equal(t, false, w.op("POST", "/v1/applications/"+other+"/events", body, "Idempotency-Key", "k1").is(202)["duplicate"])
}

func TestBatch(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	app := w.application("standard", "")
	sub := w.subscription(app, anyType)
	out := w.op("POST", "/v1/applications/"+app+"/events/batch", `{"events":[
		{"type":"a","payload":{ "x" : 1.0 }},
		{"type":"b","payload":`+nested(129)+`},
		{"type":"c"},
		7,
		{"type":"d","payload":"`+strings.Repeat("x", 1<<20)+`"},
		{"type":"e","payload":null,"idempotency_key":"k"},
		{"type":"e","payload":null,"idempotency_key":"k"}
	]}`)
	results := out.is(202)["results"].([]any)
	require.Len(t, results, 7)
	codes := make([]string, len(results))
	for i, r := range results {
		result := r.(map[string]any)
		require.Equal(t, json.Number(strconv.Itoa(i)), result["index"])
		if refusal, ok := result["error"].(map[string]any); ok {
			codes[i] = refusal["code"].(string)
			require.Nil(t, result["id"])
			continue
		}
		require.Equal(t, sub, result["invocations"].([]any)[0].(map[string]any)["subscription_id"])
	}
	require.Equal(t, []string{"", "malformed_request", "validation_failed", "validation_failed", "payload_too_large", "", ""}, codes)
	require.Contains(t, string(out.body), `"location":"events[2].payload"`)
	first, repeat := results[5].(map[string]any), results[6].(map[string]any)
	require.Equal(t, first["id"], repeat["id"])
	require.Equal(t, first["sequence"], repeat["sequence"])
	require.Equal(t, true, repeat["duplicate"])
	require.Contains(t, string(w.op("GET", "/v1/events/"+results[0].(map[string]any)["id"].(string), "").body), `{ "x" : 1.0 }`)
}

func TestBatchBounds(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	app := w.application("standard", "")
	path := "/v1/applications/" + app + "/events/batch"
	many := func(n int) string {
		return `{"events":[` + strings.TrimSuffix(strings.Repeat(`{"type":"t","payload":1},`, n), ",") + `]}`
	}
	require.Len(t, w.op("POST", path, many(500)).is(202)["results"], 500)
	w.op("POST", path, many(501)).problem(422, models.CodeValidation, "events")
	w.op("POST", path, many(0)).problem(422, models.CodeValidation, "events")
	w.op("POST", path, `{}`).problem(422, models.CodeValidation, "events")
	w.op("POST", path, `{"events":{}}`).problem(422, models.CodeValidation, "events")
	w.op("POST", path, many(1), "Idempotency-Key", "k").problem(422, models.CodeValidation, "idempotency_key")
	w.op("POST", path, `{"events":[{"type":"t","payload":"`+"\xff"+`"}]}`).problem(400, models.CodeMalformed)
	page := w.op("GET", "/v1/applications/"+app+"/events?limit=500", "").is(200)
	require.Len(t, page["items"], 500, "in the order of the batch, newest first")
	last := page["items"].([]any)[0].(map[string]any)
	require.Equal(t, "500", fmt.Sprint(last["sequence"]))
}

type brokenIngest struct{ err error }

func (b brokenIngest) Accept(context.Context, *models.Application, []ingest.Publication) ([]*models.Acceptance, error) {
	return nil, b.err
}

func TestAnOutageIsNever202(t *testing.T) {
	t.Parallel()
	outage := &models.Error{Code: models.CodeUnavailable, Message: "no database"}
	for _, c := range []struct {
		err    error
		status int
		code   models.Code
	}{
		{fmt.Errorf("accept: %w", outage), 503, models.CodeUnavailable},
		{errors.New("disk on fire"), 500, models.CodeInternal},
		{context.DeadlineExceeded, 503, models.CodeUnavailable},
		{fmt.Errorf("its profile: %w", models.NotFound("profile")), 500, models.CodeInternal},
	} {
		w := newWorldWith(t, nil, func(d *Dependencies) { d.Ingest, d.Now = brokenIngest{c.err}, nil })
		app := w.application("standard", "")
		out := w.op("POST", "/v1/applications/"+app+"/events", `{"type":"t","payload":1}`)
		out.problem(c.status, c.code)
		require.Equal(t, c.status == 503, out.header.Get("Retry-After") != "")
		require.NotContains(t, string(out.body), "fire")
		require.Equal(t, !errors.Is(c.err, context.DeadlineExceeded),
			strings.Contains(w.log.String(), out.header.Get("X-Request-Id")))
		w.op("POST", "/v1/applications/"+app+"/events/batch", `{"events":[{"type":"t","payload":1}]}`).problem(c.status, c.code)
	}
}

func TestAMalformedAcceptHeaderMadeAFaultOfWhatWasDone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	own := newTenant(w, "")
	for _, accept := range []string{"a;,b", ";,", ";", ",", "text/html", "json", "application/json;q=", "\x00;,", "*/*;q=0"} {
		out := w.op("POST", "/v1/applications/"+own.app+"/events", `{"type":"loan.updated","payload":1}`, "Accept", accept)
		out.is(202)
		require.Equal(t, "application/json", out.header.Get("Content-Type"), accept)
		w.op("GET", "/v1/profiles?limit=0", "", "Accept", accept).problem(422, models.CodeValidation, "limit")
		w.op("GET", "/v1/events/"+own.event, "", "Accept", accept).is(200)
		w.op("GET", "/v1/events/none", "", "Accept", accept).problem(404, models.CodeNotFound)
		w.do("", "GET", "/healthz", "", "Accept", accept).is(200)
	}
}
