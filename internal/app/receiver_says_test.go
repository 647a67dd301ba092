package app_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestF35_A410DisablesTheSubscriptionAndEndsWhatIsOpen(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		receiver, other := newSink(t, status(500, 500, 410)...), newSink(t)
		app := w.application("standard", anHour)
		sub := w.subscription(app, receiver.URL, nil)["id"].(string)
		var open []string
		for range 2 {
			_, ids := w.published(app, `{"type":"a.b","payload":{}}`)
			w.becomes(ids[0], "retrying")
			open = append(open, ids[0])
		}
		_, later := w.published(app, `{"type":"a.b","payload":{},"not_before":"`+inAnHour()+`"}`)
		_, last := w.published(app, `{"type":"a.b","payload":{}}`)

		ended := w.becomes(last[0], "cancelled")
		require.EqualValues(t, 410, ended["last_status_code"])
		require.Equal(t, "status", ended["last_error"].(map[string]any)["code"])
		for _, id := range append(open, later...) {
			require.Equal(t, "subscription_gone", w.becomes(id, "cancelled")["reason"])
			require.Nil(t, w.invocation(id)["next_attempt_at"])
		}
		require.Len(t, w.listed("/v1/applications/"+app+"/invocations?status=cancelled"), 4, "what was cancelled is listed")
		require.Equal(t, "gone", w.call("GET", "/v1/subscriptions/"+sub, nil, 200)["status"])
		require.Len(t, w.listed("/v1/applications/"+app+"/subscriptions?status=gone"), 1, "and so is the subscription")

		_, none := w.published(app, `{"type":"a.b","payload":{}}`)
		require.Empty(t, none)
		receiver.quiet(200 * time.Millisecond)
		require.Len(t, receiver.got(), 3)

		w.call("PATCH", "/v1/subscriptions/"+sub, object{"url": other.URL}, 200)
		require.Equal(t, "active", w.call("GET", "/v1/subscriptions/"+sub, nil, 200)["status"])
		_, revived := w.published(app, `{"type":"a.b","payload":{}}`)
		w.becomes(revived[0], "succeeded")
	})
}

// retryAfters are values of the header, and the least wait that they may lead to; a minute more is too long. The policy
// alone waits ten minutes; the profile honours up to 24 hours. The date is a minute late, because it is written before
// it is sent.
func retryAfters() map[string]struct {
	values []string
	least  time.Duration
} {
	const policy, limit = 10 * time.Minute, 24 * time.Hour
	date := func(in time.Duration) string { return time.Now().Add(in).UTC().Format(http.TimeFormat) }
	of := func(least time.Duration, values ...string) struct {
		values []string
		least  time.Duration
	} {
		return struct {
			values []string
			least  time.Duration
		}{values, least}
	}
	return map[string]struct {
		values []string
		least  time.Duration
	}{
		"none": of(policy), "shorter than the policy": of(policy, "120"), "F37, an hour": of(time.Hour, "3600"),
		"a date": of(time.Hour, date(time.Hour+time.Minute)), "a date in the past": of(policy, date(-time.Hour)),
		"negative": of(policy, "-3600"), "a fraction": of(policy, "3600.5"), "1e300": of(policy, "1e300"), "inf": of(policy, "inf"),
		"NaN": of(policy, "NaN"), "empty": of(policy, ""), "two": of(policy, "3600", "3600"), "ten years": of(limit, "315360000"),
		"more than an int64": of(limit, "99999999999999999999"), "a far date": of(limit, "Fri, 31 Dec 9999 23:59:59 GMT"),
	}
}

func TestF36_F37_RetryAfterIsHonouredWithinItsBounds(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		app := w.application("standard", `{"retry":{"kind":"fixed","interval":"10m","max_attempts":3}}`)
		number := 0
		for name, c := range retryAfters() {
			number++
			code := []int{429, 503}[number%2]
			receiver := newSink(t, answer{status: code, header: http.Header{"Retry-After": c.values}})
			eventType := fmt.Sprintf("t.%d", number)
			w.subscription(app, receiver.URL, object{"event_types": []string{eventType}})
			_, ids := w.published(app, `{"type":"`+eventType+`","payload":{}}`)
			waiting := w.becomes(ids[0], "retrying")
			next := timeOf(t, waiting["next_attempt_at"])
			wait := next.Sub(timeOf(t, w.logs(ids[0])[0]["finished_at"]))
			require.GreaterOrEqual(t, wait, c.least-time.Millisecond, name)
			require.LessOrEqual(t, wait, c.least+time.Minute+3*time.Second, name)
			require.Len(t, receiver.got(), 1, name)
		}
	})
}

// A receiver that closes each connection after its answer, unannounced, costs no attempt.
func TestF41_ReceiverThatClosesIdleConnections(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		closed := make(chan struct{}, 100)
		receiver := newTCPSink(t, func(c *caller) {
			answers(okHead, "Content-Length: 0\r\n\r\n")(c)
			_ = c.Close()
			closed <- struct{}{}
		})
		app := w.application("standard", anHour)
		w.subscription(app, receiver.url(), nil)
		for range 30 {
			_, ids := w.published(app, `{"type":"a.b","payload":{}}`)
			require.EqualValues(t, 1, w.becomes(ids[0], "succeeded")["attempts"])
			<-closed
		}
		require.Equal(t, 30, receiver.requests())
	})
}
