package storetest

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/internal/store"
	"github.com/posthorn/posthorn/models"
)

func subscriptions(t *testing.T, w *world) {
	t.Helper()

	t.Run("read back as they were stored", func(t *testing.T) {
		app := w.application(t)
		expires := w.in(time.Hour)
		for _, sub := range []*models.Subscription{
			w.subscription(t, app),
			w.subscription(t, app, func(s *models.Subscription) { s.EventTypes = []string{} }),
			w.subscription(t, app, func(s *models.Subscription) {
				s.Name, s.Version, s.Filter = new("Ñame"), new("v1"), new(`payload.a == "<&>"`)
				s.EventTypes = []string{"loan.*", "*", "1796"}
				s.Delivery = json.RawMessage(`{"timeout": "2s",  "retry":{}}`)
				s.Enabled, s.Verified, s.PublicKey = false, false, "whpk_x"
				s.Secrets = models.Secrets{
					Signing: []models.SigningSecret{{Symmetric: "whsec_a", Private: "whsk_b", ExpiresAt: &expires}},
					Headers: []models.Header{{Name: "X-CaSe", Value: "ü"}}, SecurityKey: "k",
				}
			}),
		} {
			require.Equal(t, sub, w.find(t, sub.ID))
		}
	})

	t.Run("of no event type are legal", func(t *testing.T) {
		sub := w.subscription(t, w.application(t), func(s *models.Subscription) { s.EventTypes = nil })
		require.Empty(t, w.find(t, sub.ID).EventTypes)
		w.update(t, sub, func(s *models.Subscription) { s.EventTypes, s.Name = nil, new("x") })
		require.Empty(t, w.find(t, sub.ID).EventTypes)
	})

	t.Run("are changed as a whole", func(t *testing.T) {
		app := w.application(t)
		sub := w.subscription(t, app, func(s *models.Subscription) {
			s.Name, s.Delivery = new("old"), json.RawMessage(`{}`)
		})
		w.clock.Advance(time.Second)
		changed, err := w.UpdateSubscription(t.Context(), sub.ID, func(s *models.Subscription) error {
			s.Name, s.Delivery, s.URL, s.EventTypes = nil, nil, "https://new.example", []string{"a", "b"}
			s.Secrets.SecurityKey = "new"
			return nil
		})
		require.NoError(t, err)
		require.Equal(t, w.now(), changed.UpdatedAt)
		require.Equal(t, changed, w.find(t, sub.ID))
		require.Nil(t, changed.Name)
		require.Nil(t, changed.Delivery)
		require.Equal(t, "new", changed.Secrets.SecurityKey)
		require.Equal(t, []string{sub.ID}, w.matching(t, app, "b"))
		require.Empty(t, w.matching(t, app, "*"))
	})

	t.Run("stay as they are when the change is refused", func(t *testing.T) {
		sub := w.subscription(t, w.application(t))
		before := w.find(t, sub.ID)
		refusal := errors.New("no")
		_, err := w.UpdateSubscription(t.Context(), sub.ID, func(s *models.Subscription) error {
			s.URL = "https://new.example"
			return refusal
		})
		require.ErrorIs(t, err, refusal)
		require.Equal(t, before, w.find(t, sub.ID))
	})

	t.Run("are not found once deleted", func(t *testing.T) {
		app := w.application(t)
		sub := w.subscription(t, app)
		require.NoError(t, w.DeleteSubscription(t.Context(), sub.ID))
		_, err := w.Subscription(t.Context(), sub.ID)
		require.Equal(t, models.CodeNotFound, models.ErrorCode(err))
		_, err = w.UpdateSubscription(t.Context(), sub.ID, func(*models.Subscription) error { return nil })
		require.Equal(t, models.CodeNotFound, models.ErrorCode(err))
		require.Equal(t, models.CodeNotFound, models.ErrorCode(w.DeleteSubscription(t.Context(), sub.ID)))
		require.Empty(t, w.matching(t, app, "*"))
	})

	t.Run("match by name and wildcard while they receive", func(t *testing.T) {
		app := w.application(t)
		w.subscription(t, w.application(t))
		types := func(types ...string) func(*models.Subscription) {
			return func(s *models.Subscription) { s.EventTypes = types }
		}
		all, wild := w.subscription(t, app), w.subscription(t, app, types("loan.*", "other"))
		both := w.subscription(t, app, types("loan.updated", "loan.*"))
		w.subscription(t, app, types("loan"))
		for _, pause := range pauses() {
			w.subscription(t, app, pause.stop)
		}
		require.Equal(t, []string{all.ID, wild.ID, both.ID}, w.matching(t, app, "loan.updated", "loan.*", "*"))
		require.Empty(t, w.matching(t, app, "LOAN.updated"))
	})

	t.Run("come newest first by status and event type", func(t *testing.T) {
		app := w.application(t)
		filtered := func(f store.SubscriptionFilter) []models.Subscription {
			f.ApplicationID = app.ID
			rows, _, err := w.Subscriptions(t.Context(), f, store.Page{Limit: 10})
			require.NoError(t, err)
			return rows
		}
		for status, change := range map[models.SubscriptionStatus]func(*models.Subscription){
			models.SubscriptionActive:     func(*models.Subscription) {},
			models.SubscriptionDisabled:   func(s *models.Subscription) { s.Enabled, s.Verified = false, false },
			models.SubscriptionUnverified: func(s *models.Subscription) { s.Verified, s.Failing = false, true },
			models.SubscriptionFailing:    func(s *models.Subscription) { s.Failing = true },
			models.SubscriptionGone:       func(s *models.Subscription) { s.Gone, s.Enabled = true, false },
		} {
			sub := w.subscription(t, app, change)
			require.Equal(t, status, sub.Status())
			require.Equal(t, []models.Subscription{*sub}, filtered(store.SubscriptionFilter{Status: status}), "status %s", status)
		}
		require.Empty(t, filtered(store.SubscriptionFilter{Status: "?"}))

		typed := w.subscription(t, app, func(s *models.Subscription) { s.EventTypes = []string{"loan.*"} })
		require.Equal(t, []models.Subscription{*typed}, filtered(store.SubscriptionFilter{EventType: "loan.*"}))

		list := func(p store.Page) ([]models.Subscription, string, error) {
			return w.Subscriptions(t.Context(), store.SubscriptionFilter{ApplicationID: app.ID}, p)
		}
		id := func(s *models.Subscription) string { return s.ID }
		ids := pages(t, 4, list, id, func() {})
		require.Len(t, ids, 6)
		require.Equal(t, typed.ID, ids[0])
		require.IsDecreasing(t, ids)
	})
}

func (w *world) matching(t *testing.T, app *models.Application, patterns ...string) []string {
	t.Helper()
	subs, err := w.MatchingSubscriptions(t.Context(), app.ID, patterns)
	require.NoError(t, err)
	ids := make([]string, 0, len(subs))
	for i := range subs {
		ids = append(ids, subs[i].ID)
	}
	return ids
}
