package store_test

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/internal/secret"
	"github.com/posthorn/posthorn/internal/store"
	"github.com/posthorn/posthorn/internal/testpg"
	"github.com/posthorn/posthorn/models"
)

// at opens the database as a process does whose clock is ahead by so much.
func at(t *testing.T, o store.Options, ahead time.Duration) *store.Store {
	t.Helper()
	s, err := store.OpenAt(t.Context(), o, func() time.Time { return time.Now().Add(ahead) })
	require.NoError(t, err)
	t.Cleanup(s.Close)
	return s
}

// A minute is fifteen leases: by its own clock each process would take the other for dead.
func TestProcessesWithOtherClocksTakeEachOtherForAlive(t *testing.T) {
	t.Parallel()
	keyring, err := secret.NewKeyring(secret.GenerateMasterKey())
	require.NoError(t, err)
	o := store.Options{URL: testpg.URL(t), Keyring: keyring}
	slow, fast := at(t, o, -30*time.Second), at(t, o, 30*time.Second)
	require.NoError(t, slow.Migrate(t.Context()))
	require.WithinDuration(t, slow.Now(), fast.Now(), time.Second)

	for _, c := range []struct{ owner, other *store.Store }{{slow, fast}, {fast, slow}} {
		id := testOf(t, c.owner)
		require.Equal(t, models.VerdictGranted, ask(t, c.owner, id).Verdict)
		require.Equal(t, models.VerdictHeld, ask(t, c.other, id).Verdict)
	}
}

func TestAClockThatIsSetWhileItsProcessRunsChangesNothingForLong(t *testing.T) {
	t.Parallel()
	keyring, err := secret.NewKeyring(secret.GenerateMasterKey())
	require.NoError(t, err)
	var set atomic.Int64
	s, err := store.OpenAt(t.Context(), store.Options{URL: testpg.URL(t), Keyring: keyring}, func() time.Time {
		return time.Now().Round(0).Add(time.Duration(set.Load())) // a clock without the monotonic one
	})
	require.NoError(t, err)
	t.Cleanup(s.Close)
	for _, step := range []time.Duration{time.Hour, -time.Hour} {
		set.Store(int64(step))
		require.Eventually(t, func() bool { return time.Since(s.Now()).Abs() < time.Second }, store.Lease, 10*time.Millisecond)
	}
}

// testOf stores a test of a new subscription, due now, and returns its invocation's id.
func testOf(t *testing.T, s *store.Store) string {
	t.Helper()
	now := s.Now()
	app := &models.Application{
		ID: models.NewID(), Name: "a", Profile: "standard", Environment: models.EnvironmentDemo, ExternalID: models.NewID(),
		HandshakeKey: "k", CreatedAt: now, UpdatedAt: now,
	}
	require.NoError(t, s.CreateApplication(t.Context(), app))
	sub := &models.Subscription{
		ID: models.NewID(), ApplicationID: app.ID, URL: "https://receiver.example/hook", EventTypes: []string{"*"},
		Enabled: true, Verified: true, CreatedAt: now, UpdatedAt: now,
	}
	require.NoError(t, s.CreateSubscription(t.Context(), sub, 10))
	invocation := &models.Invocation{
		ID: models.NewID(), ApplicationID: app.ID, SubscriptionID: sub.ID, EventType: "a.b", Status: models.StatusPending,
		URL: sub.URL, NextAttemptAt: &now, CreatedAt: now, UpdatedAt: now,
	}
	spec, err := (&models.Spec{Success: models.Success2xx(), On410: models.On410Gone}).Store()
	require.NoError(t, err)
	invocation.SpecDigest = spec.Digest
	require.NoError(t, s.CreateTest(t.Context(), invocation, spec))
	return invocation.ID
}

// ask asks for the attempt as a worker that has just renewed itself.
func ask(t *testing.T, s *store.Store, id string) models.Gate {
	t.Helper()
	owner := models.NewID()
	require.NoError(t, s.RenewWorker(t.Context(), owner))
	gates, err := s.Claim(t.Context(), owner, []string{id})
	require.NoError(t, err)
	require.Len(t, gates, 1)
	return gates[0]
}
