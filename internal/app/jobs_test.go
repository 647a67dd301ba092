package app_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/models"
)

// once is a policy of one attempt.
const once = `{"retry":{"kind":"fixed","interval":"1h","max_attempts":1}}`

// failures publishes so many events to a receiver that refuses them all, and returns once every invocation has failed.
// From then on the receiver takes them.
func (w *world) failures(receiver *sink, n int) (app string) {
	w.t.Helper()
	receiver.answers(status(500)...)
	app = w.application("standard", once)
	w.subscription(app, receiver.URL, nil)
	for from := 0; from < n; from += 500 {
		var events []string
		for i := from; i < min(n, from+500); i++ {
			events = append(events, fmt.Sprintf(`{"type":"a.b","payload":{"n":%d}}`, i))
		}
		w.call("POST", "/v1/applications/"+app+"/events/batch", `{"events":[`+strings.Join(events, ",")+`]}`, 202)
	}
	require.Eventually(w.t, func() bool {
		dry := w.redeliveries(app, `{"dry_run":true,"filter":{"status":"failed"}}`)
		return dry.count("matched") == n
	}, patience+time.Duration(n)*100*time.Millisecond, 100*time.Millisecond, "not every invocation failed")
	receiver.answers(status(200)...)
	return app
}

func (w *world) redeliveries(app, body string) object {
	w.t.Helper()
	return w.call("POST", "/v1/applications/"+app+"/redeliveries", body, 202)
}

func (o object) count(name string) int { return int(o[name].(float64)) }

func (w *world) job(id any) object {
	w.t.Helper()
	return w.call("GET", "/v1/jobs/"+id.(string), nil, 200)
}

func (w *world) jobEnds(id any, patience time.Duration) object {
	w.t.Helper()
	var last object
	require.Eventually(w.t, func() bool {
		last = w.job(id)
		return last["finished_at"] != nil
	}, patience, 20*time.Millisecond, "the job did not end")
	return last
}

// deliveries counts the requests from the n-th on by event.
func (s *sink) deliveries(n int) map[string]int {
	counts := map[string]int{}
	for _, r := range s.got()[n:] {
		counts[r.header.Get("webhook-id")]++
	}
	return counts
}

func requireOnce(t *testing.T, want int, counts map[string]int) {
	t.Helper()
	require.Len(t, counts, want)
	for event, n := range counts {
		require.Equal(t, 1, n, "event %s was sent more than once", event)
	}
}

func TestTHR8_RedeliverOneAndManyWithAnUnknownID(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		receiver := newSink(t, status(200)...)
		app := w.application("standard", "")
		w.subscription(app, receiver.URL, nil)
		_, a := w.published(app, `{"type":"a.b","payload":{"n": 1.0}}`)
		_, b := w.published(app, `{"type":"a.b","payload":{"n": 2.0}}`)
		w.becomes(a[0], "succeeded")
		w.becomes(b[0], "succeeded")

		w.call("POST", "/v1/invocations/"+a[0]+"/redeliver", nil, 202)
		receiver.await(3)
		receiver.answers(answer{status: 200}, answer{status: 500})
		unknown := models.NewID()
		job := w.redeliveries(app, fmt.Sprintf(`{"ids":[%q,%q,%q]}`, a[0], unknown, b[0]))

		require.Equal(t, 2, job.count("matched"))
		ended := w.jobEnds(job["id"], patience)
		require.Equal(t, "completed", ended["state"])
		require.Equal(t, []int{2, 1, 1}, []int{ended.count("done"), ended.count("succeeded"), ended.count("failed")})
		outcomes := map[any]any{}
		for _, result := range ended["results"].([]any) {
			outcomes[result.(map[string]any)["id"]] = result.(map[string]any)["outcome"]
		}
		require.ElementsMatch(t, []any{"succeeded", "failed"}, []any{outcomes[a[0]], outcomes[b[0]]})
		require.Equal(t, "not_found", outcomes[unknown])
		require.Len(t, outcomes, 3)
		got := receiver.got()
		require.Len(t, got, 5)
		require.Equal(t, map[string]int{`{"n": 1.0}`: 3, `{"n": 2.0}`: 2}, distinct(got), "the payloads are identical")
		require.Equal(t, "succeeded", w.invocation(b[0])["status"], "a failed redelivery changes nothing")
	})
}

