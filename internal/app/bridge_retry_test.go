package app_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// instant reads a time of an answer.
func instant(t *testing.T, value any) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339, value.(string))
	require.NoError(t, err)
	return at
}

// previewOf asks what the profile's own retry policy amounts to.
func (w *world) previewOf(profile string) (delays []time.Duration, attempts int, total time.Duration) {
	w.t.Helper()
	retry := w.call("GET", "/v1/profiles/"+profile, nil, 200)["retry"]
	preview := w.call("POST", "/v1/retry-policies/preview", object{"retry": retry}, 200)
	for _, text := range preview["delays"].([]any) {
		delay, err := time.ParseDuration(text.(string))
		require.NoError(w.t, err)
		delays = append(delays, delay)
	}
	total, err := time.ParseDuration(preview["total"].(string))
	require.NoError(w.t, err)
	return delays, int(preview["attempts"].(float64)), total
}

// The policy in real hours, attempt by attempt, is in workflows (TestBRI19_BRI20_…).
func TestBRI19_RetriesEndBetweenOneAndTwoDays(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		delays, attempts, total := w.previewOf("bridge")
		require.Equal(t, 12, attempts)
		require.Len(t, delays, 11)
		var sum time.Duration
		for _, delay := range delays {
			sum += delay
		}
		require.Equal(t, total, sum)
		require.Equal(t, 34*time.Hour+7*time.Minute, total)
		require.GreaterOrEqual(t, total, 24*time.Hour)
		require.LessOrEqual(t, total, 48*time.Hour)
	})
}

func TestBRI19_WhatIsUsedUpIsNotTriedAgain(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		receiver := newSink(t, status(500)...)
		app := w.application("bridge",
			`{"retry":{"kind":"exponential","initial":"200ms","factor":2,"max_attempts":12,"max_age":"1s"}}`)
		w.webhook(app, receiver.URL, nil)
		failed := w.becomes(w.item(app, "item.created", 1)[0], "failed")
		require.Nil(t, failed["next_attempt_at"])
		receiver.quiet(time.Second)
		got := receiver.got()
		require.GreaterOrEqual(t, len(got), 2)
		require.LessOrEqual(t, len(got), 3, "the fourth attempt would have been due after 1.4 s")
		require.InDelta(t, len(got), failed["attempts"], 0)
	})
}

func TestBRI20_DelaysDoubleFromOneMinute(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		delays, _, _ := w.previewOf("bridge")
		want := time.Minute
		for _, delay := range delays {
			require.Equal(t, want, delay)
			want *= 2
		}

		receiver := newSink(t, status(500)...)
		app := w.application("bridge", "") // the profile's own policy
		w.webhook(app, receiver.URL, nil)
		id := w.item(app, "item.created", 1)[0]
		due := instant(t, w.becomes(id, "retrying")["next_attempt_at"])
		finished := instant(t, w.logs(id)[0]["finished_at"])
		require.InDelta(t, time.Minute, due.Sub(finished), float64(5*time.Millisecond))

		w.call("POST", "/v1/invocations/"+id+"/redeliver", nil, 202)
		require.Eventually(t, func() bool { return len(w.logs(id)) == 2 }, patience, 10*time.Millisecond)
		require.Equal(t, due, instant(t, w.invocation(id)["next_attempt_at"]), "a redelivery is not one of the twelve")
	})
}
