package delivery_test

import (
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/internal/delivery"
	"github.com/posthorn/posthorn/models"
)

// FuzzSignature: whatever the body, the id, the key and the time, the reference library takes what was signed, by one
// secret and during an overlap of two, and takes nothing else: no other body, id, time or secret.
func FuzzSignature(f *testing.F) {
	f.Add([]byte(vectorBody), vectorID, []byte("0123456789abcdef01234567"), int64(vectorTime))
	f.Add([]byte("\x00\xff{}"), "a.b", []byte{0}, int64(0))
	f.Add([]byte("1"), "0", []byte("k"), int64(-1))
	f.Fuzz(func(t *testing.T, payload []byte, id string, key []byte, unix int64) {
		if len(key) == 0 || models.CheckPayload(payload) != nil || id == "" || strings.ContainsAny(id, "\r\n\x00") {
			return // no event is without an id, and none has a control character in it
		}
		older := append([]byte("older"), key...)
		seed := make([]byte, ed25519.SeedSize)
		copy(seed, key)
		private := ed25519.NewKeyFromSeed(seed)
		at := time.Unix(unix%(1<<40), 0)
		facts := delivery.Facts{Spec: &profile(t, "standard").Spec, Payload: payload, EventID: id}
		named := headersOf(t, facts, models.Secrets{Signing: []models.SigningSecret{
			{Symmetric: secretOf(key), Private: "whsk_" + base64.StdEncoding.EncodeToString(private)}, {Symmetric: secretOf(older)},
		}}, at)
		header := http.Header{}
		for name, value := range named {
			header.Set(name, value)
		}
		require.NoError(t, verifies(t, key, payload, header))
		require.NoError(t, verifies(t, older, payload, header))
		require.Error(t, verifies(t, append([]byte("another"), key...), payload, header))
		require.Error(t, verifies(t, key, append([]byte(" "), payload...), header))
		require.True(t, signedBy(private.Public().(ed25519.PublicKey), fmt.Sprintf("%s.%d.%s", id, at.Unix(), payload), named["webhook-signature"]))
		for _, name := range []string{"webhook-id", "webhook-timestamp"} {
			changed := header.Clone()
			changed.Set(name, header.Get(name)+"1")
			require.Error(t, verifies(t, key, payload, changed), name)
		}
	})
}

func secretOf(key []byte) string { return "whsec_" + base64.StdEncoding.EncodeToString(key) }

// verifies leaves the age out: the library would compare it with the wall clock.
func verifies(t *testing.T, key, payload []byte, header http.Header) error {
	t.Helper()
	verifier, err := standardwebhooks.NewWebhook(secretOf(key))
	require.NoError(t, err)
	return verifier.VerifyIgnoringTimestamp(payload, header)
}

// signedBy says whether the key's own signature is among the header's.
func signedBy(public ed25519.PublicKey, content, signatures string) bool {
	for signature := range strings.FieldsSeq(signatures) {
		text, isAsymmetric := strings.CutPrefix(signature, "v1a,")
		raw, err := base64.StdEncoding.DecodeString(text)
		if isAsymmetric && err == nil && ed25519.Verify(public, []byte(content), raw) {
			return true
		}
	}
	return false
}
