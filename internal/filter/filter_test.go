package filter

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const order = `{"amount":100.50,"n":9007199254740993,"u":18446744073709551615,"huge":1e400,"small":-1e400,
	"long":123456789012345678901234567890,"status":"paid","tags":["vip","eu"],"customer":{"country":"GR","vip":true},
	"items":[{"sku":"a","qty":2},{"sku":"b"}],"nothing":null,"dup":1,"dup":2,"odd":"\ud800","content-type":"x","zero":-0}`

func compile(t *testing.T, expression string) *Program {
	t.Helper()
	p, err := Compile(expression)
	require.NoError(t, err)
	return p
}

func TestMatches(t *testing.T) {
	t.Parallel()
	in := NewInput("order.paid", []byte(order), "o-1")
	for expression, want := range map[string]bool{
		`payload.amount > 100`:                    true,
		`payload.amount > 100.6`:                  false,
		`payload.amount == 100.5`:                 true,
		`payload.n == 9007199254740993`:           true,
		`payload.n == 9007199254740992`:           false,
		`payload.u > 9223372036854775807`:         true,
		`payload.u == 18446744073709551615u`:      true,
		`payload.long > 1e29`:                     true,
		`payload.huge > 1e308`:                    true,
		`payload.small < -1e308`:                  true,
		`payload.zero == 0`:                       true,
		`payload.status == "paid"`:                true,
		`payload.status in ["paid", "late"]`:      true,
		`"vip" in payload.tags`:                   true,
		`"status" in payload`:                     true,
		`payload.tags == ["vip", "eu"]`:           true,
		`payload.customer == {"country": "GR"}`:   false,
		`payload.customer.country.matches("^G")`:  true,
		`matches(payload.status, "^p")`:           true,
		`payload.status.matches("^a")`:            false,
		`payload.missing.matches("^p")`:           false,
		`payload.items.exists(i, i.qty > 1)`:      true,
		`payload.items.all(i, has(i.qty))`:        false,
		`payload.items.exists_one(i, has(i.qty))`: true,
		`payload.items[1].sku == "b"`:             true,
		`payload.nothing == null`:                 true,
		`payload.dup == 2`:                        true,
		`payload.odd == "\uFFFD"`:                 true,
		`payload["content-type"] == "x"`:          true,
		`type == "order.paid"`:                    true,
		`type.startsWith("order.")`:               true,
		`entity_id == "o-1"`:                      true,
		`size(payload.tags) == 2`:                 true,
		`double(payload.n) * 2.0 > 1.0`:           true,
		`true`:                                    true,
		`false`:                                   false,
		// What needs a member that is not there does not match, also where its opposite does not either.
		`payload.missing == 1`:                           false,
		`payload.missing != 1`:                           false,
		`!(payload.missing == 1)`:                        false,
		`payload.missing.deeper == 1`:                    false,
		`payload.status.deeper == 1`:                     false,
		`payload.tags.deeper == 1`:                       false,
		`payload.nothing.deeper == 1`:                    false,
		`payload.tags[7] == "x"`:                         false,
		`payload.items.all(i, i.qty > 1)`:                false,
		`has(payload.missing)`:                           false,
		`!has(payload.missing)`:                          true,
		`payload.missing == 1 || type == "order.paid"`:   true,
		`payload.missing == 1 && type == "order.paid"`:   false,
		`has(payload.missing) ? false : entity_id != ""`: true,
	} {
		got, err := compile(t, expression).Matches(t.Context(), in)
		require.NoError(t, err, expression)
		require.Equal(t, want, got, expression)
	}
}

