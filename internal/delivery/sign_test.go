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

// The published vectors of Standard Webhooks: the HMAC one is in every reference library, the ed25519 one in
// svix-server's worker.rs.
const (
	vectorID      = "msg_p5jXN8AQM9LWM0D4loKWxJek"
	vectorTime    = 1614265330
	vectorBody    = `{"test": 2432232314}`
	vectorSecret  = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	vectorHMAC    = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
	vectorPrivate = "whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg=="
	vectorPublic  = "1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4="
	vectorEd25519 = "v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg=="
)

// HMAC-SHA256 of {"a":1} under the secrets' text, by `openssl dgst -sha256 -hmac`.
const (
	bridgeNewest = "v1=3B1FFA7938292A592C57A9366394D79FA03D01FBB29DB2993A85DCF01AC47442"
	bridgeBefore = "v1=62936CA766D90CE0FE8A9459F0D73C97EC9CF8BAE0AF4BA7885CEA024A7E0ED6"
)

func vectorFacts(t *testing.T) delivery.Facts {
	t.Helper()
	return delivery.Facts{Spec: &profile(t, "standard").Spec, Payload: []byte(vectorBody), EventID: vectorID}
}

// headersOf are the request's headers by their exact names.
func headersOf(t *testing.T, f delivery.Facts, secrets models.Secrets, at time.Time) map[string]string {
	t.Helper()
	raw, err := delivery.Body(f)
	require.NoError(t, err)
	headers, err := delivery.Headers(f, secrets, raw, at, "Posthorn/1.2.3")
	require.NoError(t, err)
	named := map[string]string{}
	for _, h := range headers {
		require.NotContains(t, named, h.Name)
		named[h.Name] = h.Value
	}
	return named
}

func TestPublishedVectors(t *testing.T) {
	t.Parallel()
	at := time.Unix(vectorTime, 999_999_999)
	secret := models.SigningSecret{Symmetric: vectorSecret, Private: vectorPrivate}
	got := headersOf(t, vectorFacts(t), models.Secrets{Signing: []models.SigningSecret{secret}}, at)
	require.Equal(t, map[string]string{
		"Content-Type": "application/json", "User-Agent": "Posthorn/1.2.3",
		"webhook-id": vectorID, "webhook-timestamp": "1614265330",
		"webhook-signature": vectorHMAC + " " + vectorEd25519,
	}, got)

	public, err := base64.StdEncoding.DecodeString(vectorPublic)
	require.NoError(t, err)
	_, encoded, _ := strings.Cut(vectorEd25519, ",")
	signature, err := base64.StdEncoding.DecodeString(encoded)
	require.NoError(t, err)
	content := fmt.Sprintf("%s.%d.%s", vectorID, vectorTime, vectorBody)
	require.True(t, ed25519.Verify(public, []byte(content), signature))
}

// An independent verifier accepts every delivery while secrets change; each secret holds exactly as long as it should.
func TestF48_RotationOverlap(t *testing.T) {
	t.Parallel()
	oldSecret, newSecret := vectorSecret, "whsec_"+base64.StdEncoding.EncodeToString([]byte("another secret of 32 bytes......"))
	now := time.Now().Truncate(time.Second)
	var secrets models.Secrets
	secrets.Rotate(models.SigningSecret{Symmetric: oldSecret, Private: vectorPrivate}, now, 0, 2)
	secrets.Rotate(models.SigningSecret{Symmetric: newSecret}, now, time.Minute, 2)
	for _, c := range []struct {
		after          time.Duration
		oldHolds, lone bool
	}{{0, true, false}, {59 * time.Second, true, false}, {time.Minute, false, true}} {
		got := headersOf(t, vectorFacts(t), secrets, now.Add(c.after))
		headers := http.Header{}
		for name, value := range got {
			headers.Set(name, value)
		}
		require.NoError(t, verify(t, newSecret, headers))
		require.Equal(t, c.oldHolds, verify(t, oldSecret, headers) == nil)
		require.Equal(t, c.lone, !strings.Contains(got["webhook-signature"], " "))
	}
}

func verify(t *testing.T, secret string, headers http.Header) error {
	t.Helper()
	verifier, err := standardwebhooks.NewWebhook(secret)
	require.NoError(t, err)
	return verifier.Verify([]byte(vectorBody), headers)
}

