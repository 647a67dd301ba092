package models_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/models"
)

func TestPreviewOfUnlimitedPolicies(t *testing.T) {
	t.Parallel()
	for name, p := range map[string]models.RetryPolicy{
		"alviere": alviere(), "aria": aria(),
		"growth beyond counting": {Kind: models.RetryPolynomial, Initial: d("10ms"), Degree: 0.001, MaxAge: d("16800h")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			raw, err := json.Marshal(p.Preview())
			require.NoError(t, err)
			require.Contains(t, string(raw), `"attempts":null,"total":null`)
			require.Len(t, p.Preview().Delays, models.PreviewLength)
		})
	}
}

func TestAPreviewOfALimitedPolicySaidItWasUnlimited(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		policy   models.RetryPolicy
		attempts int
		total    string
	}{
		"fixed":            {models.RetryPolicy{Kind: models.RetryFixed, Interval: d("10ms"), MaxAge: d("16800h")}, 6_048_000_001, "16800h"},
		"fixed, a rest":    {models.RetryPolicy{Kind: models.RetryFixed, Interval: d("7s"), MaxAge: d("16800h")}, 8_640_001, "16800h"},
		"attempts first":   {models.RetryPolicy{Kind: models.RetryFixed, Interval: d("10ms"), MaxAge: d("16800h"), MaxAttempts: 1_000_000}, 1_000_000, "2h46m39.99s"},
		"attempts alone":   {models.RetryPolicy{Kind: models.RetryFixed, Interval: d("1s"), MaxAttempts: 1_000_000}, 1_000_000, "277h46m39s"},
		"beyond 292 years": {models.RetryPolicy{Kind: models.RetryFixed, Interval: d("168h"), MaxAttempts: 1_000_000}, 1_000_000, "2562047h47m16.854775807s"},
		"capped":           {models.RetryPolicy{Kind: models.RetryExponential, Initial: d("10ms"), Factor: 2, MaxInterval: d("20ms"), MaxAge: d("16800h")}, 3_024_000_001, "16799h59m59.99s"},
		"the horizon":      {models.RetryPolicy{Kind: models.RetryFixed, Interval: d("10ms"), MaxAge: d("2h46m40s")}, 1_000_001, "2h46m40s"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.NoError(t, c.policy.Validate())
			preview := c.policy.Preview()
			require.Equal(t, c.attempts, *preview.Attempts)
			require.Equal(t, d(c.total), *preview.Total)
			require.Len(t, preview.Delays, models.PreviewLength)
		})
	}
}

func TestPreviewJSON(t *testing.T) {
	t.Parallel()
	raw, err := json.Marshal(standard().Preview())
	require.NoError(t, err)
	require.JSONEq(t, `{
		"delays": ["5s","5m","30m","2h","5h","10h","14h","20h","24h"],
		"attempts": 10, "total": "75h35m5s"
	}`, string(raw))
	raw, err = json.Marshal(models.RetryPolicy{Kind: models.RetryFixed, Interval: d("1s"), MaxAttempts: 1}.Preview())
	require.NoError(t, err)
	require.JSONEq(t, `{"delays":[],"attempts":1,"total":"0s"}`, string(raw))
}

func TestRetryPolicyJSONForms(t *testing.T) {
	t.Parallel()
	forms := map[string]models.RetryPolicy{
		`{"kind":"fixed","interval":"1h","max_attempts":73}`:                                            viva(),
		`{"kind":"exponential","initial":"1m","factor":2,"max_attempts":12,"max_age":"48h"}`:            bridge(),
		`{"kind":"polynomial","initial":"20ms","degree":2,"max_interval":"2m"}`:                         alviere(),
		`{"kind":"schedule","delays":["5s","5m","30m","2h","5h","10h","14h","20h","24h"],"jitter":0.1}`: standard(),
	}
	for form, want := range forms {
		var got models.RetryPolicy
		require.NoError(t, json.Unmarshal([]byte(form), &got))
		require.Equal(t, want, got)
		raw, err := json.Marshal(got)
		require.NoError(t, err)
		require.JSONEq(t, form, string(raw))
		require.NoError(t, got.Validate())
	}
}

func TestValidateNamesTheMember(t *testing.T) {
	t.Parallel()
	delays := strings.Repeat(`"1s",`, 100) + `"1s"`
	cases := map[string][]string{
		`{}`:                                 {"kind"},
		`{"kind":"linear","interval":"1h"}`:  {"kind"},
		`{"kind":"fixed"}`:                   {"interval"},
		`{"kind":"fixed","interval":"9ms"}`:  {"interval"},
		`{"kind":"fixed","interval":"169h"}`: {"interval"},
		`{"kind":"fixed","interval":"1h","initial":"1s","factor":2,"degree":1,"delays":["1s"]}`: {
			"initial", "factor", "degree", "delays",
		},
		`{"kind":"exponential"}`:                                           {"initial", "factor"},
		`{"kind":"exponential","initial":"1s","factor":0.5}`:               {"factor"},
		`{"kind":"exponential","initial":"1s","factor":101}`:               {"factor"},
		`{"kind":"polynomial","initial":"1s"}`:                             {"degree"},
		`{"kind":"polynomial","initial":"1s","degree":0}`:                  {"degree"},
		`{"kind":"polynomial","initial":"1s","degree":-1}`:                 {"degree"},
		`{"kind":"polynomial","initial":"1s","degree":11,"interval":"1s"}`: {"degree", "interval"},
		`{"kind":"schedule","delays":[]}`:                                  {"delays"},
		`{"kind":"schedule","delays":[` + delays + `]}`:                    {"delays"},
		`{"kind":"schedule","delays":["1s","1ms"]}`:                        {"delays"},
		`{"kind":"fixed","interval":"1h","max_interval":"1ms"}`:            {"max_interval"},
		`{"kind":"fixed","interval":"1h","max_attempts":-1}`:               {"max_attempts"},
		`{"kind":"fixed","interval":"1h","max_attempts":1000001}`:          {"max_attempts"},
		`{"kind":"fixed","interval":"1h","max_age":"16801h"}`:              {"max_age"},
		`{"kind":"fixed","interval":"1h","jitter":1.1}`:                    {"jitter"},
		`{"kind":"fixed","interval":"1h","jitter":-0.1}`:                   {"jitter"},
	}
	for form, want := range cases {
		var p models.RetryPolicy
		require.NoError(t, json.Unmarshal([]byte(form), &p), form)
		require.Equal(t, want, locations(t, p.Validate()), form)
	}
	for _, p := range []models.RetryPolicy{alviere(), bridge(), aria(), thredd(), viva(), standard()} {
		require.NoError(t, p.Validate())
	}
}

// locations are the places of a validation error's faults.
func locations(t *testing.T, err error) []string {
	t.Helper()
	var e *models.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, models.CodeValidation, e.Code)
	places := make([]string, len(e.Fields))
	for i, field := range e.Fields {
		require.NotEmpty(t, field.Message)
		places[i] = field.Location
	}
	return places
}
