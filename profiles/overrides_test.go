package profiles_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/models"
	"github.com/posthorn/posthorn/profiles"
)

// places are the locations of a validation error's faults.
func places(t *testing.T, err error) []string {
	t.Helper()
	var e *models.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, models.CodeValidation, e.Code)
	found := make([]string, len(e.Fields))
	for i, field := range e.Fields {
		require.NotEmpty(t, field.Message)
		found[i] = field.Location
	}
	return found
}

func TestOverridesReplaceAKnobAsAWhole(t *testing.T) {
	t.Parallel()
	base := profile(t, "standard")
	p, err := base.WithOverrides([]byte(`{
		"retry": {"kind": "fixed", "interval": "20ms"}, "timeout": "1s", "success": [200, 202],
		"ordering": "latest_wins", "managed_by": "operator", "test_event": null
	}`))
	require.NoError(t, err)
	require.Equal(t, models.RetryPolicy{Kind: models.RetryFixed, Interval: models.Duration(20 * time.Millisecond)}, p.Retry)
	require.Equal(t, models.Ordering{Kind: models.OrderingLatestWins, Scope: "type"}, p.Ordering)
	require.Equal(t, models.RoleOperator, p.ManagedBy)
	require.Equal(t, base.TestEvent, p.TestEvent, "null leaves a knob")
	require.Equal(t, "standard", p.Name)

	require.InDelta(t, 0.1, base.Retry.Jitter, 0, "the profile itself is not changed")
	require.Equal(t, models.RoleAdmin, base.ManagedBy)
}

func TestOverridesThatSayNothing(t *testing.T) {
	t.Parallel()
	base := profile(t, "viva")
	for _, raw := range []string{"", "null", "{}", `{"retry":null}`} {
		p, err := base.WithOverrides([]byte(raw))
		require.NoError(t, err)
		want, _ := json.Marshal(base)
		got, _ := json.Marshal(p)
		require.Equal(t, string(want), string(got), raw)
	}
}

func TestOverridesRefused(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string][]string{
		`{`:                               {"overrides"},
		`[]`:                              {"overrides"},
		`{"name":"x"}`:                    {"overrides.name"},
		`{"nope":1}`:                      {"overrides.nope"},
		`{"timeout":"1s","timeout":"2s"}`: {"overrides.timeout"},
		`{"timeout":1}`:                   {"overrides.timeout"},
		`{"retry":{}}`:                    {"overrides.retry.kind"},
		`{"retry":{"kind":"fixed","interval":"1ms"}}`:             {"overrides.retry.interval"},
		`{"retry":{"kind":"fixed","interval":"1s","x":1}}`:        {"overrides.retry.x"},
		`{"timeout":"1h","subscription_limit":0}`:                 {"overrides.timeout", "overrides.subscription_limit"},
		`{"envelope":[{"key":"a","value":"payload"},{"key":""}]}`: {"overrides.envelope[1].key", "overrides.envelope[1].value"},
		`{"wire":{"type":"string"}}`: {
			"overrides.test_event.type", "overrides.catalogue[0].wire", "overrides.catalogue[1].wire",
		},
		`{"catalogue":[{"name":"a","wire":1},{"name":"b","wire":1}]}`: {"overrides.suppress[0].type"},
	} {
		_, err := profile(t, "viva").WithOverrides([]byte(raw))
		require.Equal(t, want, places(t, err), raw)
	}
}

func TestARetryThatPreviewTakesWasRefusedInOverridesAndDelivery(t *testing.T) {
	t.Parallel()
	base := profile(t, "viva")
	want := models.RetryPolicy{Kind: models.RetryFixed, Interval: models.Duration(time.Second)}
	for _, retry := range []string{
		`{"kind":"fixed","interval":"1s","max_age":0}`,
		`{"kind":"fixed","interval":"1s","max_age":0.0,"max_interval":0}`,
		`{"kind":"fixed","interval":"1s","max_age":null,"max_attempts":null,"jitter":null,"delays":null,"max_interval":null}`,
	} {
		p, err := base.WithOverrides([]byte(`{"retry":` + retry + `}`))
		require.NoError(t, err, retry)
		require.Equal(t, want, p.Retry)
		spec, err := base.WithDelivery([]byte(`{"retry":` + retry + `,"ordering":{"kind":"fifo","key":null}}`))
		require.NoError(t, err, retry)
		require.Equal(t, want, spec.Retry)
	}
	for retry, place := range map[string]string{
		`{"kind":"fixed","interval":0}`: "interval", `{"kind":null}`: "kind", `{"kind":"fixed","interval":null}`: "interval",
		`{"kind":"fixed","interval":"1s","max_age":1}`: "max_age", `{"kind":"polynomial","initial":"1s"}`: "degree",
		`{"kind":"schedule","delays":[null]}`: "delays[0]", `{"kind":"fixed","interval":"1s","speed":null}`: "speed",
		`{"kind":"fixed","interval":"1s","jitter":null,"jitter":0}`: "jitter",
	} {
		_, err := base.WithDelivery([]byte(`{"retry":` + retry + `}`))
		require.Equal(t, []string{"delivery.retry." + place}, places(t, err), retry)
	}
}