// The form that Bridge's receivers expect: `v1=` and upper-case hex, joined by a comma while two secrets live.
func TestBRI8_Signature(t *testing.T) {
	t.Parallel()
	f := factsOf(profile(t, "bridge"), `"TEST_EVENT"`, `{"a":1}`)
	f.Test, f.Payload = true, []byte(`{"a":1}`) // raw: the payload is the body
	ends := moment().Add(time.Hour)
	secrets := models.Secrets{Signing: []models.SigningSecret{
		{Symmetric: "the newest secret"}, {Symmetric: "the one before", ExpiresAt: &ends},
	}}
	got := headersOf(t, f, secrets, moment())
	require.Equal(t, bridgeNewest+","+bridgeBefore, got["BridgeApi-Signature"])
	require.NotContains(t, got, "webhook-signature")
	require.NotContains(t, got, "Posthorn-Test", "the constant says itself that it is a test")
	require.Contains(t, got, "webhook-id")
	got = headersOf(t, f, secrets, ends)
	require.Equal(t, bridgeNewest, got["BridgeApi-Signature"])
}

func TestALV19_SecurityKey(t *testing.T) {
	t.Parallel()
	f := factsOf(profile(t, "alviere"), `"ACCOUNT"`, `{}`)
	got := headersOf(t, f, models.Secrets{SecurityKey: "k1"}, moment())
	require.Equal(t, map[string]string{
		"Content-Type": "application/json", "User-Agent": "Posthorn/1.2.3", "Alviere-Auth": "k1",
	}, got)
	_, err := delivery.Headers(f, models.Secrets{}, nil, moment(), "")
	require.EqualError(t, err, "the subscription has no security key")
}

func TestUnusableSecretsAreNeverLeftOut(t *testing.T) {
	t.Parallel()
	ended := moment()
	for want, secret := range map[string]*models.SigningSecret{
		"the subscription has no live signing secret":        nil,
		"the subscription has no live signing secret ":       {Symmetric: vectorSecret, ExpiresAt: &ended},
		"the subscription's signing secret cannot be read":   {Symmetric: "whsec_"},
		"the subscription's signing secret cannot be read ":  {Symmetric: "whsec_%%%"},
		"the subscription's signing secret cannot be read  ": {Private: "whsk_AAAA"},
		"the subscription has no live signing secret  ":      {},
	} {
		secrets := models.Secrets{}
		if secret != nil {
			secrets.Signing = []models.SigningSecret{*secret}
		}
		_, err := delivery.Headers(vectorFacts(t), secrets, nil, moment(), "")
		require.EqualError(t, err, strings.TrimSpace(want))
	}
	bridge := factsOf(profile(t, "bridge"), `"x"`, `{}`)
	_, err := delivery.Headers(bridge, models.Secrets{Signing: []models.SigningSecret{{}}}, nil, moment(), "")
	require.EqualError(t, err, "the subscription's signing secret cannot be read")
}

func TestCustomHeadersAndTheTestHeader(t *testing.T) {
	t.Parallel()
	f := factsOf(profile(t, "thredd"), `101`, `{}`)
	f.Test = true
	secrets := models.Secrets{Headers: []models.Header{{Name: "X-aPi-KEY", Value: "secret"}, {Name: "authorization", Value: "Bearer x"}}}
	headers, err := delivery.Headers(f, secrets, nil, moment(), "Posthorn/1")
	require.NoError(t, err)
	require.Equal(t, []models.Header{
		{Name: "Content-Type", Value: "application/json"},
		{Name: "User-Agent", Value: "Posthorn/1"},
		{Name: "webhook-id", Value: f.EventID},
		{Name: "webhook-timestamp", Value: "1795288620"},
		{Name: "X-aPi-KEY", Value: "secret"},
		{Name: "authorization", Value: "Bearer x"},
		{Name: "Posthorn-Test", Value: "true"},
	}, headers)

	masked := delivery.MaskHeaders(headers, f.Spec)
	require.Equal(t, models.Header{Name: "X-aPi-KEY", Value: "***"}, masked[4])
	require.Equal(t, models.Header{Name: "authorization", Value: "***"}, masked[5])
	require.Equal(t, "secret", headers[4].Value, "what is sent is not masked")
	for _, i := range []int{0, 1, 2, 3, 6} {
		require.Equal(t, headers[i], masked[i])
	}
}

func TestMaskHeadersOfOtherProfiles(t *testing.T) {
	t.Parallel()
	key := []models.Header{{Name: "Alviere-Auth", Value: "k1"}}
	require.Equal(t, "***", delivery.MaskHeaders(key, &profile(t, "alviere").Spec)[0].Value)
	signature := []models.Header{{Name: "BridgeApi-Signature", Value: "v1=AB"}}
	require.Equal(t, "v1=AB", delivery.MaskHeaders(signature, &profile(t, "bridge").Spec)[0].Value)
	require.Equal(t, "***", delivery.MaskHeaders(signature, &profile(t, "thredd").Spec)[0].Value)
}
