package storetest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/models"
)

func settings(t *testing.T, w *world) {
	t.Helper()

	t.Run("are empty until they are set", func(t *testing.T) {
		for _, want := range []string{"", "one", "δύο", ""} {
			if want != "" {
				require.NoError(t, w.SetSetting(t.Context(), "name", want))
			}
			if want == "" {
				continue
			}
			got, err := w.Setting(t.Context(), "name")
			require.NoError(t, err)
			require.Equal(t, want, got)
		}
		got, err := w.Setting(t.Context(), "another")
		require.NoError(t, err)
		require.Empty(t, got)
	})

	t.Run("event types are kept whole, oldest first", func(t *testing.T) {
		first := models.EventType{
			Name: "z.first", Wire: `1796`, Group: "g", Description: "<&> Ω", Deprecated: true, Versions: []string{"1", "2"},
			Schema: `{"type" : "object"}`,
		}
		second := models.EventType{Name: "a.second", Wire: `"a"`}
		require.NoError(t, w.PutEventType(t.Context(), "viva", first))
		w.clock.Advance(time.Second)
		require.NoError(t, w.PutEventType(t.Context(), "viva", second))
		require.NoError(t, w.PutEventType(t.Context(), "aria", second))
		got, err := w.EventTypes(t.Context(), "viva")
		require.NoError(t, err)
		require.Equal(t, []models.EventType{first, second}, got)

		w.clock.Advance(time.Second)
		first.Description, first.Schema = "changed", ""
		require.NoError(t, w.PutEventType(t.Context(), "viva", first))
		got, err = w.EventTypes(t.Context(), "viva")
		require.NoError(t, err)
		require.Equal(t, []models.EventType{first, second}, got, "a change keeps its place")
		got, err = w.EventTypes(t.Context(), "thredd")
		require.NoError(t, err)
		require.Empty(t, got)
	})

	t.Run("workers are forgotten an hour after their last sign", func(t *testing.T) {
		old := w.worker(t)
		w.clock.Advance(time.Hour)
		kept := w.worker(t)
		require.Equal(t, 1, w.count(t, "SELECT count(*) FROM workers WHERE id = ?", old))
		w.clock.Advance(time.Microsecond)
		w.worker(t)
		require.Zero(t, w.count(t, "SELECT count(*) FROM workers WHERE id = ?", old))
		require.Equal(t, 1, w.count(t, "SELECT count(*) FROM workers WHERE id = ?", kept))
		require.NoError(t, w.RetireWorker(t.Context(), kept))
		require.NoError(t, w.RetireWorker(t.Context(), kept), "again")
	})
}

// outage checks what a client is told while the database does not take writes.
func outage(t *testing.T, open opener) {
	t.Helper()

	requireUnavailable := func(t *testing.T, err error) {
		t.Helper()
		require.Error(t, err)
		problem := new(models.Error)
		require.ErrorAs(t, err, &problem, "%v", err)
		require.Equal(t, models.CodeUnavailable, problem.Code)
		require.Positive(t, problem.RetryAfter)
	}

	t.Run("reads go on and writes are unavailable while it is read-only", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, open)
		app, sub, id := w.fired(t)
		writable := w.readOnly(t)
		batch := []*models.Acceptance{w.draft(t, app, []*models.Subscription{sub})}
		requireUnavailable(t, w.Accept(t.Context(), app.ID, batch))
		requireUnavailable(t, w.Cancel(t.Context(), id))
		_, err := w.TakeDispatches(t.Context(), 10)
		requireUnavailable(t, err)
		_, err = w.Claim(t.Context(), models.NewID(), []string{id})
		requireUnavailable(t, err)
		require.NoError(t, w.Ping(t.Context()))
		require.Equal(t, models.StatusPending, w.invocation(t, id).Status)

		writable()
		w.accept(t, app, batch[0])
	})

	t.Run("everything is unavailable once the pool is closed", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, open)
		app, _, id := w.fired(t)
		draft := w.draft(t, app, nil)
		w.Close()
		requireUnavailable(t, w.Accept(t.Context(), app.ID, []*models.Acceptance{draft}))
		requireUnavailable(t, w.Ping(t.Context()))
		_, err := w.Invocation(t.Context(), id)
		requireUnavailable(t, err)
		_, err = w.Claim(t.Context(), models.NewID(), []string{id})
		requireUnavailable(t, err)
	})

	t.Run("a deadline that passes is an outage, a client that goes away is not", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, open)
		app := w.application(t)
		late, cancelLate := context.WithDeadline(t.Context(), time.Unix(0, 0))
		defer cancelLate()
		requireUnavailable(t, w.Accept(late, app.ID, []*models.Acceptance{w.draft(t, app, nil)}))
		left, leave := context.WithCancel(t.Context())
		leave()
		err := w.Accept(left, app.ID, []*models.Acceptance{w.draft(t, app, nil)})
		require.ErrorIs(t, err, context.Canceled)
		require.Zero(t, w.count(t, "SELECT count(*) FROM events WHERE application_id = ?", app.ID))
	})
}

// readOnly makes the database refuse writes, as a full disk or a standby does, and returns what ends that.
func (w *world) readOnly(t *testing.T) (writable func()) {
	t.Helper()
	pool := w.pool(t)
	set := func(value string) {
		t.Helper()
		statement := fmt.Sprintf("PRAGMA query_only = %s", value)
		if w.postgres() {
			var name string
			require.NoError(t, pool.QueryRowContext(t.Context(), "SELECT current_database()").Scan(&name))
			// a transaction of its own, because the first setting makes this one read-only as well
			statement = fmt.Sprintf("BEGIN READ WRITE; ALTER DATABASE %s SET default_transaction_read_only = %s; COMMIT", name, value)
		}
		_, err := pool.ExecContext(t.Context(), statement)
		require.NoError(t, err)
		if w.postgres() { // new connections have the new setting
			pool.SetMaxIdleConns(0)
			pool.SetMaxIdleConns(2)
		}
	}
	set("on")
	return func() { set("off") }
}
