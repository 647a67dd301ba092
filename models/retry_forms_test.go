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
		"age beyond counting": {Kind: models.RetryFixed, Interval: d("10ms"), MaxAge: d("16800h")},
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
