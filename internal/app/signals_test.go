package app_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// anHour is a policy whose first retry is far away.
const anHour = `{"retry":{"kind":"fixed","interval":"1h","max_attempts":5}}`

func TestRedeliverDuringBackoffAttemptsAtOnceAndEndsTheSchedule(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		receiver := newSink(t, status(500, 503, 200)...)
		app := w.application("standard", anHour)
		w.subscription(app, receiver.URL, nil)
		_, ids := w.published(app, `{"type":"a.b","payload":{}}`)
		waiting := w.becomes(ids[0], "retrying")

		w.call("POST", "/v1/invocations/"+ids[0]+"/redeliver", nil, 202)
		receiver.await(2)
		require.Eventually(t, func() bool { return len(w.logs(ids[0])) == 2 }, patience, 10*time.Millisecond)
		failed := w.invocation(ids[0])
		require.Equal(t, "retrying", failed["status"], "a redelivery that failed changed the status")
		require.Equal(t, waiting["next_attempt_at"], failed["next_attempt_at"], "and the schedule")

		w.call("POST", "/v1/invocations/"+ids[0]+"/redeliver", `{}`, 202)
		done := w.becomes(ids[0], "succeeded")
		require.Nil(t, done["next_attempt_at"])
		require.EqualValues(t, 3, done["attempts"])
		require.Equal(t, "redeliver", w.logs(ids[0])[2]["trigger"])
		w.workflowCloses(done["workflow_id"].(string))
	})
}

func TestRedeliverOfAClosedInvocationStartsANewRun(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		receiver := newSink(t, status(200)...)
		app := w.application("standard", "")
		w.subscription(app, receiver.URL, nil)
		_, ids := w.published(app, `{"type":"a.b","payload":{"x": 1.0}}`)
		workflowID := w.becomes(ids[0], "succeeded")["workflow_id"].(string)
		first := w.workflowCloses(workflowID)

		w.call("POST", "/v1/invocations/"+ids[0]+"/redeliver", nil, 202)
		got := receiver.await(2)
		require.Equal(t, got[0].body, got[1].body)
		require.Equal(t, got[0].header.Get("webhook-id"), got[1].header.Get("webhook-id"))
		require.Eventually(t, func() bool { return w.workflowCloses(workflowID) != first }, patience, 20*time.Millisecond,
			"the redelivery was no run of its own")
	})
}

func TestRedeliverBeforeTheFirstAttemptIsDue(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		receiver := newSink(t)
		app := w.application("standard", "")
		w.subscription(app, receiver.URL, nil)
		_, ids := w.published(app, `{"type":"a.b","payload":{},"not_before":"`+inAnHour()+`"}`)
		require.Equal(t, "pending", w.invocation(ids[0])["status"])
		w.call("POST", "/v1/invocations/"+ids[0]+"/redeliver", nil, 202)
		w.becomes(ids[0], "succeeded")
		receiver.quiet(100 * time.Millisecond)
	})
}

func inAnHour() string { return time.Now().Add(time.Hour).UTC().Format(time.RFC3339) }

func TestCancelDuringBackoffEndsItWithoutAnotherRequest(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		receiver := newSink(t, status(500)...)
		app := w.application("standard", `{"retry":{"kind":"fixed","interval":"500ms","max_attempts":50}}`)
		w.subscription(app, receiver.URL, nil)
		_, ids := w.published(app, `{"type":"a.b","payload":{}}`)
		workflowID := w.becomes(ids[0], "retrying")["workflow_id"].(string)
		w.call("POST", "/v1/invocations/"+ids[0]+"/cancel", nil, 202)
		cancelled := w.invocation(ids[0])
		require.Equal(t, "cancelled", cancelled["status"])
		require.Nil(t, cancelled["next_attempt_at"])
		receiver.quiet(700 * time.Millisecond)
		w.workflowCloses(workflowID)
		w.call("POST", "/v1/invocations/"+ids[0]+"/cancel", nil, 409)
	})
}

