package delivery_test

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/internal/delivery"
	"github.com/posthorn/posthorn/internal/egress"
	"github.com/posthorn/posthorn/models"
)

// answer is a client that gives one answer and keeps what it was asked.
type answer struct {
	response egress.Response
	asked    egress.Request
}

func (a *answer) Do(_ context.Context, r egress.Request) egress.Response {
	a.asked = r
	return a.response
}

func senderOf(client delivery.Client) *delivery.Sender {
	s := delivery.NewSender(client, "1.2.3")
	now := moment()
	s.Now = func() time.Time { now = now.Add(time.Second); return now }
	return s
}

func claimOf(t *testing.T, name, wire string) *models.Claim {
	t.Helper()
	return &models.Claim{
		InvocationID: "inv", EventID: "evt", Number: 3, Trigger: models.TriggerScheduled, Wire: wire,
		AcceptedAt: moment(), Payload: []byte(`{"a": 1.50}`), URL: "https://example.com/hook?q=1",
		Spec: &profile(t, name).Spec, Secrets: models.Secrets{
			Signing:     []models.SigningSecret{{Symmetric: vectorSecret, Private: vectorPrivate}},
			SecurityKey: "k1", Headers: nil,
		},
	}
}

func TestSendAsksForTheAttempt(t *testing.T) {
	t.Parallel()
	client := &answer{response: egress.Response{
		StatusCode: 200, Headers: http.Header{"B": {"2", "1"}, "A": {"x"}}, Body: []byte("ok"), Truncated: true,
	}}
	result := senderOf(client).Send(t.Context(), claimOf(t, "alviere", `"ACCOUNT"`))
	require.Equal(t, http.MethodPost, client.asked.Method)
	require.Equal(t, "https://example.com/hook?q=1", client.asked.URL)
	require.Equal(t, 10*time.Second, client.asked.Timeout)
	require.Contains(t, string(client.asked.Body), `"event_retry":2,`)
	require.Contains(t, client.asked.Headers, egress.Header{Name: "Alviere-Auth", Value: "k1"})

	require.Equal(t, models.Result{
		StartedAt: moment().Add(time.Second), FinishedAt: moment().Add(2 * time.Second),
		Outcome: models.AttemptSucceeded, StatusCode: 200, ResponseBody: []byte("ok"), Truncated: true,
		RequestHeaders: []models.Header{
			{Name: "Content-Type", Value: "application/json"},
			{Name: "User-Agent", Value: "Posthorn/1.2.3"},
			{Name: "Alviere-Auth", Value: "***"},
		},
		ResponseHeaders: []models.Header{{Name: "A", Value: "x"}, {Name: "B", Value: "2"}, {Name: "B", Value: "1"}},
	}, result)
}

func TestALV20_BRI18_StatusesAreJudgedByTheProfile(t *testing.T) {
	t.Parallel()
	for name, wins := range map[string][]int{"alviere": {200}, "viva": {200}, "bridge": {200, 201, 202, 204, 205, 206, 299}} {
		for _, status := range []int{200, 201, 202, 204, 205, 206, 299, 301, 302, 304, 400, 401, 404, 410, 429, 500, 503, 999} {
			client := &answer{response: egress.Response{StatusCode: status}}
			result := senderOf(client).Send(t.Context(), claimOf(t, name, `1`))
			require.Equal(t, status, result.StatusCode)
			require.False(t, result.Gone)
			if slices.Contains(wins, status) {
				require.Equal(t, models.AttemptSucceeded, result.Outcome, "%s %d", name, status)
				require.Nil(t, result.Error)
				continue
			}
			require.Equal(t, models.AttemptFailed, result.Outcome, "%s %d", name, status)
			require.Equal(t, models.AttemptStatus, result.Error.Code)
			require.Contains(t, result.Error.Message, "the receiver answered ")
		}
	}
}

func TestF35_F36_GoneAndRetryAfterWhereTheProfileSaysSo(t *testing.T) {
	t.Parallel()
	later := http.Header{"Retry-After": {"7200"}}
	gone := senderOf(&answer{response: egress.Response{StatusCode: 410}}).Send(t.Context(), claimOf(t, "standard", `"x"`))
	require.True(t, gone.Gone)
	require.Equal(t, "the receiver answered 410", gone.Error.Message)
	for name, want := range map[string]time.Duration{"standard": 2 * time.Hour, "viva": 0} {
		client := &answer{response: egress.Response{StatusCode: 429, Headers: later}}
		require.Equal(t, want, senderOf(client).Send(t.Context(), claimOf(t, name, `1`)).RetryAfter)
	}
	ok := senderOf(&answer{response: egress.Response{StatusCode: 200, Headers: later}}).Send(t.Context(), claimOf(t, "standard", `1`))
	require.Zero(t, ok.RetryAfter)
}

