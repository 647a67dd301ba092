package storetest

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/internal/store"
	"github.com/posthorn/posthorn/models"
)

// erasure stores an erasure of the entity, "" = of the application, and returns its id.
func (w *world) erasure(t *testing.T, app *models.Application, entity string) string {
	t.Helper()
	now := w.now()
	e := models.Erasure{ID: models.NewID(), ApplicationID: app.ID, Reason: "asked for", DispatchAfter: &now, CreatedAt: now}
	if entity != "" {
		digest := models.EntityDigest(app.ID, entity)
		e.EntityID, e.EntityDigest = &entity, &digest
	}
	require.NoError(t, w.CreateErasure(t.Context(), &e))
	return e.ID
}

// erase carries an erasure out in batches of limit until it has ended, or nothing but what is in flight is left.
func (w *world) erase(t *testing.T, id string, limit int) (done bool) {
	t.Helper()
	from := models.ErasureCursor{}
	for range 1000 {
		step, err := w.Erase(t.Context(), id, from, limit)
		require.NoError(t, err)
		if step.Done || step.Waiting {
			return step.Done
		}
		from = step.Next
	}
	require.Fail(t, "it goes round in circles")
	return false
}

// signal has the dispatcher tell the workflows of what was cancelled.
func (w *world) signal(t *testing.T) {
	t.Helper()
	for _, command := range w.takeCommands(t, 1000) {
		require.NoError(t, w.MarkCommand(t.Context(), command))
	}
}

func (w *world) record(t *testing.T, id string) *models.Erasure {
	t.Helper()
	e, err := w.Erasure(t.Context(), id)
	require.NoError(t, err)
	return e
}

func erasures(t *testing.T, w *world) {
	t.Helper()

	t.Run("removes an entity's events, whatever became of them, and nobody else's", func(t *testing.T) {
		w.quiet(t)
		l := w.line(t, fifoByEntity())
		other := w.line(t, models.Ordering{})
		delivered, waiting, queued := l.put(t, about(canary, 0)), l.put(t, about(canary, 0)), l.put(t, about(canary, 0))
		l.deliver(t, delivered)
		kept, foreign := l.put(t, about("b", 0)), other.put(t, about(canary, 0))
		list := w.startJob(t, l.app, listing(delivered, kept))
		require.NotEmpty(t, Holding(Dump(t, w.Store), canary), "what is looked for can be found")

		w.clock.Advance(time.Second)
		id := w.erasure(t, l.app, canary)
		late := l.put(t, about("c", 0))
		w.erase(t, id, 2)
		w.signal(t)
		require.True(t, w.erase(t, id, 2))

		w.requireKept(t, false, delivered, waiting, queued)
		w.requireKept(t, true, kept, foreign, late)
		require.Equal(t, []string{kept}, w.job(t, list).IDs)
		require.Equal(t, 1, w.job(t, list).Matched)
		record := w.record(t, id)
		require.Equal(t, models.ErasureCounts{Events: 3, Invocations: 3, Attempts: 1}, record.ErasureCounts)
		require.Equal(t, models.ErasureCompleted, record.State())
		require.Nil(t, record.EntityID)
		require.Equal(t, models.EntityDigest(l.app.ID, canary), *record.EntityDigest)
		require.Equal(t, models.ActionCompleteErasure, w.entries(t, l.app.ID)[0].Action)

		second := w.erasure(t, other.app, canary)
		w.erase(t, second, 2)
		w.signal(t)
		require.True(t, w.erase(t, second, 2))
		require.Empty(t, Holding(Dump(t, w.Store), canary))
	})

	t.Run("waits for an attempt in flight, and takes what comes of it along", func(t *testing.T) {
		w.quiet(t)
		l := w.line(t, models.Ordering{})
		flying, again := l.put(t, about("a", 0)), l.put(t, about("a", 0))
		l.deliver(t, again)
		claim, redelivery := l.claim(t, l.owner, flying), l.redeliver(t, l.owner, again)
		id := w.erasure(t, l.app, "a")
		require.False(t, w.erase(t, id, 10))
		w.signal(t)
		require.False(t, w.erase(t, id, 10))
		w.requireStatuses(t, models.StatusCancelled, flying)
		require.Equal(t, models.ReasonErased, *w.invocation(t, flying).Reason)
		_, err := w.Redeliver(t.Context(), flying, true)
		require.Equal(t, models.CodeConflict, models.ErrorCode(err))
		w.end(t, claim, w.refused(500))
		w.end(t, redelivery, w.delivered())
		require.True(t, w.erase(t, id, 10))
		w.requireKept(t, false, flying, again)
		require.Equal(t, 3, w.record(t, id).Attempts)
	})

	t.Run("does not wait for the dead", func(t *testing.T) {
		w.quiet(t)
		l := w.line(t, models.Ordering{})
		id := l.put(t, about("a", 0))
		l.claim(t, l.owner, id)
		e := w.erasure(t, l.app, "a")
		require.False(t, w.erase(t, e, 10))
		w.signal(t)
		w.clock.Advance(store.Lease + time.Second)
		require.True(t, w.erase(t, e, 10))
		w.requireKept(t, false, id)
	})

	t.Run("leaves what was published since, and the queue behind it going", func(t *testing.T) {
		w.quiet(t)
		l := w.line(t, fifo())
		head, next := l.put(t, about("a", 0)), l.put(t, about("b", 0))
		w.clock.Advance(time.Second)
		e := w.erasure(t, l.app, "a")
		w.clock.Advance(time.Second)
		since := l.put(t, about("a", 0))
		w.erase(t, e, 10)
		w.signal(t)
		require.True(t, w.erase(t, e, 10))
		w.requireKept(t, false, head)
		l.deliver(t, next, since)
	})

	t.Run("forgets an entity of which only a refused event was heard", func(t *testing.T) {
		w.quiet(t)
		l := w.line(t, latestOfEntity())
		draft := func(entity string) *models.Acceptance {
			return w.ordered(t, l.app, l.order, []*models.Subscription{l.sub}, about(entity, 0), func(a *models.Acceptance) {
				a.Event.IdempotencyKey, a.Event.Payload = new("k"), []byte(`"`+entity[:1]+`"`)
			})
		}
		first, refused := draft("b"), draft(canary)
		w.accept(t, l.app, first)
		require.NoError(t, w.Accept(t.Context(), l.app.ID, []*models.Acceptance{refused}))
		require.Error(t, refused.Err)
		require.NotEmpty(t, Holding(Dump(t, w.Store), canary))
		require.True(t, w.erase(t, w.erasure(t, l.app, canary), 10))
		require.Empty(t, Holding(Dump(t, w.Store), canary))
	})
}

