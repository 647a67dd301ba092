package demo

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The digests are of what the providers' documentation shows, from brace to brace: EventData of Viva's two samples
// and payload of Aria's. (Bridge's has lost its indentation on the way to us, the others show none.)
func TestSamplesAreTheDocumentationsBytes(t *testing.T) {
	t.Parallel()
	for file, want := range map[string]string{
		"viva_1796.json":    "57c10f3241451bdcbca84eaf9461460183281305792fb4c651ec1e74b11635f5",
		"viva_1797.json":    "509f3bbc4039629433acf7a69f9d8143ea917c2fabfa13596279c6ffbf98f084",
		"aria_advance.json": "566170fd3a14d9c4b9c04077de3a25c4a374ce9912d0900b0fcec1e3e1e68bc8",
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
		require.True(t, scene.overrides == "" || json.Valid([]byte(scene.overrides)), scene.profile)
		for _, s := range scene.samples {
			if s.test != "" {
				continue
			}
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
	body, err := viva.samples[0].body(viva.envelope, "some-id", "shop", 0)
	require.NoError(t, err)
	require.Equal(t, `{"EventData":`+string(payload)+`,"EventTypeId":1796,"Created":"2014-06-18T14:20:30.45+03:00"}`, body)

	alviere := alviereScenario()
	payload, err = alviere.samples[0].payload()
	require.NoError(t, err)
	body, err = alviere.samples[0].body(alviere.envelope, "some-id", "shop", 3)
	require.NoError(t, err)
	require.Equal(t, `{"event_uuid":"some-id","program_uuid":"shop","event_date":"2021-06-17T11:02:08.143Z","event_retry":3,`+
		`"event_type":"WALLET_TRANSACTION","event_version":"2021-11-18.1","entity":`+string(payload)+`}`, body)

	// The test event of Bridge's documentation is the whole body; an event with its content and time looks like it.
	bridge := bridgeScenario()
	constant, err := bridge.samples[0].body(bridge.envelope, "some-id", "shop", 0)
	require.NoError(t, err)
	body, err = bridge.samples[1].body(bridge.envelope, "some-id", "shop", 0)
	require.NoError(t, err)
	require.JSONEq(t, constant, strings.Replace(body, "item.created", "TEST_EVENT", 1))
}

func TestEveryEndpointButTheEndlessEndsWell(t *testing.T) {
	t.Parallel()
	for _, scene := range scenarios() {
		require.True(t, slices.ContainsFunc(scene.samples, func(s sample) bool { return !s.endless }), scene.profile)
		require.Equal(t, "succeeded", scene.samples[len(scene.samples)-1].ending(), scene.profile)
		for _, e := range scene.endpoints {
			last := e.script[len(e.script)-1]
			require.Equal(t, !e.endless, last >= 200 && last <= 204, e.name)
		}
	}
}
