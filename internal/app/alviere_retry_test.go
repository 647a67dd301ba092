package app_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestALV21_TheFirstRetryIsDueAfter20Milliseconds(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		receiver := newSink(t, answer{status: 500}, answer{hang: true})
		app := w.application("alviere", "")
		w.account(app, receiver.URL)
		id := w.numbered(app, 1)
		receiver.await(2) // the retry is in flight and shows when it was due
		waiting := w.invocation(id)
		require.Equal(t, "retrying", waiting["status"])
		finished := timeOf(t, w.logs(id)[0]["finished_at"])
		require.Equal(t, 20*time.Millisecond, timeOf(t, waiting["next_attempt_at"]).Sub(finished))
		w.call("POST", "/v1/invocations/"+id+"/cancel", nil, 202)
	})
}

func TestALV21_TheWaitGrowsWithTheSquareOfTheRetry(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		receiver := newSink(t, status(500, 500, 500, 500, 500, 200)...)
		app := w.application("alviere", "")
		w.account(app, receiver.URL)
		id := w.numbered(app, 1)
		w.becomes(id, "succeeded")
		logs := w.logs(id)
		require.Len(t, logs, 6)
		for n := 1; n < len(logs); n++ {
			wait := timeOf(t, logs[n]["started_at"]).Sub(timeOf(t, logs[n-1]["finished_at"]))
			due := time.Duration(n*n) * 20 * time.Millisecond
			require.GreaterOrEqual(t, wait, due-time.Millisecond, "retry %d", n) // the log's times are cut to milliseconds
			require.Less(t, wait, due+3*time.Second, "retry %d", n)
		}
	})
}

func TestALV22_TheWaitStaysAtTwoMinutes(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		retry := w.call("GET", "/v1/profiles/alviere", nil, 200)["retry"]
		preview := w.call("POST", "/v1/retry-policies/preview", object{"retry": retry}, 200)
		delays := preview["delays"].([]any)
		require.Len(t, delays, 100)
		for i, text := range delays {
			got, err := time.ParseDuration(text.(string))
			require.NoError(t, err)
			require.Equal(t, min(2*time.Minute, time.Duration((i+1)*(i+1))*20*time.Millisecond), got, "retry %d", i+1)
		}
		require.Nil(t, preview["attempts"], "without an end")
		require.Nil(t, preview["total"])
	})
}

func TestALV23_RetriesGoOnUntilTheReceiverSays200(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		receiver := newSink(t, status(500)...)
		app := w.application("alviere",
			`{"retry":{"kind":"polynomial","initial":"10ms","degree":2,"max_interval":"10ms"}}`)
		sub := w.account(app, receiver.URL)
		id := w.numbered(app, 1)
		receiver.await(25)
		require.Equal(t, "retrying", w.invocation(id)["status"])
		require.Equal(t, "failing", w.call("GET", "/v1/subscriptions/"+sub, nil, 200)["status"])
		receiver.answers(answer{status: 200})
		require.Greater(t, w.becomes(id, "succeeded")["attempts"], 25.0)
		require.Equal(t, "active", w.call("GET", "/v1/subscriptions/"+sub, nil, 200)["status"])
	})
}

func TestALV27_AKilledProcessGoesOnWithTheQueueWhereItWas(t *testing.T) {
	t.Parallel()
	for name, database := range databases(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, url := t.TempDir(), database(t)
			receiver := newSink(t, status(500, 500, 500, 200)...)
			w, process := spawn(t, dir, url)
			app := w.application("alviere", `{"retry":{"kind":"fixed","interval":"2s"}}`)
			w.account(app, receiver.URL)
			ids := []string{w.numbered(app, 1), w.numbered(app, 2), w.numbered(app, 3)}
			require.Eventually(t, func() bool { return w.invocation(ids[0])["attempts"] == 2.0 }, patience, 10*time.Millisecond)
			kill(t, process) // in the back-off before the third attempt

			w, _ = spawn(t, dir, url)
			for n, id := range ids {
				require.InDelta(t, n+1, w.becomes(id, "succeeded")["position"], 0)
			}
			got := receiver.got()
			require.Equal(t, []int{1, 1, 1, 1, 2, 3}, numbers(t, got))
			for i, body := range alviereBodies(t, got) {
				require.Equal(t, fmt.Sprint([]int{0, 1, 2, 3, 0, 0}[i]), string(body.Retry), "request %d", i+1)
			}
		})
	}
}
