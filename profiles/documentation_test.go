package profiles_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/profiles"
)

// documentation reads docs/profiles.md and the example in it.
func documentation(t *testing.T) (page, example string) {
	t.Helper()
	text, err := os.ReadFile("../docs/profiles.md")
	require.NoError(t, err)
	_, rest, found := strings.Cut(string(text), "```yaml\n")
	require.True(t, found)
	example, _, found = strings.Cut(rest, "```\n")
	require.True(t, found)
	return string(text), example
}

func TestTheDocumentedExampleIsAProfile(t *testing.T) {
	t.Parallel()
	_, example := documentation(t)
	p, err := profiles.Parse("acme-pay.yaml", []byte(example))
	require.NoError(t, err)
	require.Equal(t, "acme-pay", p.Name)
	_, err = profiles.New("", p)
	require.NoError(t, err, "it goes with the built-in ones")
	require.NoError(t, p.CheckPayload("payment.settled", []byte(p.TestEvent.Payload)))
	require.Equal(t, []string{"payload/amount", "payload/currency"},
		places(t, p.CheckPayload("payment.settled", []byte(`{"payment":{},"amount":-1,"currency":"CHF"}`))))
	require.True(t, p.Suppressed("payment.settled", []byte(`{"payment":{"id":"card-check"},"amount":0.00}`)))
	require.False(t, p.Suppressed("payment.settled", []byte(`{"payment":{"id":"card-check"},"amount":0.01}`)))
	id, err := p.EntityID("given", []byte(`{"payment":{"id":"p_1"}}`))
	require.NoError(t, err)
	require.Equal(t, "p_1", id)
}

func TestTheDocumentedFaultsAreTheRealOnes(t *testing.T) {
	t.Parallel()
	page, example := documentation(t)
	for _, edit := range [][2]string{
		{"timeout: 5s", "timeout: 5m"},
		{"delays: [10s,", "delays: [10s, 1ms,"},
		{"- type: payment.settled", "- type: payment.setled"},
	} {
		require.Contains(t, example, edit[0])
		example = strings.Replace(example, edit[0], edit[1], 1)
	}
	_, err := profiles.Parse("acme-pay.yaml", []byte(example))
	require.Error(t, err)
	_, block, found := strings.Cut(page, "acme-pay.yaml cannot be used:\n")
	require.True(t, found)
	block, _, _ = strings.Cut(block, "\n```")
	require.Equal(t, err.Error(), block)
}

func TestTheDocumentationNamesEveryKnob(t *testing.T) {
	t.Parallel()
	page, _ := documentation(t)
	raw, err := json.Marshal(profile(t, "viva"))
	require.NoError(t, err)
	for _, knob := range keysOf(t, raw) {
		require.Equal(t, 1, strings.Count(page, "\n| `"+knob+"` |"), knob)
	}
}
