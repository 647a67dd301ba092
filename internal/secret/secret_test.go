package secret

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// sequence is a reader of the bytes n, n+1, …
func sequence(n byte) *counter { return &counter{next: n} }

type counter struct{ next byte }

func (c *counter) Read(b []byte) (int, error) {
	for i := range b {
		b[i], c.next = c.next, c.next+1
	}
	return len(b), nil
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errors.New("no entropy") }

func TestGeneratedSecretsHaveTheirForm(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		make func() (string, error)
		form string
	}{
		"webhook":   {NewWebhookSecret, `^whsec_[A-Za-z0-9+/]{43}=$`},
		"handshake": {NewHandshakeKey, `^[0-9A-F]{40}$`},
		"text":      {NewTextSecret, `^[A-Za-z0-9_-]{43}$`},
		"operator":  {func() (string, error) { return NewOperatorKey(), nil }, `^ph_operator_[A-Z2-7]{52}$`},
		"master":    {func() (string, error) { return GenerateMasterKey(), nil }, `^[A-Za-z0-9+/]{43}=$`},
	} {
		first, err := c.make()
		require.NoError(t, err)
		second, err := c.make()
		require.NoError(t, err)
		require.Regexp(t, c.form, first, name)
		require.NotEqual(t, first, second, name)
	}
}

func TestGeneratorsUseTheirReaderAndReportItsError(t *testing.T) {
	t.Parallel()
	got, err := webhookSecret(sequence(0))
	require.NoError(t, err)
	require.Equal(t, "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", got)
	got, err = handshakeKey(sequence(0xf0))
	require.NoError(t, err)
	require.Equal(t, "F0F1F2F3F4F5F6F7F8F9FAFBFCFDFEFF00010203", got)

	_, err = webhookSecret(broken{})
	require.Error(t, err)
	_, err = handshakeKey(broken{})
	require.Error(t, err)
	_, err = textSecret(broken{})
	require.Error(t, err)
	_, _, err = ed25519Pair(broken{})
	require.Error(t, err)
}

func TestEd25519PairSigns(t *testing.T) {
	t.Parallel()
	private, public, err := NewEd25519()
	require.NoError(t, err)
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(private, "whsk_"))
	require.NoError(t, err)
	pub, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(public, "whpk_"))
	require.NoError(t, err)
	require.Len(t, key, ed25519.PrivateKeySize)
	require.True(t, ed25519.Verify(pub, []byte("x"), ed25519.Sign(key, []byte("x"))))

	again, _, err := ed25519Pair(sequence(0))
	require.NoError(t, err)
	same, _, err := ed25519Pair(sequence(0))
	require.NoError(t, err)
	require.Equal(t, again, same)
}

// The published key of Standard Webhooks has the form that NewEd25519 makes.
func TestEd25519FormIsThatOfTheStandard(t *testing.T) {
	t.Parallel()
	const private = "6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg=="
	key, err := base64.StdEncoding.DecodeString(private)
	require.NoError(t, err)
	gotPrivate, gotPublic, err := ed25519Pair(bytes.NewReader(key[:32]))
	require.NoError(t, err)
	require.Equal(t, "whsk_"+private, gotPrivate)
	require.Equal(t, "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=", gotPublic)
}

var _ fmt.Stringer = APIKey{}

func TestPatternFindsKeysInText(t *testing.T) {
	t.Parallel()
	key, err := NewAPIKey("operator")
	require.NoError(t, err)
	found := regexp.MustCompile(APIKeyPattern).FindString("Authorization: Bearer " + key.Text + "\n")
	require.Equal(t, key.Text, found)
}