func TestOverriddenCatalogue(t *testing.T) {
	t.Parallel()
	p, err := profile(t, "viva").WithOverrides([]byte(`{"suppress":[],"catalogue":[{"name":"transfer.created","wire":768}]}`))
	require.NoError(t, err)
	found, ok := p.ResolveType("768")
	require.True(t, ok)
	require.Equal(t, "transfer.created", found.Name)
	_, ok = p.ResolveType("1796")
	require.False(t, ok)
}

func TestDeliveryOfASubscription(t *testing.T) {
	t.Parallel()
	p := profile(t, "viva")
	spec, err := p.WithDelivery([]byte(`{
		"timeout": "500ms", "success": "2xx", "retry": {"kind":"schedule","delays":["10ms"]},
		"ordering": {"kind":"fifo"}, "rate_limit": 0.5, "max_in_flight": 3
	}`))
	require.NoError(t, err)
	raw, err := json.Marshal(profiles.DeliveryOf(spec))
	require.NoError(t, err)
	require.JSONEq(t, `{
		"timeout": "500ms", "success": "2xx", "retry": {"kind":"schedule","delays":["10ms"]},
		"ordering": {"kind":"fifo","key":"subscription"}, "rate_limit": 0.5, "max_in_flight": 3
	}`, string(raw))
	require.Equal(t, p.Envelope, spec.Envelope)
	require.Equal(t, 73, p.Retry.MaxAttempts, "the profile itself is not changed")
}

func TestDeliveryShownCanBeGivenBack(t *testing.T) {
	t.Parallel()
	for _, name := range registry(t).Names() {
		p := profile(t, name)
		shown, err := json.Marshal(profiles.DeliveryOf(&p.Spec))
		require.NoError(t, err)
		require.Contains(t, string(shown), `"rate_limit":null,"max_in_flight":null`)
		spec, err := p.WithDelivery(shown)
		require.NoError(t, err)
		require.Equal(t, p.Spec, *spec)
	}
}

func TestDeliveryRefused(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string][]string{
		`"fast"`:                     {"delivery"},
		`{"envelope":[]}`:            {"delivery.envelope"},
		`{"name":"x"}`:               {"delivery.name"},
		`{"speed":1}`:                {"delivery.speed"},
		`{"timeout":"99ms"}`:         {"delivery.timeout"},
		`{"timeout":"-1s"}`:          {"delivery.timeout"},
		`{"success":"all"}`:          {"delivery.success"},
		`{"retry":{"kind":"fixed"}}`: {"delivery.retry.interval"},
		`{"retry":{"kind":"schedule","delays":["1s",5]}}`: {"delivery.retry.delays[1]"},
		`{"ordering":"random"}`:                           {"delivery.ordering.kind"},
		`{"rate_limit":"1"}`:                              {"delivery.rate_limit"},
		`{"rate_limit":1e999}`:                            {"delivery.rate_limit"},
		`{"rate_limit":0.0001}`:                           {"delivery.rate_limit"},
		`{"max_in_flight":1.5}`:                           {"delivery.max_in_flight"},
		`{"max_in_flight":-1}`:                            {"delivery.max_in_flight"},
	} {
		_, err := profile(t, "standard").WithDelivery([]byte(raw))
		require.Equal(t, want, places(t, err), raw)
	}
}

func FuzzWithDelivery(f *testing.F) {
	f.Add([]byte(`{"retry":{"kind":"fixed","interval":"1h"},"ordering":"fifo","success":[200]}`))
	r, err := profiles.New("")
	require.NoError(f, err)
	p, _ := r.Get("standard")
	f.Fuzz(func(t *testing.T, raw []byte) {
		spec, err := p.WithDelivery(raw)
		if err == nil {
			require.NoError(t, spec.Retry.Validate())
			require.False(t, spec.Success.IsZero())
		}
	})
}
