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
	url := r.add("/p/e", []step{503, 204})
	for _, id := range []string{"one", "two"} {
		for _, want := range []int{503, 204, 204} {
			got, _ := send(t.Context(), t, http.MethodPost, url, id, "body of "+id)
			require.Equal(t, want, got)
		}
	}
	require.Equal(t, []hit{{body: "body of one"}, {body: "body of one"}, {body: "body of one"}}, r.take("/p/e", "one"))
	require.Empty(t, r.take("/p/e", "one"))
	got, _ := send(t.Context(), t, http.MethodPost, r.url+"/elsewhere", "one", "")
	require.Equal(t, http.StatusNotFound, got)
}

func TestReceiverHangsUntilTheSenderGivesUp(t *testing.T) {
	t.Parallel()
	r := startTestReceiver(t)
	url := r.add("/p/e", []step{hang, 204})
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
	url := r.add("/p/e", []step{200})
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
	require.Equal(t, genuine, verify(testSecret, header, `{"a": 1.50}`))
	require.Equal(t, forged, verify(testSecret, header, `{"a": 1.5}`))
	require.Equal(t, forged, verify(testSecret, http.Header{}, `{"a": 1.50}`))
	require.Equal(t, unsigned, verify("", http.Header{}, ""))
}