func TestFailuresKeepTheirCode(t *testing.T) {
	t.Parallel()
	for code, want := range map[egress.Code]models.AttemptErrorCode{
		egress.CodeTimeout: models.AttemptTimeout, egress.CodeDNS: models.AttemptDNS,
		egress.CodeConnect: models.AttemptConnect, egress.CodeTLS: models.AttemptTLS,
		egress.CodeBlockedURL: models.AttemptBlockedURL, egress.CodeResponse: models.AttemptResponse,
		egress.CodeInterrupted: models.AttemptInterrupted, "new": models.AttemptResponse,
	} {
		client := &answer{response: egress.Response{Failure: &egress.Failure{Code: code, Message: "why"}}}
		result := senderOf(client).Send(t.Context(), claimOf(t, "viva", `1796`))
		require.Equal(t, models.AttemptFailed, result.Outcome)
		require.Equal(t, &models.AttemptError{Code: want, Message: "why"}, result.Error)
		require.Zero(t, result.StatusCode)
	}
}

func TestAFailureWithAStatusIsNoSuccess(t *testing.T) {
	t.Parallel()
	failure := &egress.Failure{Code: egress.CodeResponse, Message: "why"}
	client := &answer{response: egress.Response{StatusCode: 200, Failure: failure}}
	require.Equal(t, models.AttemptFailed, senderOf(client).Send(t.Context(), claimOf(t, "viva", `1`)).Outcome)
}

func TestWhatCannotBeRenderedIsAFailureOfOurs(t *testing.T) {
	t.Parallel()
	client := &answer{}
	claim := claimOf(t, "standard", `"x"`)
	claim.Secrets.Signing[0].Symmetric = "whsec_not base64"
	result := senderOf(client).Send(t.Context(), claim)
	require.Empty(t, client.asked.URL, "nothing is sent unsigned")
	require.Equal(t, models.AttemptFailed, result.Outcome)
	require.Equal(t, models.AttemptInterrupted, result.Error.Code)
	require.Equal(t, "nothing was sent: the subscription's signing secret cannot be read", result.Error.Message)
	require.NotNil(t, result.RequestHeaders)
	require.True(t, result.FinishedAt.After(result.StartedAt))
}

// Over a real connection: the spelling of headers and the bytes of the body.
func TestOnTheWire(t *testing.T) {
	t.Parallel()
	var listen net.ListenConfig
	listener, err := listen.Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, listener.Close()) })
	received := make(chan string, 1)
	go func() { received <- oneRequest(listener) }()

	client, err := egress.New(egress.Config{AllowHTTP: true, AllowCIDRs: egress.LoopbackCIDRs()})
	require.NoError(t, err)
	t.Cleanup(client.Close)
	claim := claimOf(t, "bridge", `"item.created"`)
	claim.URL = "http://" + listener.Addr().String() + "/hook?q=1"
	result := senderOf(client).Send(t.Context(), claim)
	require.Equal(t, models.AttemptSucceeded, result.Outcome, "%+v", result.Error)
	require.Equal(t, 204, result.StatusCode)

	got := <-received
	require.True(t, strings.HasPrefix(got, "POST /hook?q=1 HTTP/1.1\r\n"), got)
	for _, line := range []string{
		"BridgeApi-Signature: v1=", "webhook-id: evt\r\n", "webhook-timestamp: 1795288621\r\n",
		"User-Agent: Posthorn/1.2.3\r\n", "Content-Type: application/json\r\n",
		"\r\n\r\n{\"content\":{\"a\": 1.50},\"timestamp\":1795288620,\"type\":\"item.created\"}",
	} {
		require.Contains(t, got, line)
	}
}

// oneRequest reads a request as it came, answers 204 and returns it.
func oneRequest(listener net.Listener) string {
	connection, err := listener.Accept()
	if err != nil {
		return err.Error()
	}
	defer func() { _ = connection.Close() }()
	var raw bytes.Buffer
	request, err := http.ReadRequest(bufio.NewReader(io.TeeReader(connection, &raw)))
	if err != nil {
		return err.Error()
	}
	if _, err := io.Copy(io.Discard, request.Body); err != nil {
		return err.Error()
	}
	_, _ = connection.Write([]byte("HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"))
	return raw.String()
}
