package demo

import (
	"context"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	webhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/require"
)

const testSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

const bridgeSignature = "v1=3B1FFA7938292A592C57A9366394D79FA03D01FBB29DB2993A85DCF01AC47442"

func startTestReceiver(t *testing.T) *receiver {
	t.Helper()
	r, err := startReceiver(t.Context())
	require.NoError(t, err)
	t.Cleanup(r.close)
	return r
}

func send(ctx context.Context, t *testing.T, method, url, id, body string) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	require.NoError(t, err)
	request.Header.Set("Webhook-Id", id)
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, ""
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	return answer.StatusCode, string(text)
}

func TestReceiverAnswersEachEventByTheScript(t *testing.T) {
	t.Parallel()
	r := startTestReceiver(t)
	url := r.add("/p/e", endpoint{script: []step{503, 204}}, "")
	for _, id := range []string{"one", "two"} {
		for _, want := range []int{503, 204, 204} {
			got, _ := send(t.Context(), t, http.MethodPost, url, id, "body of "+id)
			require.Equal(t, want, got)
		}
	}
	require.Equal(t, []hit{{body: "body of one"}, {body: "body of one"}, {body: "body of one"}}, r.take("/p/e", "one"))
	require.Empty(t, r.take("/p/e", "one"))
	require.Equal(t, []string{"one", "two"}, r.takeArrivals("/p/e"))
	require.Empty(t, r.takeArrivals("/p/e"))
	got, _ := send(t.Context(), t, http.MethodPost, r.url+"/elsewhere", "one", "")
	require.Equal(t, http.StatusNotFound, got)
}

func TestReceiverKnowsAnEventByItsBodyWhereTheProfileSaysSo(t *testing.T) {
	t.Parallel()
	r := startTestReceiver(t)
	url := r.add("/p/e", endpoint{
		script: []step{200}, exceptions: []exception{{text: `"CREATED"`, script: []step{500, 200}}},
	}, "event_uuid")
	for _, c := range []struct {
		body string
		want int
	}{
		{`{"event_uuid":"one","entity":"CREATED"}`, 500},
		{`{"event_uuid":"two","entity":"SETTLED"}`, 200},
		{`{"event_uuid":"one","entity":"CREATED"}`, 200},
		{`{"event_uuid":3}`, 200},
		{`none`, 200},
	} {
		got, _ := send(t.Context(), t, http.MethodPost, url, "a header that nobody reads", c.body)
		require.Equal(t, c.want, got, c.body)
	}
	require.Len(t, r.take("/p/e", "one"), 2)
	require.Len(t, r.take("/p/e", "two"), 1)
	require.Equal(t, []string{"one", "two", "one", ""}, r.takeArrivals("/p/e"))
}

func TestReceiverHangsUntilTheSenderGivesUp(t *testing.T) {
	t.Parallel()
	r := startTestReceiver(t)
	url := r.add("/p/e", endpoint{script: []step{hang, 204}}, "")
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	got, _ := send(ctx, t, http.MethodPost, url, "one", "{}")
	require.Zero(t, got)
	require.ErrorIs(t, ctx.Err(), context.DeadlineExceeded)
	got, _ = send(t.Context(), t, http.MethodPost, url, "one", "{}")
	require.Equal(t, http.StatusNoContent, got)
}

func TestReceiverAnswersTheHandshake(t *testing.T) {
	t.Parallel()
	r := startTestReceiver(t)
	url := r.add("/p/e", endpoint{script: []step{200}}, "")
	got, _ := send(t.Context(), t, http.MethodGet, url, "", "")
	require.Equal(t, http.StatusMethodNotAllowed, got)
	require.NoError(t, r.answerHandshake("/p/e", "Key", "B3248222FDCD1885AEAFE51CCC1B5607F00903F6"))
	got, text := send(t.Context(), t, http.MethodGet, url, "", "")
	require.Equal(t, http.StatusOK, got)
	require.JSONEq(t, `{"Key":"B3248222FDCD1885AEAFE51CCC1B5607F00903F6"}`, text)
}

func TestVerifyAgreesWithTheStandardWebhooksLibrary(t *testing.T) {
	t.Parallel()
	library, err := webhooks.NewWebhook(testSecret)
	require.NoError(t, err)
	now := time.Now()
	signature, err := library.Sign("msg_1", now, []byte(`{"a": 1.50}`))
	require.NoError(t, err)
	header := http.Header{}
	header.Set("Webhook-Id", "msg_1")
	header.Set("Webhook-Timestamp", strconv.FormatInt(now.Unix(), 10))
	header.Set("Webhook-Signature", "v1a,bm90IG91cnM= "+signature)
	p := proof{scheme: "standard-webhooks", secret: testSecret}
	require.Equal(t, genuine, p.verify(header, `{"a": 1.50}`))
	require.Equal(t, forged, p.verify(header, `{"a": 1.5}`))
	require.Equal(t, forged, p.verify(http.Header{}, `{"a": 1.50}`))
	require.Equal(t, forged, proof{scheme: "standard-webhooks"}.verify(header, `{"a": 1.50}`))
	require.Equal(t, unproven, proof{}.verify(http.Header{}, ""))
}

// The signature is of `openssl dgst -sha256 -hmac 'the newest secret'`.
func TestVerifyOfHexSignatures(t *testing.T) {
	t.Parallel()
	p := proof{scheme: "hmac-sha256-hex", header: "BridgeApi-Signature", secret: "the newest secret"}
	for given, want := range map[string]verdict{
		bridgeSignature:                  genuine,
		"v1=00," + bridgeSignature:       genuine,
		strings.ToLower(bridgeSignature): forged,
		bridgeSignature + "00":           forged,
		"":                               forged,
	} {
		require.Equal(t, want, p.verify(http.Header{"Bridgeapi-Signature": {given}}, `{"a":1}`), given)
	}
	require.Equal(t, forged, p.verify(http.Header{"Bridgeapi-Signature": {bridgeSignature}}, `{"a":2}`))
	require.Equal(t, forged, proof{scheme: "rsa"}.verify(http.Header{}, ""), "a scheme that the demo cannot check")
}

func TestVerifyOfKeys(t *testing.T) {
	t.Parallel()
	p := settings{SecurityKey: "k1", Headers: map[string]string{"X-Api-Key": "k2"}}.proof(profileWithKey("Alviere-Auth"), "")
	require.Equal(t, genuine, p.verify(http.Header{"Alviere-Auth": {"k1"}, "X-Api-Key": {"k2"}}, ""))
	require.Equal(t, forged, p.verify(http.Header{"Alviere-Auth": {"k2"}, "X-Api-Key": {"k2"}}, ""))
	require.Equal(t, forged, p.verify(http.Header{"Alviere-Auth": {"k1"}}, ""))
}

func profileWithKey(header string) (p profile) {
	p.Auth.SecurityKeyHeader = header
	return p
}
