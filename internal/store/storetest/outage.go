package storetest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/models"
)

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
			statement = fmt.Sprintf("BEGIN READ WRITE; ALTER DATABASE %s SET default_transaction_read_only = %s; COMMIT",
				name, value)
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
