package profiles_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/models"
	"github.com/posthorn/posthorn/profiles"
)

func TestVIV11_OnlyTheInitialChargeOfInstallments(t *testing.T) {
	t.Parallel()
	p := profile(t, "viva")
	for payload, suppressed := range map[string]bool{
		`{"TransactionTypeId":5,"CurrentInstallment":1}`:         true,
		`{"TransactionTypeId":5,"CurrentInstallment":12}`:        true,
		`{"TransactionTypeId":5.0,"CurrentInstallment":1e0}`:     true,
		`{ "CurrentInstallment" : 2 , "TransactionTypeId" : 5 }`: true,
		`{"TransactionTypeId":5,"CurrentInstallment":0}`:         false,
		`{"TransactionTypeId":5,"CurrentInstallment":0.99}`:      false,
		`{"TransactionTypeId":6,"CurrentInstallment":1}`:         false,
		`{"TransactionTypeId":5}`:                                false,
		`{"TransactionTypeId":"5","CurrentInstallment":1}`:       false,
		`{"TransactionTypeId":5,"CurrentInstallment":"1"}`:       false,
		`{"TransactionTypeId":5,"CurrentInstallment":null}`:      false,
		`[]`:   false,
		`null`: false,
	} {
		require.Equal(t, suppressed, p.Suppressed("transaction.created", []byte(payload)), payload)
		require.False(t, p.Suppressed("transaction.refunded", []byte(payload)), payload)
	}
	require.False(t, p.Suppressed("transaction.created", []byte(p.TestEvent.Payload)), "Viva's own sample is delivered")
}

func TestSuppressConditions(t *testing.T) {
	t.Parallel()
	cases := []struct {
		condition, payload string
		suppressed         bool
	}{
		{`{member: a.b, equals: x}`, `{"a":{"b":"x"}}`, true},
		{`{member: a.b, equals: x}`, `{"a":{"b":"\u0078"}}`, true},
		{`{member: a.b, equals: x}`, `{"a":"b"}`, false},
		{`{member: a, equals: true}`, `{"a":true}`, true},
		{`{member: a, equals: true}`, `{"a":"true"}`, false},
		{`{member: a, equals: null}`, `{"a":null}`, true},
		{`{member: a, equals: null}`, `{}`, false},
		{`{member: a, min: 9007199254740993}`, `{"a":9007199254740992}`, false},
		{`{member: a, min: 9007199254740993}`, `{"a":9007199254740993}`, true},
		{`{member: a, min: -1.5, max: 2}`, `{"a":-1.5}`, true},
		{`{member: a, min: -1.5, max: 2}`, `{"a":2.0000000000000000001}`, false},
		{`{member: a, max: 2}`, `{"a":-1e1000001}`, true},
		{`{member: a, equals: 1}`, `{"a":2,"a":1}`, true},
	}
	for _, c := range cases {
		p, err := profiles.Parse("f.yaml", []byte(good+"suppress: [{type: ping, when: ["+c.condition+"]}]"))
		require.NoError(t, err)
		require.Equal(t, c.suppressed, p.Suppressed("ping", []byte(c.payload)), "%s %s", c.condition, c.payload)
	}
}

func TestARI17_EntityIsPayloadID(t *testing.T) {
	t.Parallel()
	cases := []struct{ profile, given, payload, want string }{
		{"aria", "", `{"id":"78c9c54c"}`, "78c9c54c"},
		{"aria", "given", `{"id":"78c9c54c"}`, "78c9c54c"},
		{"aria", "given", `{"amount":1}`, "given"},
		{"aria", "", `{"id":9007199254740993}`, "9007199254740993"},
		{"aria", "given", `{"id":{}}`, "given"},
		{"aria", "given", `{"id":null}`, "given"},
		{"aria", "", `[1]`, ""},
		{"standard", "given", `{"id":"x"}`, "given"},
		{"standard", "", `{"id":"x"}`, ""},
		{"viva", "given", `{"id":"x"}`, "given"},
	}
	for _, c := range cases {
		got, err := profile(t, c.profile).EntityID(c.given, []byte(c.payload))
		require.NoError(t, err)
		require.Equal(t, c.want, got, "%s %s %s", c.profile, c.given, c.payload)
	}
}

func TestEntityIDBounds(t *testing.T) {
	t.Parallel()
	aria := profile(t, "aria")
	_, err := aria.EntityID(strings.Repeat("Ω", 128), nil)
	require.NoError(t, err)
	_, err = aria.EntityID(strings.Repeat("Ω", 129), nil)
	require.Equal(t, []string{"entity_id"}, places(t, err))
	_, err = aria.EntityID("", []byte(`{"id":"`+strings.Repeat("a", 129)+`"}`))
	require.Equal(t, []string{"payload/id"}, places(t, err))
	_, err = aria.EntityID("", []byte(`{"id":"a\u0000"}`))
	require.Equal(t, []string{"payload/id"}, places(t, err))
}

func TestCheckHeaders(t *testing.T) {
	t.Parallel()
	three := []models.Header{{Name: "A", Value: "1"}, {Name: "B", Value: "2"}, {Name: "C", Value: "3"}}
	require.NoError(t, profile(t, "thredd").CheckHeaders(three))
	require.NoError(t, profile(t, "viva").CheckHeaders(nil))
	err := profile(t, "thredd").CheckHeaders(append(three, models.Header{Name: "D"}))
	require.Equal(t, []string{"headers"}, places(t, err))
	err = profile(t, "viva").CheckHeaders(three)
	require.Equal(t, []string{"headers"}, places(t, err))
	err = profile(t, "thredd").CheckHeaders([]models.Header{{Name: "X-Key"}, {Name: "x-key"}})
	require.Equal(t, []string{"headers.x-key"}, places(t, err))
	p, err := profile(t, "alviere").WithOverrides([]byte(`{"auth":{"security_key_header":"Alviere-Auth","custom_headers":1}}`))
	require.NoError(t, err)
	err = p.CheckHeaders([]models.Header{{Name: "alviere-auth"}})
	require.Equal(t, []string{"headers.alviere-auth"}, places(t, err))
}
