package store_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/internal/secret"
	"github.com/posthorn/posthorn/internal/store"
	"github.com/posthorn/posthorn/internal/testutil"
	"github.com/posthorn/posthorn/models"
)

// BenchmarkDelivery is what the database does for an event that is delivered at the first attempt: it is accepted, its
// invocations are claimed in one go, each is settled by itself. Sixteen events are under way at once.
func BenchmarkDelivery(b *testing.B) {
	for _, subscriptions := range []int{1, 5, 50} {
		b.Run(fmt.Sprintf("subscriptions=%d", subscriptions), func(b *testing.B) {
			w := newBench(b, "sqlite:"+filepath.Join(b.TempDir(), "posthorn.db"), subscriptions)
			b.SetParallelism(8)
			before := testutil.CPUTime(b)
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					w.deliver(b)
				}
			})
			b.ReportMetric(float64((testutil.CPUTime(b)-before).Microseconds())/float64(b.N*subscriptions), "cpu-µs/delivery")
		})
	}
}

type bench struct {
	store         *store.Store
	application   *models.Application
	subscriptions []*models.Subscription
	spec          models.StoredSpec
	owner         string
	payload       []byte
}

func newBench(b *testing.B, url string, subscriptions int) *bench {
	b.Helper()
	keyring, err := secret.NewKeyring(secret.GenerateMasterKey())
	require.NoError(b, err)
	s, err := store.Open(b.Context(), store.Options{URL: url, Keyring: keyring})
	require.NoError(b, err)
	b.Cleanup(s.Close)
	require.NoError(b, s.Migrate(b.Context()))
	spec := &models.Spec{Success: models.Success2xx(), Timeout: models.Duration(10 * time.Second), On410: models.On410Gone}
	w := &bench{store: s, owner: models.NewID(), payload: []byte(`{"text":"` + strings.Repeat("x", 1000) + `"}`)}
	w.spec, err = spec.Store()
	require.NoError(b, err)
	require.NoError(b, s.RenewWorker(b.Context(), w.owner))
	now := s.Now().UTC()
	w.application = &models.Application{
		ID: models.NewID(), Name: "bench", Profile: "standard", Environment: models.EnvironmentDemo, ExternalID: "bench",
		CreatedAt: now, UpdatedAt: now,
	}
	require.NoError(b, s.CreateApplication(b.Context(), w.application))
	for range subscriptions {
		sub := &models.Subscription{
			ID: models.NewID(), ApplicationID: w.application.ID, URL: "https://receiver.example/hook", EventTypes: []string{"*"},
			Enabled: true, Verified: true, CreatedAt: now, UpdatedAt: now,
		}
		require.NoError(b, s.CreateSubscription(b.Context(), sub, subscriptions))
		w.subscriptions = append(w.subscriptions, sub)
	}
	return w
}

func (w *bench) acceptance() *models.Acceptance {
	now := w.store.Now().UTC()
	e := &models.Event{
		ID: models.NewID(), ApplicationID: w.application.ID, Tenant: "bench", Type: "loan.updated", Wire: `"LOAN"`,
		Payload: w.payload, Digest: make([]byte, 32), CreatedAt: now,
	}
	a := &models.Acceptance{Event: e, Specs: []models.StoredSpec{w.spec}}
	for _, sub := range w.subscriptions {
		lease := now.Add(3 * time.Second)
		a.Invocations = append(a.Invocations, &models.Invocation{
			ID: models.NewID(), ApplicationID: e.ApplicationID, SubscriptionID: sub.ID, EventID: &e.ID, EventType: e.Type,
			Status: models.StatusPending, SpecDigest: w.spec.Digest, URL: sub.URL, NextAttemptAt: &now, DispatchAfter: &lease,
			WorkflowID: "event/" + e.ID, CreatedAt: now, UpdatedAt: now,
		})
	}
	return a
}

func (w *bench) deliver(b *testing.B) {
	b.Helper()
	a := w.acceptance()
	require.NoError(b, w.store.Accept(b.Context(), w.application.ID, []*models.Acceptance{a}))
	ids := make([]string, 0, len(a.Invocations))
	for _, i := range a.Invocations {
		ids = append(ids, i.ID)
	}
	gates, err := w.store.Claim(b.Context(), w.owner, ids)
	require.NoError(b, err)
	var flights sync.WaitGroup
	for _, gate := range gates {
		flights.Go(func() { w.settle(b, gate) })
	}
	flights.Wait()
}

func (w *bench) settle(b *testing.B, gate models.Gate) {
	b.Helper()
	if gate.Verdict != models.VerdictGranted {
		b.Errorf("not granted: %+v", gate)
		return
	}
	now := w.store.Now().UTC()
	settled, err := w.store.Settle(b.Context(), gate.Claim.Settle(models.Result{
		StartedAt: now, FinishedAt: now, StatusCode: 200, Outcome: models.AttemptSucceeded,
		RequestHeaders:  []models.Header{{Name: "Content-Type", Value: "application/json"}, {Name: "Webhook-Id", Value: gate.InvocationID}},
		ResponseHeaders: []models.Header{{Name: "Content-Length", Value: "2"}}, ResponseBody: []byte("ok"),
	}))
	if err != nil || !settled.Kept {
		b.Errorf("not settled: %+v, %v", settled, err)
	}
}
