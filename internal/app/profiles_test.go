package app_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/internal/app"
)

// acmePay is docs/profiles.md's invented provider: its file, the event that is published there and the body that
// arrives, whose id is "{id}" here.
func acmePay(t *testing.T) (file, event, body string) {
	t.Helper()
	text, err := os.ReadFile("../../docs/profiles.md")
	require.NoError(t, err)
	cut := func(from, to string) string {
		_, rest, found := strings.Cut(string(text), from)
		require.True(t, found, from)
		part, _, found := strings.Cut(rest, to)
		require.True(t, found, to)
		return part
	}
	head, body, found := strings.Cut(cut("```http\n", "\n```"), "\n\n")
	require.True(t, found)
	_, id, found := strings.Cut(head, "webhook-id: ")
	require.True(t, found)
	id, _, _ = strings.Cut(id, "\n")
	return cut("```yaml\n", "```\n"), cut("Published as `", "`,"), strings.Replace(body, id, "{id}", 1)
}

func profilesDir(t *testing.T, file string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "acme-pay.yaml"), []byte(file), 0o600))
	return dir
}

func TestSixthProviderFromTheDocumentationDelivers(t *testing.T) {
	t.Parallel()
	file, event, body := acmePay(t)
	for name, database := range databases(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := embedded(t)
			cfg.ProfilesDir, cfg.DatabaseURL = profilesDir(t, file), database(t)
			w := start(t, cfg, everything)
			receiver, shop := newSink(t), w.call("POST", "/v1/applications",
				object{"name": "Shop", "profile": "acme-pay", "external_id": "shop"}, 201)
			sub := w.acmeSubscription(shop, receiver)

			receiver.answers(status(500, 202)...)
			before := len(receiver.got())
			id, invocations := w.published(shop["id"].(string), event)
			require.Len(t, invocations, 1)
			got := receiver.await(before + 2)[before:]
			for i, r := range got {
				want := strings.Replace(strings.Replace(body, "{id}", id, 1), `"retries":0`, fmt.Sprintf(`"retries":%d`, i), 1)
				require.Equal(t, want, string(r.body))
				mac := hmac.New(sha256.New, []byte(sub["secret"].(string)))
				mac.Write(r.body)
				require.Equal(t, fmt.Sprintf("v1=%X", mac.Sum(nil)), r.header.Get("AcmePay-Signature"))
				require.Equal(t, "k1", r.header.Get("X-Gateway-Key"))
				require.Equal(t, id, r.header.Get("webhook-id"))
			}
			w.becomes(invocations[0], "succeeded")
			w.acmeRefusals(shop["id"].(string))
		})
	}
}

// acmeSubscription subscribes the receiver with a retry that a test can wait for, and verifies it.
func (w *world) acmeSubscription(shop object, receiver *sink) object {
	w.t.Helper()
	sub := w.subscription(shop["id"].(string), receiver.URL, object{
		"event_types": []any{2001, "payment.returned"}, "headers": object{"X-Gateway-Key": "k1"},
		"delivery": object{"retry": object{"kind": "fixed", "interval": "20ms", "max_attempts": 3}},
	})
	require.Equal(w.t, "unverified", sub["status"])
	verify := "/v1/subscriptions/" + sub["id"].(string) + "/verify"
	w.call("POST", verify, nil, 422)
	receiver.answers(answer{status: 200, body: fmt.Sprintf(`{"acme_key":%q}`, w.tokenOf(shop["id"].(string)))})
	w.call("POST", verify, nil, 200)
	return sub
}

// acmeRefusals are the events that the example's schema and its suppress rule are about, and a third header.
func (w *world) acmeRefusals(shop string) {
	w.t.Helper()
	_, none := w.published(shop,
		`{"type":"payment.settled","payload":{"payment":{"id":"card-check"},"amount":0,"currency":"EUR"}}`)
	require.Empty(w.t, none, "suppressed")
	refused := w.call("POST", "/v1/applications/"+shop+"/events",
		`{"type":2001,"payload":{"payment":{},"amount":1,"currency":"CHF"}}`, 422)
	require.Equal(w.t, "payload/currency", refused["errors"].([]any)[0].(map[string]any)["location"])
	w.call("POST", "/v1/applications/"+shop+"/subscriptions", object{
		"url": "https://example.com/", "event_types": []int{2001}, "headers": object{"A": "1", "B": "2", "C": "3"},
	}, 422)
}

func TestAServerWithABrokenProfileFileDoesNotStart(t *testing.T) {
	t.Parallel()
	file, _, _ := acmePay(t)
	cfg := external(t, "sqlite:"+filepath.Join(t.TempDir(), "posthorn.db"), "127.0.0.1:1")
	cfg.ProfilesDir = profilesDir(t, strings.Replace(file, "timeout: 5s", "timeout: 5m", 1))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	_, err := app.Start(ctx, cfg, app.Roles{API: true}, "test", quietLog())
	require.ErrorContains(t, err, filepath.Join(cfg.ProfilesDir, "acme-pay.yaml")+":23: timeout must be 100ms to 60s")
}
