package app_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestVIV22_Only200IsSuccess(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		elsewhere := newSink(t)
		receiver := newSink(t, append(status(201, 202, 204),
			answer{status: 302, header: http.Header{"Location": {elsewhere.URL + "/away"}}}, answer{status: 200})...)
		v := w.viva(every(20, 9))
		v.webhook(receiver, 1796)
		done := v.messageBecomes(v.fired(), 1, 5)
		var codes []any
		for _, d := range done["deliveries"].([]any) {
			codes = append(codes, d.(map[string]any)["statusCode"])
		}
		require.Equal(t, []any{201.0, 202.0, 204.0, 302.0, 200.0}, codes)
		receiver.quiet(200 * time.Millisecond)
		require.NotContains(t, elsewhere.targets(), "/away", "a redirect was followed")
	})
}

func TestVIV23_AnythingElseIsRetried(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		v := w.viva(`{"timeout":"300ms"}`)
		refused := newSink(t)
		receivers := []*sink{
			newSink(t, status(404)...), newSink(t, status(401)...), newSink(t, status(500)...), newSink(t, answer{hang: true}),
			refused,
		}
		for _, receiver := range receivers {
			v.webhook(receiver, 1796)
		}
		refused.Close()
		ids := v.fire(1796)
		require.Len(t, ids, len(receivers))
		codes := map[any]bool{}
		for _, id := range ids {
			m := v.messageBecomes(id, 2, 1)
			require.NotNil(t, m["nextRetry"], m["url"])
			require.Equal(t, "retrying", v.invocation(id)["status"])
			codes[m["statusCode"]] = true
		}
		require.Equal(t, map[any]bool{404.0: true, 401.0: true, 500.0: true, nil: true}, codes)
		require.Len(t, v.listed("eventTypeId=1796&responseStatus=2"), len(receivers))
	})
}

func TestVIV24_TheNextRetryIsAnHourAfterTheAttempt(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		v, receiver := w.viva(""), newSink(t, status(500)...)
		v.webhook(receiver, 1796)
		id := v.fired()
		m := v.messageBecomes(id, 2, 1)
		finished := timeOf(t, v.logs(id)[0]["finished_at"])
		require.WithinDuration(t, finished.Add(time.Hour), timeOf(t, m["nextRetry"]), 2*time.Millisecond)
		require.Equal(t, m["nextRetry"], v.invocation(id)["next_attempt_at"])

		policy := v.call("GET", "/v1/profiles/viva", nil, 200)["retry"]
		preview := v.call("POST", "/v1/retry-policies/preview", object{"retry": policy}, 200)
		require.Len(t, preview["delays"], 72)
		for _, delay := range preview["delays"].([]any) {
			gap, err := time.ParseDuration(delay.(string))
			require.NoError(t, err)
			require.Equal(t, time.Hour, gap)
		}
		require.EqualValues(t, 73, preview["attempts"])
		total, err := time.ParseDuration(preview["total"].(string))
		require.NoError(t, err)
		require.Equal(t, 72*time.Hour, total)
	})
}

// The hours are in workflows; here are the profile's 73 attempts, one after the other.
func TestVIV25_GivesUpAfterTheInitialAttemptAnd72Retries(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		v, receiver := w.viva(every(10, 73)), newSink(t, status(500)...)
		v.webhook(receiver, 1796)
		id := v.fired()
		done := v.messageBecomes(id, 2, 73)
		require.Nil(t, done["nextRetry"])
		require.Equal(t, "failed", v.invocation(id)["status"])
		receiver.quiet(300 * time.Millisecond)
		require.Len(t, receiver.posts(), 73)
	})
}

func TestVIV25_A200OnRetry40IsTheLastAttempt(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		script := make([]answer, 40)
		for i := range script {
			script[i].status = 500
		}
		v, receiver := w.viva(every(10, 73)), newSink(t, append(script, answer{status: 200})...)
		v.webhook(receiver, 1796)
		require.Nil(t, v.messageBecomes(v.fired(), 1, 41)["nextRetry"])
		receiver.quiet(300 * time.Millisecond)
		require.Len(t, receiver.posts(), 41)
	})
}
