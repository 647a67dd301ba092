package storetest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/models"
)

// pauses are the ways in which a subscription comes to get nothing, and back.
func pauses() map[string]struct{ stop, resume func(*models.Subscription) } {
	return map[string]struct{ stop, resume func(*models.Subscription) }{
		"disabled": {
			func(s *models.Subscription) { s.Enabled = false }, func(s *models.Subscription) { s.Enabled = true },
		},
		"unverified": {
			func(s *models.Subscription) { s.Verified = false }, func(s *models.Subscription) { s.Verified = true },
		},
		"gone": {func(s *models.Subscription) { s.Gone = true }, func(s *models.Subscription) { s.Gone = false }},
	}
}

func paused(t *testing.T, w *world) {
	t.Helper()

	for name, pause := range pauses() {
		t.Run(name+" parks until it receives again", func(t *testing.T) {
			w.quiet(t)
			app, sub, id := w.fired(t)
			other := w.fire(t, app, w.subscription(t, app))
			w.update(t, sub, pause.stop)
			require.ElementsMatch(t, []string{id, other}, w.dispatched(t))

			require.Equal(t, models.VerdictParked, w.ask(t, w.worker(t), id).Verdict)
			row := w.invocation(t, id)
			require.True(t, row.Parked)
			require.Nil(t, row.DispatchAfter)
			require.Equal(t, models.StatusPaused, row.Shown())
			w.clock.Advance(time.Hour)
			require.Empty(t, w.take(t, 10))

			w.update(t, sub, func(s *models.Subscription) { s.Name = new("still paused") })
			require.Empty(t, w.take(t, 10))
			w.update(t, sub, pause.resume)
			row = w.invocation(t, id)
			require.False(t, row.Parked)
			require.Equal(t, new(w.now()), row.DispatchAfter)
			require.Equal(t, models.StatusPending, row.Shown())
			require.Equal(t, []string{id}, w.take(t, 10), "and nothing of other subscriptions")
			w.claim(t, w.worker(t), id)
		})
	}

	t.Run("keeps waiting while one of two reasons is left", func(t *testing.T) {
		w.quiet(t)
		_, sub, id := w.fired(t)
		w.update(t, sub, func(s *models.Subscription) { s.Enabled, s.Verified = false, false })
		w.dispatched(t)
		owner := w.worker(t)
		require.Equal(t, models.VerdictParked, w.ask(t, owner, id).Verdict)
		w.update(t, sub, func(s *models.Subscription) { s.Enabled = true })
		require.Empty(t, w.take(t, 10))
		w.update(t, sub, func(s *models.Subscription) { s.Verified = true })
		require.Equal(t, []string{id}, w.take(t, 10))
	})

	t.Run("unverified goes on when its application does without a handshake", func(t *testing.T) {
		w.quiet(t)
		app, sub, id := w.fired(t)
		disabled := w.subscription(t, app)
		_, foreign, theirs := w.fired(t)
		waiting := w.fire(t, app, disabled)
		for _, one := range []*models.Subscription{sub, disabled, foreign} {
			w.update(t, one, func(s *models.Subscription) { s.Verified, s.Enabled = false, one != disabled })
		}
		w.dispatched(t)
		owner := w.worker(t)
		for _, one := range []string{id, waiting, theirs} {
			require.Equal(t, models.VerdictParked, w.ask(t, owner, one).Verdict)
		}
		_, err := w.UpdateApplication(t.Context(), app.ID, func(*models.Application) error { return nil })
		require.NoError(t, err)
		require.Empty(t, w.take(t, 10), "any other change leaves them")
		w.clock.Advance(time.Second)
		changed, err := w.UpdateWithoutHandshake(t.Context(), app.ID, func(a *models.Application) error {
			a.Name = "changed"
			return nil
		})
		require.NoError(t, err)
		require.Equal(t, "changed", changed.Name)
		require.Equal(t, []string{id}, w.take(t, 10), "not what is disabled, and nothing of another application")
		require.Equal(t, models.SubscriptionDisabled, w.find(t, disabled.ID).Status())
		require.True(t, w.find(t, disabled.ID).Verified)
		require.Equal(t, models.SubscriptionUnverified, w.find(t, foreign.ID).Status())
		verified := w.find(t, sub.ID)
		require.Equal(t, []any{models.SubscriptionActive, w.now()}, []any{verified.Status(), verified.UpdatedAt})
		w.claim(t, owner, id)
		w.update(t, disabled, func(s *models.Subscription) { s.Enabled = true })
		require.Equal(t, []string{waiting}, w.take(t, 10))
	})

	t.Run("parks a retry only when it is due", func(t *testing.T) {
		w.quiet(t)
		_, sub, id := w.fired(t)
		owner := w.worker(t)
		w.attempt(t, owner, id, w.unreached)
		w.update(t, sub, func(s *models.Subscription) { s.Enabled = false })
		require.Equal(t, models.VerdictNotDue, w.ask(t, owner, id).Verdict)
		w.clock.Advance(time.Hour)
		require.Equal(t, models.VerdictParked, w.ask(t, owner, id).Verdict)
		w.update(t, sub, func(s *models.Subscription) { s.Enabled = true })
		require.Equal(t, 2, w.claim(t, w.worker(t), id).Number)
	})

	t.Run("loses no invocation that is parked while it is resumed", func(t *testing.T) {
		w.quiet(t)
		app := w.application(t)
		sub := w.subscription(t, app)
		owner := w.worker(t)
		for range 15 {
			ids := w.fireMany(t, 4, app, sub)
			w.update(t, sub, func(s *models.Subscription) { s.Enabled = false })
			w.dispatched(t)
			errs := make([]error, len(ids)+1)
			atOnce(len(errs), func(i int) {
				if i == len(ids) {
					_, errs[i] = w.UpdateSubscription(t.Context(), sub.ID, func(s *models.Subscription) error {
						s.Enabled = true
						return nil
					})
					return
				}
				_, errs[i] = w.Claim(t.Context(), owner, ids[i:i+1])
			})
			for _, err := range errs {
				require.NoError(t, err)
			}
			w.clock.Advance(time.Second) // they come back one after the other
			require.NoError(t, w.RenewWorker(t.Context(), owner))
			back := map[string]bool{}
			for _, id := range w.dispatched(t) {
				back[id] = true
			}
			for _, id := range ids {
				require.True(t, back[id] || w.invocation(t, id).ClaimToken != nil, "neither claimed nor dispatched again")
			}
		}
	})
}
