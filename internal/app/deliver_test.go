package app_test

import (
	"bytes"
	"fmt"
	"os"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/require"
)

func TestStandardDeliveriesVerifyWithTheStandardWebhooksLibrary(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		receiver := newSink(t, status(503, 200)...)
		app := w.application("standard", `{"retry":{"kind":"fixed","interval":"20ms","max_attempts":5}}`)
		sub := w.subscription(app, receiver.URL+"/hook?a=1", nil)
		payload := `{"amount": 100.50, "n": 9007199254740993, "s": "<&> Ελ", "dup": 1, "dup": 2}`
		w.publish(app, `{"type":"invoice.paid","payload":`+payload+`}`)

		got := receiver.await(2)
		verifier, err := standardwebhooks.NewWebhook(sub["secret"].(string))
		require.NoError(t, err)
		for _, r := range got {
			require.Equal(t, payload, string(r.body))
			require.Equal(t, "POST", r.method)
			require.Equal(t, "/hook?a=1", r.target)
			require.NoError(t, verifier.Verify(r.body, r.header))
		}
		require.Equal(t, got[0].header.Get("webhook-id"), got[1].header.Get("webhook-id"))
	})
}

func TestRotatedSecretSignsTogetherWithTheOldOne(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		receiver := newSink(t)
		app := w.application("standard", "")
		sub := w.subscription(app, receiver.URL, nil)
		rotated := w.call("POST", "/v1/subscriptions/"+sub["id"].(string)+"/rotate-secret", `{"overlap":"1h"}`, 200)
		w.publish(app, `{"type":"a.b","payload":{}}`)

		got := receiver.await(1)[0]
		for _, secret := range []any{sub["secret"], rotated["secret"]} {
			verifier, err := standardwebhooks.NewWebhook(secret.(string))
			require.NoError(t, err)
			require.NoError(t, verifier.Verify(got.body, got.header))
		}
		w.call("POST", "/v1/subscriptions/"+sub["id"].(string)+"/rotate-secret", `{"overlap":"0s"}`, 200)
		w.publish(app, `{"type":"a.b","payload":{}}`)
		got = receiver.await(2)[1]
		verifier, err := standardwebhooks.NewWebhook(rotated["secret"].(string))
		require.NoError(t, err)
		require.Error(t, verifier.Verify(got.body, got.header), "a secret that was rotated without overlap still signs")
	})
}

// VIV-4, 5, 6, 7, 8, 9: the samples in Viva's documentation, by their own bytes.
func TestVIV4_VIV5_VIV6_VIV7_VIV8_VIV9_SamplesArriveByteForByte(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		v := w.viva("")
		receiver := newSink(t)
		for _, eventType := range []int{1796, 1797} {
			v.webhook(receiver, eventType)
		}
		for eventType, file := range map[string]string{"1796": "viva_1796.json", "1797": "viva_1797.json"} {
			data, err := os.ReadFile("../demo/testdata/" + file) // Viva's samples, byte for byte
			require.NoError(t, err)
			data = bytes.TrimSpace(data)
			before := len(receiver.posts())
			w.publish(v.app, fmt.Sprintf(
				`{"type":%s,"occurred_at":"2014-06-18T14:20:30.45+03:00","payload":%s}`, eventType, data))
			require.Eventually(t, func() bool { return len(receiver.posts()) > before }, patience, 5*time.Millisecond)
			want := `{"EventData":` + string(data) + `,"EventTypeId":` + eventType + `,"Created":"2014-06-18T14:20:30.45+03:00"}`
			require.Equal(t, want, string(receiver.posts()[before].body))
		}
		require.Contains(t, string(receiver.posts()[0].body)+string(receiver.posts()[1].body), "100.50")
		require.Contains(t, string(receiver.posts()[0].body), "776027772607")
		require.Contains(t, string(receiver.posts()[0].body), "Viva Ηλεκτρονικές Υπηρεσίες")
	})
}

func TestALV4_THR10_AcceptNeverWaitsForTheReceiver(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		receiver := newSink(t, answer{hang: true})
		app := w.application("standard", `{"timeout":"2s"}`)
		w.subscription(app, receiver.URL, nil)
		began := time.Now()
		w.publish(app, `{"type":"a.b","payload":{}}`)
		require.Less(t, time.Since(began), 500*time.Millisecond)
		receiver.await(1)
	})
}

func TestARI10_ARI11_EveryAttemptIsOnRecord(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		receiver := newSink(t, answer{status: 400, body: "bad sig"}, answer{hang: true}, answer{status: 200})
		app := w.application("aria",
			`{"timeout":"300ms","retry":{"kind":"schedule","delays":["20ms","20ms","20ms"]}}`)
		w.loans(app, receiver.URL)
		event, ids := w.published(app, `{"type":"loan.updated","payload":{"id":"L"}}`)
		done := w.becomes(ids[0], "succeeded")
		require.EqualValues(t, 3, done["attempts"])
		require.Nil(t, done["next_attempt_at"])
		require.Equal(t, event, done["event_id"])

		logs := w.logs(ids[0])
		require.Len(t, logs, 3)
		require.EqualValues(t, 400, logs[0]["status_code"])
		require.Equal(t, "status", logs[0]["error"].(map[string]any)["code"])
		require.Equal(t, "bad sig", logs[0]["response"].(map[string]any)["body"])
		require.Nil(t, logs[1]["status_code"])
		require.Equal(t, "timeout", logs[1]["error"].(map[string]any)["code"])
		require.Equal(t, "succeeded", logs[2]["outcome"])
		for i, entry := range logs {
			require.EqualValues(t, i+1, entry["number"])
			require.Equal(t, string(receiver.got()[i].body), entry["request"].(map[string]any)["body"])
			require.Equal(t, receiver.URL, entry["url"])
			started, finished := timeOf(t, entry["started_at"]), timeOf(t, entry["finished_at"])
			require.WithinDuration(t, receiver.got()[i].at, started, time.Second)
			require.False(t, finished.Before(started), "attempt %d ended before it began", i+1)
			if i > 0 {
				earlier := timeOf(t, logs[i-1]["finished_at"])
				require.GreaterOrEqual(t, started.Sub(earlier), 19*time.Millisecond, "attempt %d", i+1) // the log's times are cut to milliseconds
			}
		}
		require.GreaterOrEqual(t, timeOf(t, logs[1]["finished_at"]).Sub(timeOf(t, logs[1]["started_at"])), 299*time.Millisecond)
	})
}

func TestBRI19_ExhaustedPolicyFailsAndStaysReadable(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		receiver := newSink(t, status(500)...)
		app := w.application("standard", `{"retry":{"kind":"exponential","initial":"20ms","factor":2,"max_attempts":4}}`)
		w.subscription(app, receiver.URL, nil)
		_, ids := w.published(app, `{"type":"a.b","payload":{}}`)
		failed := w.becomes(ids[0], "failed")
		require.EqualValues(t, 4, failed["attempts"])
		require.Nil(t, failed["next_attempt_at"])
		got := receiver.await(4)
		want := 20 * time.Millisecond
		for i := range 3 {
			gap := got[i+1].at.Sub(got[i].at)
			require.GreaterOrEqual(t, gap, want)
			require.Less(t, gap, want+3*time.Second, "retry %d came late", i+1) // of a machine that others use, too
			want *= 2
		}
		receiver.quiet(200 * time.Millisecond)
	})
}
