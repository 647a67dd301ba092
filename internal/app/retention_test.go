package app_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"github.com/posthorn/posthorn/migrations"
	"github.com/posthorn/posthorn/workflows"
)

// slowRetry leaves an event open for an hour.
const slowRetry = `{"retry":{"kind":"fixed","interval":"1h","max_attempts":5}}`

// ages makes an event two hours older, with all that happened to it.
func (w *world) ages(event string) {
	w.t.Helper()
	pool, err := w.app.Store().SQL()
	require.NoError(w.t, err)
	ofInvocation := " WHERE invocation_id IN (SELECT id FROM invocations WHERE event_id = ?)"
	for _, statement := range []string{
		"UPDATE events SET created_at = created_at - 7200000000 WHERE id = ?",
		"UPDATE invocations SET created_at = created_at - 7200000000, updated_at = updated_at - 7200000000 WHERE event_id = ?",
		"UPDATE commands SET settled_at = settled_at - 7200000000" + ofInvocation,
	} {
		if w.app.Store().Dialect() == migrations.Postgres {
			statement = strings.Replace(statement, "?", "$1", 1)
		}
		_, err := pool.ExecContext(w.t.Context(), statement, event)
		require.NoError(w.t, err)
	}
}

func (w *world) schedule() client.ScheduleHandle {
	return w.app.TemporalClient().ScheduleClient().GetHandle(w.t.Context(), workflows.RetentionID)
}

// scheduled waits until the worker has made its schedule, and returns what Temporal says of it.
func (w *world) scheduled() *client.ScheduleDescription {
	w.t.Helper()
	var described *client.ScheduleDescription
	require.Eventually(w.t, func() (ok bool) {
		var err error
		described, err = w.schedule().Describe(w.t.Context())
		return err == nil
	}, patience, 20*time.Millisecond)
	return described
}

// rescheduled reports whether a worker has found the schedule and stored it anew. A time never set is that of 1970.
func (w *world) rescheduled() bool {
	w.t.Helper()
	return w.scheduled().Info.LastUpdateAt.Unix() > 0
}

// goesRound has the schedule start a round of the retention, and returns how many rows that removed.
func (w *world) goesRound() int {
	w.t.Helper()
	before := w.scheduled().Info.NumActions
	require.NoError(w.t, w.schedule().Trigger(w.t.Context(), client.ScheduleTriggerOptions{}))
	var started *client.ScheduleWorkflowExecution
	require.Eventually(w.t, func() bool {
		info := w.scheduled().Info
		if info.NumActions == before || len(info.RecentActions) == 0 {
			return false
		}
		started = info.RecentActions[len(info.RecentActions)-1].StartWorkflowResult
		return true
	}, patience, 20*time.Millisecond)
	require.True(w.t, strings.HasPrefix(started.WorkflowID, workflows.RetentionID), started.WorkflowID)
	var result workflows.RetentionResult
	run := w.app.TemporalClient().GetWorkflow(w.t.Context(), started.WorkflowID, "")
	require.NoError(w.t, run.Get(w.t.Context(), &result))
	return result.Removed
}

func TestF51_RetentionRemovesWhatEndedAndKeepsWhatIsOpen(t *testing.T) {
	t.Parallel()
	for name, database := range databases(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := embedded(t)
			cfg.DatabaseURL, cfg.Retention = database(t), time.Hour
			w := start(t, cfg, everything)
			receiver := newSink(t, status(200, 200, 200, 500, 200)...)
			app := w.application("standard", slowRetry)
			w.subscription(app, receiver.URL, nil)
			const body = `{"type":"invoice.paid","payload":{"n":1},"idempotency_key":"once"}`
			old, oldOnes := w.published(app, body)
			w.becomes(oldOnes[0], "succeeded")
			w.call("POST", "/v1/invocations/"+oldOnes[0]+"/redeliver", object{}, 202)
			receiver.await(2)
			require.Eventually(t, func() bool { return len(w.logs(oldOnes[0])) == 2 }, patience, 10*time.Millisecond)
			young, youngOnes := w.published(app, `{"type":"invoice.paid","payload":{"n":2}}`)
			w.becomes(youngOnes[0], "succeeded")
			open, openOnes := w.published(app, `{"type":"invoice.paid","payload":{"n":3}}`)
			w.becomes(openOnes[0], "retrying")
			w.ages(old)
			w.ages(open)

			require.Equal(t, 1, w.goesRound())

			w.call("GET", "/v1/events/"+old, nil, 404)
			w.call("GET", "/v1/invocations/"+oldOnes[0], nil, 404)
			w.call("GET", "/v1/invocations/"+oldOnes[0]+"/logs", nil, 404)
			w.call("GET", "/v1/events/"+young, nil, 200)
			require.Len(t, w.logs(youngOnes[0]), 1)
			require.Len(t, w.logs(openOnes[0]), 1)
			w.call("POST", "/v1/invocations/"+openOnes[0]+"/redeliver", object{}, 202)
			w.becomes(openOnes[0], "succeeded")
			again, _ := w.published(app, body)
			require.NotEqual(t, old, again, "the key of an event that is gone may be used anew")
			require.Zero(t, w.goesRound())
		})
	}
}

func TestScheduleOfTheRetentionOutlivesRestarts(t *testing.T) {
	t.Parallel()
	cfg := embedded(t)
	cfg.Retention = time.Hour
	first := boot(t, cfg, everything)
	described := first.scheduled()
	require.Equal(t, time.Hour, described.Schedule.Spec.Intervals[0].Every)
	require.NoError(t, first.schedule().Pause(t.Context(), client.SchedulePauseOptions{Note: "an audit"}))
	require.False(t, first.rescheduled())
	first.stop()

	second := boot(t, cfg, everything)
	require.Eventually(t, second.rescheduled, patience, 20*time.Millisecond, "the second worker sees to it again")
	state := second.scheduled().Schedule.State
	require.True(t, state.Paused, "what an operator paused stays paused")
	require.Equal(t, "an audit", state.Note)
	second.stop()

	cfg.Retention = 0
	third := start(t, cfg, everything)
	require.Eventually(t, func() bool {
		_, err := third.schedule().Describe(t.Context())
		return err != nil
	}, patience, 20*time.Millisecond, "who keeps everything needs no schedule")
}
