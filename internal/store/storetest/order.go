package storetest

import (
	"database/sql"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/models"
)

// The orders that the cases are about.
func fifo() models.Ordering { return models.Ordering{Kind: models.OrderingFIFO} }

func fifoByEntity() models.Ordering {
	return models.Ordering{Kind: models.OrderingFIFO, Key: models.OrderByEntity}
}

func latest() models.Ordering { return models.Ordering{Kind: models.OrderingLatestWins} }

func latestOfEntity() models.Ordering {
	return models.Ordering{Kind: models.OrderingLatestWins, Scope: models.OrderByEntity}
}

// ordered is an Acceptance of one event under an order, with all that package ingest adds to its invocations.
func (w *world) ordered(
	t *testing.T, app *models.Application, o models.Ordering, subs []*models.Subscription,
	changes ...func(*models.Acceptance),
) *models.Acceptance {
	t.Helper()
	a := w.draftUnder(app, spec(t, func(s *models.Spec) { s.Ordering = o }), subs, changes...)
	for _, i := range a.Invocations {
		i.Ordering = o.Kind
		if key := o.KeyOf(i.SubscriptionID, i.EventType, i.EntityID); key != "" {
			i.OrderingKey = &key
		}
		if i.OrderingKey != nil && o.Kind == models.OrderingFIFO {
			i.WorkflowID = "invocation/" + i.ID
		}
	}
	return a
}

// line is one subscription under one order, with a worker that sends to it.
type line struct {
	*world

	app   *models.Application
	sub   *models.Subscription
	order models.Ordering
	owner string
}

func (w *world) line(t *testing.T, o models.Ordering) *line {
	t.Helper()
	app := w.application(t)
	return &line{world: w, app: app, sub: w.subscription(t, app), order: o, owner: w.worker(t)}
}

// put accepts one event and returns its invocation's id.
func (l *line) put(t *testing.T, changes ...func(*models.Acceptance)) string {
	t.Helper()
	a := l.ordered(t, l.app, l.order, []*models.Subscription{l.sub}, changes...)
	l.accept(t, l.app, a)
	return a.Invocations[0].ID
}

// fill accepts n events, one after the other.
func (l *line) fill(t *testing.T, n int) []string {
	t.Helper()
	ids := make([]string, n)
	for i := range ids {
		ids[i] = l.put(t)
	}
	return ids
}

// ends settles a claim that must still be held; changes say who carries on.
func (w *world) ends(
	t *testing.T, c *models.Claim, r models.Result, changes ...func(*models.Settlement),
) models.Settled {
	t.Helper()
	s := c.Settle(r)
	for _, change := range changes {
		change(&s)
	}
	settled, err := w.Settle(t.Context(), s)
	require.NoError(t, err)
	require.True(t, settled.Kept, "the claim is lost")
	return settled
}

func carriedOnBy(workflow string) func(*models.Settlement) {
	return func(s *models.Settlement) { s.Workflow = workflow }
}

func claimedFor(owner string) func(*models.Settlement) {
	return func(s *models.Settlement) { s.Owner = owner }
}

// deliver makes a delivered attempt at each, in the order given.
func (l *line) deliver(t *testing.T, ids ...string) {
	t.Helper()
	for _, id := range ids {
		l.ends(t, l.claim(t, l.owner, id), l.delivered())
	}
}

// head is the invocation that an ordering key says may be sent; "" = none.
func (w *world) head(t *testing.T, key string) string {
	t.Helper()
	var head sql.NullString
	query := w.placeholder("SELECT head FROM ordering_keys WHERE id = ?")
	require.NoError(t, w.pool(t).QueryRowContext(t.Context(), query, key).Scan(&head))
	return head.String
}

func (w *world) requireStatuses(t *testing.T, want models.InvocationStatus, ids ...string) {
	t.Helper()
	for n, id := range ids {
		require.Equal(t, want, w.invocation(t, id).Status, "invocation %d", n)
	}
}

// requireWaits checks that an invocation waits in its queue, and nobody for it.
func (w *world) requireWaits(t *testing.T, ids ...string) {
	t.Helper()
	for _, id := range ids {
		row := w.invocation(t, id)
		require.Equal(t, models.StatusQueued, row.Status)
		require.Nil(t, row.NextAttemptAt)
		require.Nil(t, row.DispatchAfter)
		require.False(t, row.Parked)
	}
}

// requireDue checks that an invocation is the head of its queue and the dispatcher's now.
func (l *line) requireDue(t *testing.T, id string) {
	t.Helper()
	row := l.invocation(t, id)
	require.Equal(t, []any{models.StatusPending, new(l.now()), new(l.now()), "invocation/" + id},
		[]any{row.Status, row.NextAttemptAt, row.DispatchAfter, row.WorkflowID})
	require.Equal(t, id, l.head(t, *row.OrderingKey))
}
