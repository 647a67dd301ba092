package storetest

import (
	"database/sql"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/internal/store"
	"github.com/posthorn/posthorn/migrations"
	"github.com/posthorn/posthorn/models"
)

// Clock is moved by hand; it is safe for concurrent use.
type Clock struct {
	mu  sync.Mutex
	now time.Time
}

// NewClock starts at a time that no real clock will show, in whole microseconds, as times are stored.
func NewClock() *Clock {
	return &Clock{now: time.Date(2031, 11, 21, 19, 17, 0, 123_456_000, time.UTC)}
}

// Now is the time it shows.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Advance moves it forward.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// world is a migrated store, its clock, and short ways to fill it.
type world struct {
	*store.Store

	clock *Clock
}

func newWorld(t *testing.T, open opener) *world {
	t.Helper()
	clock := NewClock()
	s := open(t, clock.Now)
	require.NoError(t, s.Migrate(t.Context()))
	return &world{Store: s, clock: clock}
}

func (w *world) postgres() bool { return w.Dialect() == migrations.Postgres }

// now is the clock's time.
func (w *world) now() time.Time { return w.clock.Now() }

// in is the time so much later.
func (w *world) in(d time.Duration) time.Time { return w.now().Add(d) }

func (w *world) application(t *testing.T) *models.Application {
	t.Helper()
	id := models.NewID()
	a := &models.Application{
		ID: id, Name: "Δοκιμή", Profile: "standard", Environment: models.EnvironmentDemo, ExternalID: "tenant-" + id,
		HandshakeKey: strings.Repeat("AB", 20), CreatedAt: w.now(), UpdatedAt: w.now(),
	}
	require.NoError(t, w.CreateApplication(t.Context(), a))
	return a
}

// subscription stores an enabled and verified subscription to everything, as far as no change says otherwise.
func (w *world) subscription(
	t *testing.T, app *models.Application, changes ...func(*models.Subscription),
) *models.Subscription {
	t.Helper()
	sub := w.draftSubscription(app, changes...)
	require.NoError(t, w.CreateSubscription(t.Context(), sub, 1000))
	return sub
}

func (w *world) draftSubscription(
	app *models.Application, changes ...func(*models.Subscription),
) *models.Subscription {
	sub := &models.Subscription{
		ID: models.NewID(), ApplicationID: app.ID, URL: "https://receiver.example/hook", EventTypes: []string{"*"},
		Enabled: true, Verified: true, CreatedAt: w.now(), UpdatedAt: w.now(),
	}
	for _, change := range changes {
		change(sub)
	}
	return sub
}

func (w *world) update(t *testing.T, sub *models.Subscription, change func(*models.Subscription)) {
	t.Helper()
	_, err := w.UpdateSubscription(t.Context(), sub.ID, func(s *models.Subscription) error {
		change(s)
		return nil
	})
	require.NoError(t, err)
}

// worker is a live owner of claims.
func (w *world) worker(t *testing.T) string {
	t.Helper()
	id := models.NewID()
	require.NoError(t, w.RenewWorker(t.Context(), id))
	return id
}

// invocation reads one row.
// pass lets time pass while workers renew themselves as they do: a jump of the clock is an outage to them.
func (w *world) pass(t *testing.T, d time.Duration, workers ...string) {
	t.Helper()
	for until := w.in(d); w.now().Before(until); {
		w.clock.Advance(min(until.Sub(w.now()), store.Lease-time.Microsecond))
		for _, id := range workers {
			require.NoError(t, w.RenewWorker(t.Context(), id))
		}
	}
}

func (w *world) invocation(t *testing.T, id string) *models.InvocationView {
	t.Helper()
	view, err := w.Invocation(t.Context(), id)
	require.NoError(t, err)
	return view
}

func (w *world) attempts(t *testing.T, id string) []models.Attempt {
	t.Helper()
	rows, err := w.Attempts(t.Context(), id)
	require.NoError(t, err)
	return rows
}

// pool is the connection pool for SQL of a case's own.
func (w *world) pool(t *testing.T) *sql.DB {
	t.Helper()
	pool, err := w.SQL()
	require.NoError(t, err)
	return pool
}

// exec runs SQL with one `?`, for states that the Store's methods do not reach.
func (w *world) exec(t *testing.T, query, arg string) {
	t.Helper()
	_, err := w.pool(t).ExecContext(t.Context(), w.placeholder(query), arg)
	require.NoError(t, err)
}

// quiet leaves nothing open of what earlier cases did, for cases that look at the whole database.
func (w *world) quiet(t *testing.T) {
	t.Helper()
	w.exec(t, "UPDATE invocations SET dispatch_after = NULL, next_attempt_at = NULL, parked = (1 = 0),"+
		" claim_token = NULL, claim_owner = NULL, status = ?", string(models.StatusCancelled))
	w.exec(t, "UPDATE commands SET settled_at = created_at, dispatch_after = NULL WHERE id <> ?", models.NewID())
	w.exec(t, "UPDATE jobs SET finished_at = created_at, dispatch_after = NULL, state = ?", string(models.JobCancelled))
}

// count runs SQL with one `?` that gives one number.
func (w *world) count(t *testing.T, query, arg string) int {
	t.Helper()
	var n int
	require.NoError(t, w.pool(t).QueryRowContext(t.Context(), w.placeholder(query), arg).Scan(&n))
	return n
}

func (w *world) placeholder(query string) string {
	if w.postgres() {
		return strings.Replace(query, "?", "$1", 1)
	}
	return query
}

// atOnce runs do for 0 … n-1 at the same time and returns when all have ended. do must not call t.FailNow.
func atOnce(n int, do func(i int)) {
	var group sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		group.Go(func() {
			<-start
			do(i)
		})
	}
	close(start)
	group.Wait()
}

func number(i int) string { return fmt.Sprintf("%04d", i) }
