package profiles_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/profiles"
)

// good is a profile whose lines the cases of TestParseNamesFileLineAndKnob replace.
const good = `name: acme
envelope:
  - {key: id, value: event_id}
  - {key: type, value: type}
  - {key: data, value: payload}
wire: {type: string}
success: 2xx
timeout: 10s
retry:
  kind: fixed
  interval: 1h
test_event:
  type: ping
  payload: '{}'
catalogue:
  - name: ping
`

func TestParseGood(t *testing.T) {
	t.Parallel()
	p, err := profiles.Parse("acme.yaml", []byte(good))
	require.NoError(t, err)
	require.Equal(t, 100, p.SubscriptionLimit, "what is left out has the documented default")
	require.Equal(t, `"ping"`, p.Catalogue[0].Wire)
	require.Equal(t, 2048, p.URL.MaxURLLength())
}

func TestParseTakesADateForAVersion(t *testing.T) {
	t.Parallel()
	p, err := profiles.Parse("acme.yaml", []byte(good+"    versions: [2022-01-01, 2021-11-18.1]\nversions: {required: true}\n"))
	require.NoError(t, err)
	require.True(t, p.HasVersion("ping", "2022-01-01"), "a date is a version's text")
	require.True(t, p.HasVersion("ping", "2021-11-18.1"))
	require.False(t, p.HasVersion("ping", "2022-01-02"))
}

func TestParseNamesFileLineAndKnob(t *testing.T) {
	t.Parallel()
	cases := []struct{ old, new, want string }{
		{"name: acme", "name: Acme Inc", "acme.yaml:1: name must match [a-z][a-z0-9-]{0,62}"},
		{"name: acme", "nam: acme", "acme.yaml:1: nam is not known here"},
		{"name: acme", "name: acme\nname: b", "acme.yaml:2: name is given twice"},
		{"value: event_id", "value: uuid", "acme.yaml:3: envelope[0].value must be one of payload, type,"},
		{"value: event_id", "value: version", "acme.yaml:3: envelope[0].value needs versions.required"},
		{"key: type", "key: id", `acme.yaml:4: envelope[1].key "id" is listed twice`},
		{"key: type", "kee: type", "acme.yaml:4: envelope[1].kee is not known here"},
		{"{type: string}", "{type: text}", "acme.yaml:6: wire.type must be one of string, integer"},
		{"{type: string}", "{type: integer, open: true}", "acme.yaml:6: wire.open needs type string"},
		{"{type: string}", "{type: integer}", "acme.yaml:16: catalogue[0].wire must be an integer"},
		{"success: 2xx", "success: 3xx", "acme.yaml:7: success must be"},
		{"success: 2xx", "success: [200, 600]", "acme.yaml:7: success must be"},
		{"success: 2xx\n", "", "acme.yaml:1: success must be"},
		{"timeout: 10s", "timeout: 10", "acme.yaml:8: timeout must be a string"},
		{"timeout: 10s", "timeout: 99ms", "acme.yaml:8: timeout must be 100ms to 60s"},
		{"timeout: 10s", "timeout: 61s", "acme.yaml:8: timeout must be 100ms to 60s"},
		{"timeout: 10s", "timeout: soon", `acme.yaml:8: timeout "soon" is not a duration`},
		{"timeout: 10s", "timeout:", "acme.yaml:8: timeout must be a string"},
		{"kind: fixed", "kind: linear", "acme.yaml:10: retry.kind must be one of fixed,"},
		{"interval: 1h", "interval: 9ms", "acme.yaml:11: retry.interval must be 10ms to 168h"},
		{"interval: 1h", "interval: 1h\n  jitter: 2", "acme.yaml:12: retry.jitter must be 0 to 1"},
		{"interval: 1h", "interval: 1h\n  max_attempts: 1.5", "acme.yaml:12: retry.max_attempts must be a whole number"},
		{"interval: 1h", "intervall: 1h", "acme.yaml:11: retry.intervall is not known here"},
		{"retry:\n  kind: fixed\n  interval: 1h\n", "", "acme.yaml:1: retry.kind must be one of"},
		{"type: ping\n  payload", "payload", "acme.yaml:12: test_event.type is missing: the envelope shows it"},
		{"payload: '{}'", "payload: '{'", "acme.yaml:14: test_event.payload must be JSON text: the payload is not valid JSON"},
		{"payload: '{}'", "payload: {}", "acme.yaml:14: test_event.payload must be a string"},
		{"- name: ping", "- name: ping\n  - name: ping", `acme.yaml:17: catalogue[1].name "ping" is listed twice`},
		{"- name: ping", "- name: a b", "acme.yaml:16: catalogue[0].name must match [A-Za-z0-9]"},
		{"- name: ping", "- name: ping\n    schema: {type: thing}", "acme.yaml:17: catalogue[0].schema is not JSON Schema 2020-12"},
		{"catalogue:\n  - name: ping", "catalogue: []", "acme.yaml:15: catalogue must list at least one event type"},
	}
	for _, c := range cases {
		require.Contains(t, good, c.old)
		_, err := profiles.Parse("acme.yaml", []byte(strings.Replace(good, c.old, c.new, 1)))
		require.ErrorContains(t, err, c.want)
	}
}