// What waits for its next attempt ends with its redelivery, at once and not when that attempt is due.
func TestTHR8_AJobEndsTheRetriesOfWhatItDelivers(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		receiver := newSink(t, status(500)...)
		app := w.application("standard", anHour)
		w.subscription(app, receiver.URL, nil)
		_, ids := w.published(app, `{"type":"a.b","payload":{}}`)
		w.becomes(ids[0], "retrying")
		receiver.answers(status(200)...)

		job := w.redeliveries(app, `{"filter":{"status":"retrying"}}`)

		done := w.becomes(ids[0], "succeeded")
		require.Nil(t, done["next_attempt_at"])
		require.Equal(t, 1, w.jobEnds(job["id"], patience).count("succeeded"))
		w.workflowCloses(done["workflow_id"].(string))
		require.Len(t, receiver.got(), 2)
	})
}

func TestTHR8_AJobRefusesWhatOneRedeliveryWouldBeRefusedFor(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		receiver := newSink(t, status(500)...)
		app := w.application("standard", once)
		sub := w.subscription(app, receiver.URL, nil)["id"].(string)
		_, ids := w.published(app, `{"type":"a.b","payload":{}}`)
		w.becomes(ids[0], "failed")
		w.call("DELETE", "/v1/subscriptions/"+sub, nil, 204)

		ended := w.jobEnds(w.redeliveries(app, fmt.Sprintf(`{"ids":[%q]}`, ids[0]))["id"], patience)

		require.Equal(t, []any{map[string]any{"id": ids[0], "outcome": "refused"}}, ended["results"])
		require.Equal(t, []int{1, 0, 1}, []int{ended.count("matched"), ended.count("succeeded"), ended.count("failed")})
		require.Len(t, receiver.got(), 1)
	})
}

func TestTHR8_AJobSendsOneOfAQueueAtATime(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		const n, takes = 12, 30 * time.Millisecond
		receiver := newSink(t, status(500)...)
		app := w.application("alviere", once)
		w.account(app, receiver.URL)
		for i := range n {
			w.becomes(w.numbered(app, i), "failed")
		}
		receiver.answers(answer{status: 200, after: takes})

		job := w.redeliveries(app, `{"filter":{"status":"failed"},"rate":500}`)

		ended := w.jobEnds(job["id"], patience)
		require.Equal(t, []int{n, n}, []int{ended.count("done"), ended.count("succeeded")})
		got := receiver.got()[n:]
		require.Len(t, got, n)
		for i := range got[1:] {
			require.GreaterOrEqual(t, got[i+1].at.Sub(got[i].at), takes, "two of one queue were in flight")
		}
		require.Less(t, got[n-1].at.Sub(got[0].at), n*500*time.Millisecond)
	})
}

func TestTHR8_AJobRefusesWhatANewerEventOvertook(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		receiver := refusing(t, "old")
		app := w.application("aria", anHour)
		w.loans(app, receiver.URL)
		old := w.loan(app, "l1", "old")[0]
		w.becomes(old, "retrying")
		w.becomes(w.loan(app, "l1", "new")[0], "succeeded")
		w.becomes(old, "abandoned")
		before := len(receiver.got())

		ended := w.jobEnds(w.redeliveries(app, `{"filter":{"status":"abandoned"}}`)["id"], patience)

		require.Equal(t, []int{1, 0, 1}, []int{ended.count("matched"), ended.count("succeeded"), ended.count("failed")})
		require.Len(t, receiver.got(), before)
	})
}

func TestTHR8_AJobShowsProgressPausesGoesOnAndIsCancelled(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		w.jobIsSteered(60, 10)
	})
}