func TestTHR21_CancelledBeforeItIsDueNeverFires(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		receiver := newSink(t)
		app := w.application("standard", "")
		w.subscription(app, receiver.URL, nil)
		soon := time.Now().Add(1500 * time.Millisecond).UTC().Format(time.RFC3339Nano)
		event, ids := w.published(app, `{"type":"a.b","payload":{},"not_before":"`+soon+`"}`)
		_, others := w.published(app, `{"type":"a.c","payload":{},"not_before":"`+soon+`"}`)
		w.call("POST", "/v1/events/"+event+"/cancel", nil, 202)
		require.Equal(t, "cancelled", w.invocation(ids[0])["status"])
		w.becomes(others[0], "succeeded")
		receiver.quiet(200 * time.Millisecond)
		require.Len(t, receiver.got(), 1)
	})
}

func TestForeignInvocationsAreNotFound(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		receiver := newSink(t, status(500)...)
		app := w.application("standard", anHour)
		w.subscription(app, receiver.URL, nil)
		_, ids := w.published(app, `{"type":"a.b","payload":{}}`)
		stranger := w.application("standard", "")
		key := w.call("POST", "/v1/applications/"+stranger+"/keys", `{"role":"admin","name":"stranger"}`, 201)["key"]
		other := w.as(key.(string))
		for _, action := range []string{"redeliver", "cancel"} {
			problem := other.call("POST", "/v1/invocations/"+ids[0]+"/"+action, nil, 404)
			require.Equal(t, "not_found", problem["code"])
		}
		other.call("GET", "/v1/invocations/"+ids[0], nil, 404)
	})
}

func TestVIV32_DisabledSubscriptionPausesAndResumes(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		receiver := newSink(t, status(500)...)
		app := w.application("standard", `{"retry":{"kind":"fixed","interval":"300ms","max_attempts":500}}`)
		sub := "/v1/subscriptions/" + w.subscription(app, receiver.URL, nil)["id"].(string)
		_, ids := w.published(app, `{"type":"a.b","payload":{}}`)
		w.becomes(ids[0], "retrying")
		require.Equal(t, "disabled", w.call("POST", sub+"/disable", nil, 200)["status"])
		require.Equal(t, "paused", w.invocation(ids[0])["status"])
		require.Empty(t, w.publish(app, `{"type":"a.b","payload":{}}`)["invocations"])
		receiver.quiet(time.Second)
		receiver.answers(status(200)...)
		w.call("POST", sub+"/enable", nil, 200)
		w.becomes(ids[0], "succeeded")
	})
}

func TestDeletedSubscriptionGetsNothingMore(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		receiver := newSink(t, status(500)...)
		app := w.application("standard", `{"retry":{"kind":"fixed","interval":"200ms","max_attempts":500}}`)
		sub := w.subscription(app, receiver.URL, nil)["id"].(string)
		_, ids := w.published(app, `{"type":"a.b","payload":{}}`)
		w.becomes(ids[0], "retrying")
		w.call("DELETE", "/v1/subscriptions/"+sub, nil, 204)
		ended := w.invocation(ids[0])
		require.Equal(t, "cancelled", ended["status"])
		require.Equal(t, "subscription_deleted", ended["reason"])
		receiver.quiet(500 * time.Millisecond)
		w.call("GET", "/v1/subscriptions/"+sub, nil, 404)
	})
}

func TestBRI10_TestEventIsSentOnce(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		receiver := newSink(t, status(500)...)
		app := w.application("standard", "")
		sub := w.subscription(app, receiver.URL, object{"event_types": []string{"other.type"}})["id"].(string)
		id := w.call("POST", "/v1/subscriptions/"+sub+"/test", nil, 202)["invocation_id"].(string)
		failed := w.becomes(id, "failed")
		require.Nil(t, failed["event_id"])
		require.EqualValues(t, 1, failed["attempts"])
		require.Equal(t, "test", w.logs(id)[0]["trigger"])
		require.JSONEq(t, `{"type":"webhook.test"}`, string(receiver.got()[0].body))
	})
}
