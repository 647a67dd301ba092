package app_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestF37_RetryAfterPostponesTheNextAttempt(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		for _, test := range []struct {
			status   int
			value    string
			from, to time.Duration
		}{
			{503, "3600", time.Hour, time.Hour + time.Second},
			{429, time.Now().Add(2 * time.Hour).UTC().Format(http.TimeFormat), 2*time.Hour - time.Minute, 2*time.Hour + time.Second},
			{503, "315360000", 24 * time.Hour, 24*time.Hour + time.Second}, // ten years: the profile's cap
			{503, "1e300", 5 * time.Second, 6 * time.Second},               // nonsense: the policy's own delay, with its jitter
		} {
			receiver := newSink(w.t, answer{status: test.status, header: http.Header{"Retry-After": {test.value}}})
			application := w.application("standard", "")
			w.subscription(application, receiver.URL, nil)
			event, invocations := w.published(application, `{"type":"a.b","payload":{}}`)

			shown := w.becomes(invocations[0], "retrying")

			ended := instant(w.t, w.logs(invocations[0])[0]["finished_at"])
			next := instant(w.t, shown["next_attempt_at"])
			require.GreaterOrEqual(w.t, next.Sub(ended), test.from, test.value)
			require.LessOrEqual(w.t, next.Sub(ended), test.to, test.value)
			require.WithinDuration(w.t, next, w.nextOf(event), time.Second, "Temporal waits as long")
			require.Len(w.t, receiver.got(), 1)
		}
	})
}

// nextOf is when Temporal runs the activity of an event's workflow again.
func (w *world) nextOf(event string) (next time.Time) {
	w.t.Helper()
	require.Eventually(w.t, func() bool {
		shown, err := w.app.TemporalClient().DescribeWorkflowExecution(w.t.Context(), "event/"+event, "")
		if err != nil || len(shown.GetPendingActivities()) == 0 {
			return false
		}
		activity := shown.GetPendingActivities()[0]
		next = activity.GetScheduledTime().AsTime()
		return activity.GetAttempt() > 1 || next.After(time.Now())
	}, patience, 20*time.Millisecond)
	return next
}
