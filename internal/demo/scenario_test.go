package demo

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// The digests are of the EventData of both samples in Viva's documentation, from its brace to its brace.
func TestVivaSamplesAreTheDocumentationsBytes(t *testing.T) {
	t.Parallel()
	for file, want := range map[string]string{
		"viva_1796.json": "57c10f3241451bdcbca84eaf9461460183281305792fb4c651ec1e74b11635f5",
		"viva_1797.json": "509f3bbc4039629433acf7a69f9d8143ea917c2fabfa13596279c6ffbf98f084",
	} {
		text, err := sample{file: file}.payload()
		require.NoError(t, err)
		sum := sha256.Sum256(text)
		require.Equal(t, want, hex.EncodeToString(sum[:]), file)
	}
}

func TestRequestsCarryPayloadsByteForByte(t *testing.T) {
	t.Parallel()
	for _, scene := range scenarios() {
		require.True(t, json.Valid([]byte(scene.overrides)), scene.profile)
		for _, s := range scene.samples {
			request, err := s.request()
			require.NoError(t, err)
			var got struct {
				Type       json.RawMessage `json:"type"`
				OccurredAt string          `json:"occurred_at"`
				Payload    json.RawMessage `json:"payload"`
			}
			require.NoError(t, json.Unmarshal(request, &got), s.name)
			want, err := s.payload()
			require.NoError(t, err)
			require.Equal(t, string(want), string(got.Payload))
			require.Equal(t, s.wire, string(got.Type))
			require.Equal(t, s.occurredAt, got.OccurredAt)
		}
	}
}

func TestBodyIsTheProvidersEnvelope(t *testing.T) {
	t.Parallel()
	viva := vivaScenario()
	payload, err := viva.samples[0].payload()
	require.NoError(t, err)
	body, err := viva.samples[0].body(viva.envelope, "some-id")
	require.NoError(t, err)
	require.Equal(t, `{"EventData":`+string(payload)+`,"EventTypeId":1796,"Created":"2014-06-18T14:20:30.45+03:00"}`, body)
}

func TestEveryEndpointButTheEndlessEndsWell(t *testing.T) {
	t.Parallel()
	for _, scene := range scenarios() {
		require.True(t, slices.ContainsFunc(scene.samples, func(s sample) bool { return !s.endless }), scene.profile)
		for _, e := range scene.endpoints {
			last := e.script[len(e.script)-1]
			require.Equal(t, !e.endless, last == 200 || last == 204, e.name)
		}
	}
}