func TestWhatCannotBeEvaluatedMatchesAndSaysWhy(t *testing.T) {
	t.Parallel()
	in := NewInput("order.paid", []byte(order), "")
	for expression, why := range map[string]string{
		`payload.status > 5`:                                            "no such overload",
		`payload.n.matches("1")`:                                        "no such overload",
		`payload.tags.matches("")`:                                      "no such overload",
		`payload.n / 0 == 1`:                                            "division by zero",
		`payload.n + payload.n + payload.n == payload.u * 2u`:           "overflow",
		`payload.status.exists(i, true)`:                                "iterable",
		`timestamp(payload.status) > timestamp("2026-01-01T00:00:00Z")`: "RFC 3339",
	} {
		got, err := compile(t, expression).Matches(t.Context(), in)
		require.ErrorContains(t, err, why, expression)
		require.Equal(t, "evaluation", Reason(err))
		require.True(t, got, expression)
	}
}

func TestPayloadsOfEveryKind(t *testing.T) {
	t.Parallel()
	for payload, expression := range map[string]string{
		`null`: `payload == null`, `5`: `payload == 5`, `"x"`: `payload == "x"`, `[1,2]`: `payload[1] == 2`,
		`true`: `payload == true`, `{}`: `payload == {}`, "\t[ ]\n": `size(payload) == 0`,
		strings.Repeat("[", 128) + strings.Repeat("]", 128): `size(payload) == 1`,
	} {
		got, err := compile(t, expression).Matches(t.Context(), NewInput("t", []byte(payload), ""))
		require.NoError(t, err, payload)
		require.True(t, got, payload)
		got, err = compile(t, `payload.a.b == 1`).Matches(t.Context(), NewInput("t", []byte(payload), ""))
		require.NoError(t, err, payload)
		require.False(t, got, payload)
	}
}

func TestThePayloadIsDecodedOnceAndOnlyForThoseWhoAsk(t *testing.T) {
	t.Parallel()
	payload := []byte(`{"a":1}`)
	in := NewInput("t", payload, "")
	matches := func(expression string) bool {
		got, err := compile(t, expression).Matches(t.Context(), in)
		require.NoError(t, err)
		return got
	}
	require.True(t, matches(`type == "t"`))
	copy(payload, `{"a":2}`)
	require.True(t, matches(`payload.a == 2`), "nobody had asked for the payload before")
	copy(payload, `{"a":3}`)
	require.True(t, matches(`payload.a == 2`), "the payload was decoded again")
}

func TestExpressionsThatAreRefused(t *testing.T) {
	t.Parallel()
	for expression, want := range map[string]string{
		"":                           "line 1, column 1: the expression ends too early",
		"payload.x +":                "line 1, column 12: the expression ends too early",
		"type == 'a' &&\n foo":       "line 2, column 2: 'foo' is not known; a filter knows type, payload and entity_id",
		"type > 1":                   "line 1, column 6: found no matching overload for '>' applied to '(string, int)'",
		"payload.a = 1":              "line 1, column 11: unexpected '= '",
		"'Ελ' == foo":                "line 1, column 9: 'foo' is not known",
		"1":                          "line 1, column 1: the expression must be true or false, and this is a number",
		"payload.a":                  "line 1, column 1: the expression must be true or false, and this is a value of any type",
		"type":                       "and this is a string",
		"[1]":                        "and this is of type list(int)",
		"type.matches('a(')":         "line 1, column 14: not a regular expression",
		"type.matches(type)":         "the regular expression of matches must be a literal string",
		"type.matches('x{999}')":     "regex program size",
		"[payload] == []":            "line 1, column 1: a list or object in a filter may hold literal values only",
		"payload == {'a': type}":     "a list or object in a filter may hold literal values only",
		"payload.map(i, i) == []":    "'map' is not known",
		"payload.filter(i, i) == []": "'filter' is not known",
		"google.protobuf.Int64Value{value: 1} == 1":         "a filter cannot make values of other types",
		"[1].all(a, [1].all(b, [1].all(c, true)))":          "all, exists and exists_one are nested too deeply",
		"payload.a == 9223372036854775808":                  "invalid int literal",
		strings.Repeat("(", 100) + strings.Repeat(")", 100): "line 1, column 1: the expression is nested too deeply",
		strings.Repeat("1+", 100) + "1 == 1":                "line 1, column 1: the expression is nested too deeply",
		strings.Repeat(" ", MaxBytes) + "true":              "longer than 4096 bytes",
	} {
		_, err := Compile(expression)
		require.ErrorContains(t, err, want, expression)
		require.NotContains(t, err.Error(), "expecting {", expression)
		fault, ok := err.(*Error) //nolint:errorlint // Compile promises it unwrapped
		require.True(t, ok)
		require.Positive(t, fault.Line)
		require.Positive(t, fault.Column)
	}
}

