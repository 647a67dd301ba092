package profiles_test

import (
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/posthorn/posthorn/models"
	"github.com/posthorn/posthorn/profiles"
)

func TestVIV10_ValueListsOfTransactionTypeId(t *testing.T) {
	t.Parallel()
	p := profile(t, "viva")
	allowed := map[string][]int{"transaction.created": {0, 5, 6, 9, 15, 16}, "transaction.refunded": {4, 7, 11, 13, 17}}
	for name, ids := range allowed {
		for id := -1; id <= 20; id++ {
			err := p.CheckPayload(name, fmt.Appendf(nil, `{"Amount":100.50,"TransactionTypeId": %d}`, id))
			if slices.Contains(ids, id) {
				require.NoError(t, err)
				continue
			}
			require.Equal(t, []string{"payload/TransactionTypeId"}, places(t, err), "%s %d", name, id)
		}
		require.NoError(t, p.CheckPayload(name, []byte(`{}`)), "no member is required")
	}
	err := p.CheckPayload("transaction.created", []byte(`{"TransactionTypeId":"5"}`))
	require.Equal(t, []string{"payload/TransactionTypeId"}, places(t, err))
}

// typed is the standard profile with one event type `t` of the schema.
func typed(t *testing.T, schema string) *profiles.Profile {
	t.Helper()
	p, err := profile(t, "standard").WithOverrides([]byte(`{"catalogue":[{"name":"t","schema":` + schema + `}]}`))
	require.NoError(t, err)
	return p
}

func TestFaultsAreNamedByPointer(t *testing.T) {
	t.Parallel()
	p := typed(t, `{"type":"object","required":["id"],"properties":{
		"list":{"type":"array","items":{"type":"integer","maximum":9007199254740993}},
		"a/b~c":{"type":"string","pattern":"^x+$"}}}`)
	err := p.CheckPayload("t", []byte(`{"list":[1,"2",9007199254740993,9007199254740994],"a/b~c":"y"}`))
	require.Equal(t, []string{"payload", "payload/a~1b~0c", "payload/list/1", "payload/list/3"}, places(t, err),
		"integers beyond 2^53 are told apart")
	require.Equal(t, []string{"payload"}, places(t, p.CheckPayload("t", []byte(`[]`))))
	require.NoError(t, p.CheckPayload("t", []byte(`{"id":null,"a/b~c":"xx"}`)))
	require.NoError(t, p.CheckPayload("other", []byte(`5`)), "a type without a schema takes anything")
}

func TestFaultsAreBounded(t *testing.T) {
	t.Parallel()
	p := typed(t, `{"items":{"pattern":"^x$"}}`)
	long := `"` + strings.Repeat("y", 10_000) + `"`
	err := p.CheckPayload("t", []byte("["+strings.Repeat(long+",", 50)+long+"]"))
	var e *models.Error
	require.ErrorAs(t, err, &e)
	require.Len(t, e.Fields, 20)
	for _, field := range e.Fields {
		require.Less(t, len(field.Message), 300)
	}
}

// The library panics on the first and takes minutes over the third; all are legal payloads.
func TestNumbersOfAnySizeCanBeChecked(t *testing.T) {
	t.Parallel()
	p := typed(t, `{"properties":{"n":{"type":"number","minimum":-5,"maximum":1e20,"multipleOf":0.5},"u":{"uniqueItems":true}}}`)
	for number, ok := range map[string]bool{
		"1e1000001":                    false,
		"1e99999999999999999999":       false,
		strings.Repeat("9", 1_000_000): false,
		"-1e99999999":                  false,
		"1e-1000001":                   false, // no multiple
		"0e99999999":                   true,
		"0.0":                          true,
		"-5":                           true,
		"-5.5":                         false,
		"1e20":                         true,
		"100000000000000000001":        false,
		"0." + strings.Repeat("0", 999) + "1e1001": true,
		"1" + strings.Repeat("0", 500) + "e-500":   true,
		"2.5E+0":                                   true,
	} {
		payload := []byte(`{"n":` + number + `,"u":[1e1000001,` + strings.Repeat("0,", 30) + `1]}`)
		require.NotPanics(t, func() {
			err := p.CheckPayload("t", payload)
			faulty := err != nil && slices.Contains(places(t, err), "payload/n")
			require.Equal(t, !ok, faulty, number[:min(20, len(number))])
		})
	}
}

func TestNumbersAreComparedExactly(t *testing.T) {
	t.Parallel()
	// Within a float64: past it YAML itself takes a number for a text.
	number := rapid.Custom(func(t *rapid.T) string {
		mantissa := rapid.StringMatching(`-?(0|[1-9][0-9]{0,30})(\.[0-9]{1,30})?`).Draw(t, "mantissa")
		return fmt.Sprintf("%se%d", mantissa, rapid.IntRange(-250, 250).Draw(t, "exponent"))
	})
	rapid.Check(t, func(t *rapid.T) {
		low, value := number.Draw(t, "low"), number.Draw(t, "value")
		p, err := profiles.Parse("f.yaml", []byte(good+"suppress: [{type: ping, when: [{member: n, min: "+low+"}]}]"))
		require.NoError(t, err)
		bound, _ := new(big.Rat).SetString(low)
		exact, _ := new(big.Rat).SetString(value)
		require.Equal(t, exact.Cmp(bound) >= 0, p.Suppressed("ping", []byte(`{"n":`+value+`}`)))
		require.True(t, p.Suppressed("ping", []byte(`{"n":`+low+`}`)))
	})
}

func TestSchemasStayByThemselves(t *testing.T) {
	t.Parallel()
	for schema, want := range map[string]string{
		`{"$ref":"https://example.com/s.json"}`:                 "own parts only",
		`{"$ref":"file:///etc/passwd"}`:                         "own parts only",
		`{"$ref":"other.json"}`:                                 "own parts only",
		`{"items":[{"$dynamicRef":"x#y"}]}`:                     "own parts only",
		`{"$id":"https://example.com/x"}`:                       "own parts only",
		`{"$schema":"http://json-schema.org/draft-07/schema#"}`: "$schema must be",
		`{"$schema":5}`:                                         "$schema must be",
		`{"$ref":"#/$defs/absent"}`:                             "is not JSON Schema",
		`{"pattern":"("}`:                                       "is not JSON Schema",
		`{"minLength":-1}`:                                      "is not JSON Schema",
		`true`:                                                  "must be an object",
		`{"description":"` + strings.Repeat("x", 64<<10) + `"}`: "64 KiB",
	} {
		_, err := profile(t, "standard").ParseEventType([]byte(`{"name":"t","schema":` + schema + `}`))
		require.Equal(t, []string{"schema"}, places(t, err))
		require.ErrorContains(t, err, want)
	}
	p := typed(t, `{"$schema":"https://json-schema.org/draft/2020-12/schema","$defs":{"s":{"type":"string"}},"items":{"$ref":"#/$defs/s"}}`)
	require.Equal(t, []string{"payload/0"}, places(t, p.CheckPayload("t", []byte(`[1]`))))
}