// jobIsSteered pauses a job over so many failed invocations, goes on with it, and cancels another.
func (w *world) jobIsSteered(n, rate int) {
	t := w.t
	t.Helper()
	receiver := newSink(t)
	app := w.failures(receiver, n)
	before := len(receiver.got())
	job := w.redeliveries(app, fmt.Sprintf(`{"filter":{"status":"failed"},"rate":%d}`, rate))
	require.Equal(t, n, job.count("matched"))
	w.progresses(job["id"], n/10)

	require.Equal(t, "paused", w.call("POST", "/v1/jobs/"+job["id"].(string)+"/pause", nil, 202)["state"])
	<-time.After(2 * time.Second)
	receiver.quiet(time.Second)
	paused := w.job(job["id"])
	require.Equal(t, "paused", paused["state"])
	require.Equal(t, len(receiver.got())-before, paused.count("done"))
	require.Less(t, paused.count("done"), n)

	require.Equal(t, "running", w.call("POST", "/v1/jobs/"+job["id"].(string)+"/resume", nil, 202)["state"])
	ended := w.jobEnds(job["id"], 4*patience)
	require.Equal(t, "completed", ended["state"])
	require.Equal(t, []int{n, n, n, 0}, []int{
		ended.count("matched"), ended.count("done"), ended.count("succeeded"), ended.count("failed"),
	})
	requireOnce(t, n, receiver.deliveries(before))
	w.jobIsCancelled(app, receiver, n, rate)
}

// progresses waits until the job has seen to more than least, and requires that it goes on.
func (w *world) progresses(id any, least int) {
	w.t.Helper()
	for range 2 {
		require.Eventually(w.t, func() bool { return w.job(id).count("done") > least }, patience, 20*time.Millisecond)
		least = w.job(id).count("done")
	}
	require.Equal(w.t, "running", w.job(id)["state"])
}

func (w *world) jobIsCancelled(app string, receiver *sink, n, rate int) {
	w.t.Helper()
	before := len(receiver.got())
	job := w.redeliveries(app, fmt.Sprintf(`{"filter":{"status":"succeeded"},"rate":%d}`, rate))
	w.progresses(job["id"], 1)
	require.Equal(w.t, "cancelled", w.call("POST", "/v1/jobs/"+job["id"].(string)+"/cancel", nil, 202)["state"])
	<-time.After(time.Second)
	receiver.quiet(time.Second)
	ended := w.job(job["id"])
	require.NotNil(w.t, ended["finished_at"])
	require.Equal(w.t, len(receiver.got())-before, ended.count("done"))
	require.Less(w.t, ended.count("done"), n)
	w.workflowCloses("job/" + job["id"].(string))
}

func TestTHR8_ARestartInTheMiddleOfAJobSendsNothingTwice(t *testing.T) {
	t.Parallel()
	for name, database := range databases(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			jobSurvivesARestart(t, database(t), 60, 10)
		})
	}
}

// jobSurvivesARestart stops Posthorn in the middle of a job and starts it again on the same data.
func jobSurvivesARestart(t *testing.T, database string, n, rate int) {
	t.Helper()
	cfg := embedded(t)
	cfg.DatabaseURL = database
	w := boot(t, cfg, everything)
	receiver := newSink(t)
	app := w.failures(receiver, n)
	before := len(receiver.got())
	receiver.answers(answer{status: 200, after: 50 * time.Millisecond})
	job := w.redeliveries(app, fmt.Sprintf(`{"filter":{"status":"failed"},"rate":%d}`, rate))
	w.progresses(job["id"], n/10)
	w.stop()
	sent := len(receiver.got()) - before
	require.Less(t, sent, n, "it was stopped too late")

	w = start(t, cfg, everything)
	ended := w.jobEnds(job["id"], 4*patience)

	require.Equal(t, "completed", ended["state"])
	require.Equal(t, []int{n, n}, []int{ended.count("done"), ended.count("succeeded")})
	requireOnce(t, n, receiver.deliveries(before))
	t.Logf("%d sent before the restart, %d after", sent, n-sent)
}

func TestTHR8_KilledInTheMiddleAJobGoesOnAndLosesNothing(t *testing.T) {
	t.Parallel()
	for name, database := range databases(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const n = 40
			dir, url := t.TempDir(), database(t)
			w, process := spawn(t, dir, url)
			receiver := newSink(t)
			app := w.failures(receiver, n)
			before := len(receiver.got())
			receiver.answers(answer{status: 200, after: 100 * time.Millisecond})
			job := w.redeliveries(app, `{"filter":{"status":"failed"},"rate":8}`)
			w.progresses(job["id"], n/10)
			kill(t, process)
			w, _ = spawn(t, dir, url)

			ended := w.jobEnds(job["id"], 2*patience)

			require.Equal(t, []any{"completed", n, n}, []any{ended["state"], ended.count("done"), ended.count("succeeded")})
			require.Len(t, receiver.deliveries(before), n)
			t.Logf("%d invocations, %d requests", n, len(receiver.got())-before)
		})
	}
}