// TestHostileExpressionsEndSoon: what compiles stays cheap to evaluate, whatever the payload.
func TestHostileExpressionsEndSoon(t *testing.T) {
	t.Parallel()
	numbers := strings.Repeat("7,", 200_000) + "7"
	payload := []byte(`{"n":[` + numbers + `],"s":"` + strings.Repeat("a", 1<<19) + `"}`)
	for _, expression := range []string{
		`payload.n.all(a, a == 7)`,
		`payload.n.all(a, payload.n.all(b, size(payload.s) > 1))`,
		strings.Repeat(`payload.n == payload.n && `, 150) + `true`,
		`payload.n.all(a, payload == payload)`,
		`payload.n.all(a, (payload.s + payload.s + payload.s) != "")`,
		`payload.n.all(a, payload.s.matches("(a{1,20}|b)*c") || true)`,
		`payload.n.all(a, 8 in payload.n || true)`,
	} {
		p := compile(t, expression)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		began := time.Now()
		got, err := p.Matches(ctx, NewInput("t", payload, ""))
		took := time.Since(began)
		cancel()
		require.Error(t, err, expression)
		require.Contains(t, []string{"cost", "time"}, Reason(err), expression)
		require.True(t, got, expression)
		require.Less(t, took, 10*time.Second, expression)
	}
}

// TestALongStringIsChargedBeforeItIsMatched: a hundred of these took a second each.
func TestALongStringIsChargedBeforeItIsMatched(t *testing.T) {
	t.Parallel()
	in := NewInput("t", []byte(`{"s":"`+strings.Repeat("a", 1<<20)+`","short":"`+strings.Repeat("a", 1<<10)+`"}`), "")
	p := compile(t, `payload.s.matches("(a{1,20}|b)*c")`)
	began := time.Now()
	for range 100 {
		got, err := p.Matches(t.Context(), in)
		require.Error(t, err)
		require.Equal(t, "cost", Reason(err))
		require.True(t, got)
	}
	require.Less(t, time.Since(began), 10*time.Second)
	got, err := compile(t, `payload.short.matches("(a{1,20}|b)*c")`).Matches(t.Context(), in)
	require.NoError(t, err)
	require.False(t, got)
}

func TestManyMatchesOfOneExpressionAddUp(t *testing.T) {
	t.Parallel()
	in := NewInput("t", []byte(`{"s":"`+strings.Repeat("a", 1<<14)+`"}`), "")
	const one = `payload.s.matches("(a{1,20}|b)*c")`
	_, err := compile(t, one).Matches(t.Context(), in)
	require.NoError(t, err)
	_, err = compile(t, strings.Repeat(one+" || ", 30)+"false").Matches(t.Context(), in)
	require.Equal(t, "cost", Reason(err))
}

func TestWithoutTimeEventsPass(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	got, err := compile(t, `type == "x"`).Matches(ctx, NewInput("t", []byte(`{}`), ""))
	require.Error(t, err)
	require.Equal(t, ReasonTime, Reason(err))
	require.True(t, got)
}

func TestCacheKeepsProgramsUpToItsBound(t *testing.T) {
	t.Parallel()
	var cache Cache
	first, err := cache.Program("true")
	require.NoError(t, err)
	again, err := cache.Program("true")
	require.NoError(t, err)
	require.Same(t, first, again)
	_, err = cache.Program("nonsense")
	require.Error(t, err)
	for i := range maxCached + 5 {
		_, err := cache.Program("true" + strings.Repeat(" ", i))
		require.NoError(t, err)
		require.LessOrEqual(t, len(cache.programs), maxCached)
	}
}