// erasedApplications is about whole applications.
func erasedApplications(t *testing.T, w *world) {
	t.Helper()

	t.Run("removes an application with all that is its own", func(t *testing.T) {
		w.quiet(t)
		before := w.tables(t)
		l := w.line(t, fifoByEntity())
		w.key(t, &l.app.ID)
		ids := []string{l.put(t, about(canary, 0)), l.put(t, about(canary, 0)), l.put(t, about("b", 0))}
		l.deliver(t, ids[0])
		test := l.put(t)
		w.exec(t, "UPDATE invocations SET event_id = NULL WHERE id = ?", test)
		w.exec(t, "DELETE FROM events WHERE application_id = ? AND id NOT IN (SELECT event_id FROM invocations WHERE event_id IS NOT NULL)",
			l.app.ID)
		job := w.startJob(t, l.app, listing(ids...))
		entry := w.entry(l.app.ID, "rename")
		entry.Detail, entry.RemoteAddress = []byte(`{"name":"`+canary+`"}`), "192.0.2.7"
		_, err := w.UpdateApplication(models.WithAudit(t.Context(), entry), l.app.ID, func(a *models.Application) error {
			a.Name, a.ExternalID = canary, canary
			return nil
		})
		require.NoError(t, err)
		require.NotEmpty(t, Holding(Dump(t, w.Store), canary))

		id := w.erasure(t, l.app, "")
		_, err = w.Application(t.Context(), l.app.ID)
		require.Equal(t, models.CodeNotFound, models.ErrorCode(err))
		require.Equal(t, models.JobCancelled, w.job(t, job).State)
		w.requireStatuses(t, models.StatusCancelled, ids[1:]...)
		w.erase(t, id, 2)
		w.signal(t)
		require.True(t, w.erase(t, id, 2))

		require.Equal(t, before, w.tables(t))
		require.Empty(t, Holding(Dump(t, w.Store), canary))
		require.Equal(t, models.ErasureCounts{
			Events: 3, Invocations: 4, Attempts: 1, Jobs: 1, Subscriptions: 1, Keys: 1,
		}, w.record(t, id).ErasureCounts)
		entries := w.entries(t, l.app.ID)
		require.Equal(t, models.ActionCompleteErasure, entries[0].Action)
		require.JSONEq(t, `{"events":3,"invocations":4,"attempts":1,"jobs":1,"subscriptions":1,"keys":1}`, string(entries[0].Detail))
		require.Equal(t, []any{"rename", 0, ""}, []any{entries[1].Action, len(entries[1].Detail), entries[1].RemoteAddress})

		again := models.Erasure{ID: models.NewID(), ApplicationID: l.app.ID, Reason: "r", CreatedAt: w.now()}
		require.Equal(t, models.CodeValidation, models.ErrorCode(w.CreateErasure(t.Context(), &again)), "nothing is left")
	})

	t.Run("sees to what came in while it was being deleted", func(t *testing.T) {
		w.quiet(t)
		l := w.line(t, models.Ordering{})
		late := w.draft(t, l.app, []*models.Subscription{l.sub})
		id := w.erasure(t, l.app, "")
		step, err := w.Erase(t.Context(), id, models.ErasureCursor{Phase: models.EraseTests}, 10)
		require.NoError(t, err)
		w.accept(t, l.app, late)
		step, err = w.Erase(t.Context(), id, step.Next, 10)
		require.NoError(t, err)
		require.Equal(t, models.ErasureStep{Next: models.ErasureCursor{Phase: models.EraseEvents}, Waiting: true}, step)
		require.True(t, w.erase(t, id, 10))
		w.requireKept(t, false, late.Invocations[0].ID)
	})

	t.Run("is taken up until somebody works on it, and no longer than it lasts", func(t *testing.T) {
		w.quiet(t)
		w.exec(t, "UPDATE erasures SET dispatch_after = NULL WHERE reason <> ?", "")
		app := w.application(t)
		id := w.erasure(t, app, "a")
		taken := func() int {
			rows, err := w.TakeErasures(t.Context(), 10)
			require.NoError(t, err)
			return len(rows)
		}
		require.Equal(t, []int{1, 0}, []int{taken(), taken()})
		w.clock.Advance(3 * time.Second)
		require.Equal(t, 1, taken())
		step, err := w.Erase(t.Context(), id, models.ErasureCursor{}, 10)
		require.NoError(t, err)
		require.True(t, step.Done)
		w.clock.Advance(time.Hour)
		require.Zero(t, taken())
		step, err = w.Erase(t.Context(), id, models.ErasureCursor{}, 10)
		require.NoError(t, err)
		require.True(t, step.Done, "once more")
		step, err = w.Erase(t.Context(), models.NewID(), models.ErasureCursor{}, 10)
		require.NoError(t, err)
		require.True(t, step.Done, "unknown")
		_, err = w.Erase(t.Context(), w.erasure(t, app, "b"), models.ErasureCursor{Phase: "specs"}, 10)
		require.ErrorContains(t, err, "specs")
	})

	t.Run("is in nobody's way", func(t *testing.T) { eraseAgainstAll(t, w) })
}

