package posthorn_test

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	webhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/require"

	posthorn "github.com/posthorn/posthorn/clients/go"
)

const (
	secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	other  = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	text   = `{"amount": 100.50}`
)

// signed is a delivery that the library of Standard Webhooks signed.
func signed(t *testing.T, at time.Time) http.Header {
	t.Helper()
	library, err := webhooks.NewWebhook(secret)
	require.NoError(t, err)
	signature, err := library.Sign("id-1", at, []byte(text))
	require.NoError(t, err)
	return headers("Webhook-Id", "id-1", "Webhook-Timestamp", strconv.FormatInt(at.Unix(), 10), "Webhook-Signature", signature)
}

func headers(pairs ...string) http.Header {
	header := http.Header{}
	for i := 0; i < len(pairs); i += 2 {
		header.Set(pairs[i], pairs[i+1])
	}
	return header
}

func TestStandardWebhooks(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_795_288_620, 0)
	v := posthorn.Verifier{
		Scheme: posthorn.SchemeStandard, Secrets: []string{other, secret}, Now: func() time.Time { return now },
	}
	require.NoError(t, v.Verify(signed(t, now), []byte(text)))
	require.NoError(t, v.Verify(signed(t, now.Add(-5*time.Minute)), []byte(text)))
	require.ErrorContains(t, v.Verify(signed(t, now), []byte(text+" ")), "no signature")
	require.EqualError(t, v.Verify(signed(t, now.Add(-301*time.Second)), []byte(text)),
		"webhook-timestamp is 5m1s from now, more than 5m0s")
	require.ErrorContains(t, v.Verify(signed(t, now.Add(301*time.Second)), []byte(text)), "5m1s")
	require.EqualError(t, v.Verify(headers(), []byte(text)), `webhook-timestamp "" is not a number of seconds`)

	for name, value := range map[string]string{"Webhook-Id": "id-2", "Webhook-Timestamp": "1795288621", "Webhook-Signature": "v1,AAAA"} {
		header := signed(t, now)
		header.Set(name, value)
		require.ErrorContains(t, v.Verify(header, []byte(text)), "no signature", name)
	}
	v.Secrets = []string{other}
	require.ErrorContains(t, v.Verify(signed(t, now), []byte(text)), "another secret")
	v.Secrets = []string{"whsec_"}
	require.EqualError(t, v.Verify(signed(t, now), []byte(text)), "the secret is not whsec_ and base64")
}

func TestStandardWebhooksByPublicKey(t *testing.T) {
	t.Parallel()
	public, private, err := ed25519.GenerateKey(nil)
	require.NoError(t, err)
	now := time.Now()
	stamp := strconv.FormatInt(now.Unix(), 10)
	signature := "v1,AAAA v1a," + base64.StdEncoding.EncodeToString(ed25519.Sign(private, []byte("id-1."+stamp+"."+text)))
	header := headers("Webhook-Id", "id-1", "Webhook-Timestamp", stamp, "Webhook-Signature", signature)
	v := posthorn.Verifier{
		Scheme: posthorn.SchemeStandard, PublicKeys: []string{"whpk_" + base64.StdEncoding.EncodeToString(public)},
	}
	require.NoError(t, v.Verify(header, []byte(text)))
	require.ErrorContains(t, v.Verify(header, []byte("{}")), "no signature")
	v.PublicKeys = []string{"whpk_AAAA"}
	require.ErrorContains(t, v.Verify(header, []byte(text)), "32 bytes")
}

func TestHexSignatures(t *testing.T) {
	t.Parallel()
	sign := func(key string) string {
		mac := hmac.New(sha256.New, []byte(key))
		mac.Write([]byte(text))
		return fmt.Sprintf("v1=%X", mac.Sum(nil))
	}
	v := posthorn.Verifier{Scheme: posthorn.SchemeHMACHex, Header: "BridgeApi-Signature", Secrets: []string{"one"}}
	by := func(value string) http.Header { return headers("Bridgeapi-Signature", value) }
	require.NoError(t, v.Verify(by(sign("one")), []byte(text)))
	require.NoError(t, v.Verify(by(sign("two")+","+sign("one")), []byte(text)))
	require.ErrorContains(t, v.Verify(by(sign("one")), []byte("{}")), "no signature")
	require.ErrorContains(t, v.Verify(by(sign("two")), []byte(text)), "no signature")
	require.ErrorContains(t, v.Verify(by(strings.TrimPrefix(sign("one"), "v1=")), []byte(text)), "no signature")
	require.EqualError(t, v.Verify(by(""), []byte(text)), "the header BridgeApi-Signature is missing")
	v.Secrets = []string{""}
	require.EqualError(t, v.Verify(by(sign("")), []byte(text)), "the secret is empty")
}

func TestHeadersThatProve(t *testing.T) {
	t.Parallel()
	v := posthorn.Verifier{Headers: map[string]string{"Alviere-Auth": "key"}}
	require.NoError(t, v.Verify(headers("Alviere-Auth", "key"), nil))
	require.EqualError(t, v.Verify(headers("Alviere-Auth", "kex"), nil), "the header Alviere-Auth has another value")
	require.EqualError(t, v.Verify(headers(), nil), "the header Alviere-Auth is missing")
	require.Error(t, v.Verify(http.Header{"Alviere-Auth": {"key", "key"}}, nil))
	require.ErrorContains(t, v.Verify(headers("Alviere-Auth", "key", "Webhook-Timestamp", "1"), nil), "from now")

	require.ErrorIs(t, new(posthorn.Verifier).Verify(headers("Alviere-Auth", "key"), nil), posthorn.ErrNothingToVerify)
	v = posthorn.Verifier{Scheme: "none", Secrets: []string{"a"}}
	require.ErrorContains(t, v.Verify(headers(), nil), "has no signature")
}