func TestParseChecksEveryKnob(t *testing.T) {
	t.Parallel()
	for knob, want := range map[string]string{
		"time: iso8601": "17: time must be one of",
		"types_per_subscription: {min: 2, max: 1}":                  "17: types_per_subscription.max must be",
		"types_per_subscription: {min: -1}":                         "17: types_per_subscription.min must be 0 to 500",
		"versions: {required: maybe}":                               "17: versions.required must be true or false",
		"versions: true":                                            "17: versions must be an object",
		"auth: {custom_headers: 21}":                                "17: auth.custom_headers must be 0 to 20",
		"auth: {security_key_header: webhook-id}":                   "17: auth.security_key_header must be the name of a header",
		"signing: {scheme: rsa}":                                    "17: signing.scheme must be one of",
		"signing: {}":                                               "17: signing.scheme must be one of",
		"signing: {scheme: standard-webhooks}":                      "17: signing.versions must list v1, v1a or both",
		"signing: {scheme: hmac-sha256-hex}":                        "17: signing.header must be the name of a header",
		"signing: {scheme: none, header: X}":                        "17: signing.header does not belong to scheme none",
		"retry_after: 169h":                                         "17: retry_after must be",
		"on_410: ignore":                                            "17: on_410 must be one of failure, gone",
		"ordering: lifo":                                            "17: ordering.kind must be one of",
		"ordering: 5":                                               "17: ordering must be a string or an object",
		"ordering: {kind: fifo, key: tenant}":                       "17: ordering.key must be one of subscription, entity",
		"ordering: {kind: none, scope: type}":                       "17: ordering.scope does not belong to kind none",
		"ordering: {kind: fifo, kye: x}":                            "17: ordering.kye is not known here",
		"entity: {sources: [header.id]}":                            "17: entity.sources[0] must be entity_id or payload.<member>",
		"verification: {kind: handshake}":                           "17: verification.member names the member",
		"url: {max_length: 9000}":                                   "17: url.max_length must be 0 to 8192",
		"subscription_limit: 0":                                     "17: subscription_limit must be 1 to 100000",
		"managed_by: member":                                        "17: managed_by must be one of operator, admin",
		"suppress: [{type: pong, when: [{member: a, equals: 1}]}]":  `17: suppress[0].type "pong" is not in the catalogue`,
		"suppress: [{type: ping, when: []}]":                        "17: suppress[0].when must list at least one condition",
		"suppress: [{type: ping, when: [{member: a}]}]":             "17: suppress[0].when[0] must have equals, min or max",
		"suppress: [{type: ping, when: [{member: a, equals: []}]}]": "17: suppress[0].when[0].equals must be a string, a number",
		"suppress: [{type: ping, when: [{member: a, min: x}]}]":     "17: suppress[0].when[0].min must be a number",
		"traceparent: 1":                                            "17: traceparent must be true or false",
		"rate_limit: -1":                                            "17: rate_limit must be 0",
		"max_in_flight: 10001":                                      "17: max_in_flight must be 0 to 10000",
	} {
		_, err := profiles.Parse("f.yaml", []byte(good+knob))
		require.ErrorContains(t, err, "f.yaml:"+want, knob)
	}
}

func TestParseRefusesOddFiles(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                         "f.yaml: the file is empty",
		"- a":                      "must be an object",
		"name: [":                  "f.yaml: yaml: line 1",
		"name: a\n---\nname: b":    "f.yaml: the file must hold one YAML document",
		"a: &x 1\nb: *x":           "f.yaml: line 1: anchors and aliases are not supported",
		"? [a]\n: b":               "f.yaml: line 1: a key must be a word",
		"name: !!binary aGk=":      "f.yaml: line 1: the tag !!binary is not supported",
		"subscription_limit: 0x10": `line 1: "0x10" must be a decimal number, or in quotes`,
		"a: " + strings.Repeat("[", 100) + strings.Repeat("]", 100): "nested too deep",
		strings.Repeat("#\n", 1<<20):                                "f.yaml: the file is over 1 MiB",
	} {
		_, err := profiles.Parse("f.yaml", []byte(text))
		require.ErrorContains(t, err, want, text[:min(len(text), 50)])
	}
}

func TestParseTellsEveryFaultAtOnce(t *testing.T) {
	t.Parallel()
	bad := strings.NewReplacer("10s", "10h", "1h", "1ms", "acme", "A").Replace(good)
	_, err := profiles.Parse("f.yaml", []byte(bad))
	require.EqualError(t, err, `f.yaml:1: name must match [a-z][a-z0-9-]{0,62}
f.yaml:8: timeout must be 100ms to 60s
f.yaml:11: retry.interval must be 10ms to 168h`)
}

// Every knob of every profile survives YAML → JSON → overrides.
func TestKnobsRoundTrip(t *testing.T) {
	t.Parallel()
	plain, err := profiles.Parse("acme.yaml", []byte(good))
	require.NoError(t, err)
	for _, name := range registry(t).Names() {
		p := profile(t, name)
		raw, err := json.Marshal(p)
		require.NoError(t, err)
		var knobs map[string]json.RawMessage
		require.NoError(t, json.Unmarshal(raw, &knobs))
		delete(knobs, "name")
		overrides, err := json.Marshal(knobs)
		require.NoError(t, err)
		changed, err := plain.WithOverrides(overrides)
		require.NoError(t, err, name)
		again, err := json.Marshal(changed)
		require.NoError(t, err)
		require.Equal(t, strings.Replace(string(raw), `"name":"`+name+`"`, `"name":"acme"`, 1), string(again))
		require.Equal(t, p.Spec, changed.Spec)
	}
}

func FuzzParse(f *testing.F) {
	for _, file := range []string{"standard.yaml", "viva.yaml", "alviere.yaml"} {
		data, err := os.ReadFile(file)
		require.NoError(f, err)
		f.Add(data)
	}
	f.Add([]byte(good))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := profiles.Parse("f.yaml", data)
		if err != nil {
			return
		}
		raw, err := json.Marshal(p)
		require.NoError(t, err)
		require.True(t, json.Valid(raw))
	})
}