// eraseAgainstAll has an entity erased while its queue accepts, settles, redelivers and is worked on by a job.
func eraseAgainstAll(t *testing.T, w *world) {
	t.Helper()
	for range rounds(10, 300) {
		w.quiet(t)
		l := w.line(t, fifo())
		ids := []string{l.put(t, about("a", 0)), l.put(t, about("a", 0)), l.put(t, about("b", 0)), l.put(t, about("b", 0))}
		l.deliver(t, ids[0])
		claim := l.claim(t, l.owner, ids[1])
		job := w.startJob(t, l.app, listing(ids...))
		next := l.ordered(t, l.app, l.order, []*models.Subscription{l.sub}, about("b", 0))
		id := w.erasure(t, l.app, "a")
		errs := make([]error, 6)
		atOnce(len(errs), func(i int) {
			switch i {
			case 0, 1:
				_, errs[i] = w.Erase(t.Context(), id, models.ErasureCursor{}, 10)
			case 2:
				_, errs[i] = w.Settle(t.Context(), claim.Settle(w.delivered()))
			case 3:
				errs[i] = w.Accept(t.Context(), l.app.ID, []*models.Acceptance{next})
			case 4:
				if _, errs[i] = w.Redeliver(t.Context(), ids[0], false); models.ErrorCode(errs[i]) == models.CodeNotFound {
					errs[i] = nil
				}
			default:
				_, errs[i] = w.ClaimJob(t.Context(), l.owner, job)
			}
		})
		require.NoError(t, errors.Join(errs...))
		w.clock.Advance(3 * time.Minute) // what was granted is given up
		l.owner = w.worker(t)
		w.erase(t, id, 10)
		w.signal(t)
		require.True(t, w.erase(t, id, 10))
		w.requireKept(t, false, ids[:2]...)
		w.requireKept(t, true, ids[2], ids[3], next.Invocations[0].ID)
		l.deliver(t, ids[2], ids[3], next.Invocations[0].ID)
	}
}
