package models_test

import (
	"encoding/json"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/posthorn/posthorn/models"
)

func TestDurationText(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"20ms": "20ms", "2m": "2m", "120s": "2m", "72h": "72h", "1h30m": "1h30m", "90m0s": "1h30m",
		"1h0m5s": "1h0m5s", "10m": "10m", "0": "0s", "0s": "0s", "1.5s": "1.5s", "100h10m": "100h10m",
	} {
		var parsed models.Duration
		require.NoError(t, parsed.UnmarshalText([]byte(text)))
		got, err := parsed.MarshalText()
		require.NoError(t, err)
		require.Equal(t, want, string(got))
	}
	for _, text := range []string{"", "5", "-1s", "1 h", "1d", "9999999999h", "NaN"} {
		var parsed models.Duration
		require.Error(t, parsed.UnmarshalText([]byte(text)), text)
	}
}

func TestDurationRoundTrips(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := models.Duration(rapid.Int64Range(0, math.MaxInt64).Draw(t, "ns"))
		raw, err := json.Marshal(want)
		require.NoError(t, err)
		var got models.Duration
		require.NoError(t, json.Unmarshal(raw, &got))
		require.Equal(t, want, got)
	})
}

func TestSuccessForms(t *testing.T) {
	t.Parallel()
	cases := []struct {
		form, written string
		yes, no       []int
	}{
		{`"2xx"`, `"2xx"`, []int{200, 204, 299}, []int{0, 100, 199, 300, 404, 500}},
		{`"200"`, `"200"`, []int{200}, []int{201, 204, 302}},
		{`200`, `"200"`, []int{200}, []int{201}},
		{`[200,202]`, `[200,202]`, []int{200, 202}, []int{201, 204}},
		{`["200",404]`, `[200,404]`, []int{200, 404}, []int{201}},
	}
	for _, c := range cases {
		var s models.Success
		require.NoError(t, json.Unmarshal([]byte(c.form), &s), c.form)
		require.False(t, s.IsZero())
		for _, status := range c.yes {
			require.True(t, s.Matches(status), "%s %d", c.form, status)
		}
		for _, status := range c.no {
			require.False(t, s.Matches(status), "%s %d", c.form, status)
		}
		raw, err := json.Marshal(s)
		require.NoError(t, err)
		require.Equal(t, c.written, string(raw))
	}
}

func TestSuccessRefusesOtherForms(t *testing.T) {
	t.Parallel()
	for _, form := range []string{
		`null`, `true`, `{}`, `""`, `"3xx"`, `"ok"`, `199`, `600`, `200.5`, `1e300`, `[]`, `["2xx"]`, `[[200]]`, `"x200"`,
	} {
		var s models.Success
		require.Error(t, json.Unmarshal([]byte(form), &s), form)
	}
	require.True(t, models.Success{}.IsZero())
	require.False(t, models.Success{}.Matches(200))
}

func TestOrderingForms(t *testing.T) {
	t.Parallel()
	for form, want := range map[string]models.Ordering{
		`"none"`:                         {Kind: models.OrderingNone},
		`"fifo"`:                         {Kind: models.OrderingFIFO},
		`{"kind":"fifo","key":"entity"}`: {Kind: models.OrderingFIFO, Key: "entity"},
		`{"kind":"latest_wins","scope":"entity"}`: {Kind: models.OrderingLatestWins, Scope: "entity"},
	} {
		var got models.Ordering
		require.NoError(t, json.Unmarshal([]byte(form), &got))
		require.Equal(t, want, got)
	}
}

func TestStoredSpecRoundTripsUnderOneDigest(t *testing.T) {
	t.Parallel()
	spec := &models.Spec{
		Envelope: []models.EnvelopeMember{{Key: "a<b>", Value: models.ValuePayload}},
		Time:     models.TimeAsGiven, Signing: models.Signing{Scheme: models.SigningNone},
		Success: models.SuccessCodes(200, 202), Timeout: models.Duration(time.Second), Retry: standard(),
		TestEvent: models.TestEvent{Type: `"T"`, Payload: "{\"x\": 1.50,\n\"e\":\"Ελ<&>\"}"},
	}
	stored, err := spec.Store()
	require.NoError(t, err)
	read, err := stored.Spec()
	require.NoError(t, err)
	require.Equal(t, spec, read)
	again, err := read.Store()
	require.NoError(t, err)
	require.Equal(t, stored, again)
	read.Timeout++
	other, err := read.Store()
	require.NoError(t, err)
	require.NotEqual(t, stored.Digest, other.Digest)
}
