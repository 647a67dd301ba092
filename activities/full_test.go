package activities_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/models"
)

func TestSubscriptionIsFullUntilAnAttemptOfItLands(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const most = 256
		w := newWorld()
		w.answer = func(claim *models.Claim) models.Result {
			<-time.After(time.Duration(claim.Number) * time.Second)
			return models.Result{Outcome: models.AttemptSucceeded, StatusCode: 200}
		}
		fly := func(n int, subscription string) {
			id := fmt.Sprintf("%s%d", subscription, n)
			gate := granted(id, id, every(time.Hour, 2))
			gate.Claim.SubscriptionID, gate.Claim.Number = subscription, n
			w.gates[id] = []models.Gate{gate}
			firstAttempts(t, w, id)
		}
		for n := range most - 1 {
			fly(1000+n, "s")
		}
		require.False(t, w.Full("s"))
		fly(1000+most, "s")
		require.True(t, w.Full("s"))
		require.False(t, w.Full("another"))
		<-time.After(1000 * time.Second)
		synctest.Wait()
		require.False(t, w.Full("s"))
		require.NoError(t, w.Drain(t.Context()))
		require.False(t, w.Full("s"))
	})
}

func TestGateThatReleasedSomethingWakesTheDispatcher(t *testing.T) {
	t.Parallel()
	for _, released := range []bool{false, true} {
		w := newWorld()
		gate := closed("a", models.StatusCancelled)
		gate.Released = released
		w.gates["a"] = []models.Gate{gate}
		firstAttempts(t, w, "a")
		_, err := w.attempt()
		require.NoError(t, err)
		want := 0
		if released {
			want = 2
		}
		require.Equal(t, want, w.woken)
	}
}
