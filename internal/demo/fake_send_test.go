package demo

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	webhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/require"
)

func (f *fakePosthorn) list(r *http.Request) any {
	items := []*fakeInvocation{}
	for _, i := range f.invocations {
		if i.Application == r.PathValue("app") {
			f.work(i)
			items = append(items, i)
		}
	}
	return map[string]any{"items": items}
}

// work makes an attempt of an open invocation that nothing stands before, and abandons what it overtakes.
func (f *fakePosthorn) work(i *fakeInvocation) {
	if i.settled() {
		return
	}
	before := f.openBefore(i)
	if i.profile == "alviere" && len(before) > 0 && !f.disorder {
		i.Status = "queued"
		return
	}
	f.attempt(i)
	if i.profile != "aria" || i.Status != "succeeded" {
		return
	}
	for _, older := range before {
		older.Status, older.NextAttemptAt, older.Reason = cmp.Or(f.overtaken, "abandoned"), nil, "superseded by "+i.ID
	}
}

// openBefore are the older open invocations of the same subscription.
func (f *fakePosthorn) openBefore(i *fakeInvocation) (open []*fakeInvocation) {
	for _, other := range f.invocations {
		if other == i {
			return open
		}
		if other.to == i.to && !other.settled() {
			open = append(open, other)
		}
	}
	return open
}

// attempt sends the invocation; nothing comes of a hanging receiver within 50 ms.
func (f *fakePosthorn) attempt(i *fakeInvocation) {
	body := strings.Replace(i.body, "{retry}", fmt.Sprint(len(i.logs)), 1)
	if f.spoil != nil {
		body = f.spoil(body)
	}
	started := time.Now()
	status := f.post(i, body)
	a := attempt{Number: len(i.logs) + 1, StartedAt: started, FinishedAt: time.Now(), Outcome: "failed"}
	next := time.Now().Add(time.Second)
	i.Status, i.NextAttemptAt = "retrying", &next
	switch only200 := i.profile == "viva" || i.profile == "alviere"; {
	case status == 0:
		a.Error = &fault{Code: "timeout", Message: "no answer"}
	case status == 200 || status < 300 && !only200:
		a.Outcome, a.StatusCode = "succeeded", &status
		i.Status, i.NextAttemptAt = "succeeded", nil
	default:
		a.StatusCode = &status
	}
	i.logs = append(i.logs, a)
	i.Attempts = len(i.logs)
}

func (f *fakePosthorn) post(i *fakeInvocation, body string) int {
	client := &http.Client{Timeout: 50 * time.Millisecond}
	request, err := http.NewRequestWithContext(f.t.Context(), http.MethodPost, i.to.URL, strings.NewReader(body))
	require.NoError(f.t, err)
	switch i.profile {
	case "standard":
		signStandard(f.t, request, i.eventID, body)
	case "alviere":
		request.Header.Set("Alviere-Auth", i.to.SecurityKey)
	case "bridge":
		mac := hmac.New(sha256.New, []byte(i.to.Secret))
		mac.Write([]byte(body))
		request.Header.Set("BridgeApi-Signature", fmt.Sprintf("v1=%X", mac.Sum(nil)))
	}
	if i.profile != "alviere" {
		request.Header.Set("Webhook-Id", i.eventID)
	}
	for name, value := range i.to.Headers {
		request.Header.Set(name, value)
	}
	answer, err := client.Do(request)
	if err != nil {
		return 0
	}
	_ = answer.Body.Close()
	return answer.StatusCode
}

func signStandard(t *testing.T, request *http.Request, id, body string) {
	t.Helper()
	library, err := webhooks.NewWebhook(testSecret)
	require.NoError(t, err)
	now := time.Now()
	signature, err := library.Sign(id, now, []byte(body))
	require.NoError(t, err)
	request.Header.Set("Webhook-Timestamp", fmt.Sprint(now.Unix()))
	request.Header.Set("Webhook-Signature", signature)
}
