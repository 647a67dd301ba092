package app_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// signatureBy is what a Bridge receiver computes: HMAC-SHA256 over the raw body, keyed with the secret's text.
func signatureBy(secret string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(body)
	return fmt.Sprintf("v1=%X", mac.Sum(nil))
}

// requireSignedBy: one BridgeApi-Signature in this spelling, with one signature for each of the secrets, newest first,
// and no other.
func requireSignedBy(t *testing.T, r rawRequest, secrets ...string) {
	t.Helper()
	values := r.header("BridgeApi-Signature")
	require.Len(t, values, 1, "%q", r.lines)
	want := make([]string, 0, len(secrets))
	for _, secret := range secrets {
		want = append(want, signatureBy(secret, r.body))
	}
	require.Equal(t, strings.Join(want, ","), values[0])
	require.Regexp(t, `^v1=[0-9A-F]{64}(,v1=[0-9A-F]{64})?$`, values[0])
	altered := append([]byte(nil), r.body...)
	altered[len(altered)-1] ^= 1
	require.NotContains(t, values[0], signatureBy(secrets[0], altered))
}

func TestBRI8_EveryAttemptIsSignedOverItsRawBody(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		receiver := newRawSink(t, 500, 503, 200)
		app := w.bridge()
		hook := w.webhook(app, receiver.url, nil)
		secret := hook["secret"].(string)
		_, ids := w.published(app, `{"type":"item.created","payload":{ "s": "<&> Ελ\u00e9", "n": 100.50 }}`)
		for range 3 {
			r := receiver.await(t)
			requireSignedBy(t, r, secret)
			require.Contains(t, string(r.body), `{ "s": "<&> Ελ\u00e9", "n": 100.50 }`)
		}
		w.becomes(ids[0], "succeeded")
		w.call("POST", "/v1/invocations/"+ids[0]+"/redeliver", nil, 202)
		requireSignedBy(t, receiver.await(t), secret)
		w.call("POST", "/v1/subscriptions/"+hook["id"].(string)+"/test", nil, 202)
		requireSignedBy(t, receiver.await(t), secret)
	})
}

// rotated gives the webhook a new secret and returns it.
func (w *world) rotated(hook, body string) string {
	w.t.Helper()
	return w.call("POST", "/v1/subscriptions/"+hook+"/rotate-secret", body, 200)["secret"].(string)
}

func TestBRI8_ARotatedSecretSignsBesideTheNewOneAndNeverMoreThanTwo(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		receiver := newRawSink(t, 200)
		app := w.bridge()
		made := w.webhook(app, receiver.url, nil)
		hook, first := made["id"].(string), made["secret"].(string)
		signed := func(secrets ...string) {
			t.Helper()
			w.item(app, "item.created", 1)
			requireSignedBy(t, receiver.await(t), secrets...)
		}
		signed(first)
		second := w.rotated(hook, `{}`) // for 24 h
		signed(second, first)
		third := w.rotated(hook, `{"overlap":"24h"}`)
		signed(third, second)
		fourth := w.rotated(hook, `{"overlap":"0s"}`)
		signed(fourth)
		fifth := w.rotated(hook, `{"overlap":"100ms"}`)
		over := time.After(200 * time.Millisecond)
		require.Len(t, map[string]bool{first: true, second: true, third: true, fourth: true, fifth: true}, 5)
		<-over
		signed(fifth)

		path := "/v1/subscriptions/" + hook + "/rotate-secret"
		require.Equal(t, []string{"overlap"}, w.refusedAt("POST", path, `{"overlap":"-1s"}`))
		require.Equal(t, []string{"overlap"}, w.refusedAt("POST", path, `{"overlap":"169h"}`))
		signed(fifth)
	})
}
