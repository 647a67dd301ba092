package storeseed_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/internal/secret"
	"github.com/posthorn/posthorn/internal/store"
	"github.com/posthorn/posthorn/internal/store/storeseed"
	"github.com/posthorn/posthorn/internal/testpg"
	"github.com/posthorn/posthorn/models"
)

func TestFill(t *testing.T) {
	t.Parallel()
	for name, url := range map[string]func(t *testing.T) string{
		"sqlite":   func(t *testing.T) string { t.Helper(); return "sqlite:" + filepath.Join(t.TempDir(), "posthorn.db") },
		"postgres": func(t *testing.T) string { t.Helper(); return testpg.URL(t) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			keyring, err := secret.NewKeyring(secret.GenerateMasterKey())
			require.NoError(t, err)
			now := time.Date(2031, 11, 21, 19, 17, 0, 0, time.UTC)
			s, err := store.Open(t.Context(), store.Options{
				URL: url(t), Keyring: keyring, Now: func() time.Time { return now },
			})
			require.NoError(t, err)
			t.Cleanup(s.Close)
			require.NoError(t, s.Migrate(t.Context()))
			fill(t, s, now)
		})
	}
}

// fill stores 3,000 events and 20 that wait, and looks at them as the API does.
func fill(t *testing.T, s *store.Store, now time.Time) {
	t.Helper()
	app := &models.Application{ID: models.NewID(), Profile: "standard", CreatedAt: now, UpdatedAt: now}
	require.NoError(t, s.CreateApplication(t.Context(), app))
	sub := &models.Subscription{
		ID: models.NewID(), ApplicationID: app.ID, EventTypes: []string{"*"}, Enabled: true, Verified: true, CreatedAt: now,
	}
	require.NoError(t, s.CreateSubscription(t.Context(), sub, 1))
	pool, err := s.SQL()
	require.NoError(t, err)
	amounts := storeseed.Amounts{Stored: 3000, Waiting: 20, Application: app.ID, Subscription: sub.ID, Now: now}
	require.NoError(t, storeseed.Fill(t.Context(), pool, s.Dialect(), amounts))

	stats, err := s.SubscriptionStats(t.Context(), sub.ID)
	require.NoError(t, err)
	require.Equal(t, map[models.InvocationStatus]int{
		models.StatusSucceeded: 2997, models.StatusFailed: 3, models.StatusPending: 20,
	}, stats.Counts)
	require.Len(t, stats.LatenciesMS, 980, "of the latest 1,000")
	events, _, err := s.Events(t.Context(), models.EventFilter{ApplicationID: app.ID, WithPayload: true}, models.Page{Limit: 25})
	require.NoError(t, err)
	require.Len(t, events, 25)
	require.True(t, models.IsID(events[0].ID), events[0].ID)
	require.Equal(t, now.Add(24*time.Hour+3019*time.Microsecond), *events[0].NotBefore)
	require.Nil(t, events[20].NotBefore)
	require.Len(t, events[20].Payload, 200)
	rows, err := s.EventInvocations(t.Context(), events[20].ID)
	require.NoError(t, err)
	require.Len(t, rows, 1)
	log, err := s.Attempts(t.Context(), rows[0].ID)
	require.NoError(t, err)
	require.Len(t, log, 1)
	require.Equal(t, models.AttemptSucceeded, log[0].Outcome)
	rare, _, err := s.Events(t.Context(), models.EventFilter{ApplicationID: app.ID, Type: storeseed.TypeRare}, models.Page{Limit: 25})
	require.NoError(t, err)
	require.Len(t, rare, 1)
	taken, err := s.TakeDispatches(t.Context(), 10)
	require.NoError(t, err)
	require.Empty(t, taken, "nothing is due")

	amounts.Application = "x"
	require.Error(t, storeseed.Fill(t.Context(), pool, s.Dialect(), amounts))
}
