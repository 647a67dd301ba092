package app_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/internal/app"
	"github.com/posthorn/posthorn/internal/secret"
	"github.com/posthorn/posthorn/migrations"
)

// exec runs SQL with `?` for each argument.
func (w *world) exec(statement string, args ...any) {
	w.t.Helper()
	pool, err := w.app.Store().SQL()
	require.NoError(w.t, err)
	if w.app.Store().Dialect() == migrations.Postgres {
		for i := range args {
			statement = strings.Replace(statement, "?", fmt.Sprintf("$%d", i+1), 1)
		}
	}
	_, err = pool.ExecContext(w.t.Context(), statement, args...)
	require.NoError(w.t, err)
}

// swapSecrets gives two subscriptions each other's ciphertext.
func (w *world) swapSecrets(a, b string) {
	w.t.Helper()
	w.exec("CREATE TABLE swap AS SELECT id, sealed FROM subscriptions WHERE id IN (?, ?)", a, b)
	w.exec("UPDATE subscriptions SET sealed = (SELECT sealed FROM swap WHERE swap.id <> subscriptions.id) WHERE id IN (?, ?)", a, b)
	w.exec("DROP TABLE swap")
}

// Master keys are changed while events are delivered, and not one delivery fails: by a rotation that stops in the middle
// at a row that is not its own, and is run again. A ciphertext that was copied to another row does not open.
func TestMasterKeysAreRotatedUnderLoad(t *testing.T) {
	t.Parallel()
	for name, database := range databases(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const subscriptions = 130 // more than two batches
			receiver := newSink(t)
			cfg := embedded(t)
			old, fresh := secret.GenerateMasterKey(), secret.GenerateMasterKey()
			cfg.DatabaseURL, cfg.MasterKeys = database(t), old+","+fresh // first everybody knows the new key
			w := start(t, cfg, everything)
			application := w.application("standard", `{"subscription_limit":1000,"retry":{"kind":"fixed","interval":"50ms"}}`)
			secrets, ids := map[string]string{}, make([]string, subscriptions)
			for i := range ids {
				eventType := fmt.Sprintf("type.%d", i%10)
				sub := w.subscription(application, fmt.Sprintf("%s/%d", receiver.URL, i), object{
					"event_types": []string{eventType}, "enabled": i < 60 || i > 69, // those of the middle batch are not sent to
				})
				ids[i] = sub["id"].(string)
				secrets[fmt.Sprintf("/%d", i)] = sub["secret"].(string)
			}
			w.stop()
			cfg.MasterKeys = fresh + "," + old // then it is used
			w = start(t, cfg, everything)

			sent := 0
			stop, stopped := make(chan struct{}), sync.WaitGroup{}
			stopped.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
						w.publish(application, fmt.Sprintf(`{"type":"type.%d","payload":{"n":%d}}`, sent%10, sent))
						sent++
					}
				}
			})
			w.swapSecrets(ids[61], ids[67])
			w.call("GET", "/v1/subscriptions/"+ids[61], nil, 500)
			first, err := app.RotateSecrets(t.Context(), cfg)
			require.ErrorContains(t, err, ids[61])
			require.Equal(t, 50, first, "the batch before the row that does not open")
			w.swapSecrets(ids[61], ids[67])
			second, err := app.RotateSecrets(t.Context(), cfg)
			require.NoError(t, err)
			require.Equal(t, subscriptions, first+second, "it went on where it was")
			third, err := app.RotateSecrets(t.Context(), cfg)
			require.NoError(t, err)
			require.Zero(t, third)
			before := len(receiver.got())
			require.Eventually(t, func() bool { return len(receiver.got()) > before+20 }, patience, 10*time.Millisecond)
			close(stop)
			stopped.Wait()
			expected := 12 * sent // of each type there are 13, one of them disabled
			got := receiver.await(expected)
			require.Len(t, got, expected, "no delivery was tried twice")
			for _, r := range got {
				require.True(t, verifies(t, secrets[r.target], r), r.target)
			}
			t.Logf("%d events, %d deliveries, none failed", sent, expected)
			batches := w.call("GET", "/v1/audit?action=rotate-master-key", nil, 200)["items"].([]any)
			total := 0.0
			for _, entry := range batches {
				require.Equal(t, "master_key", entry.(map[string]any)["subject_type"])
				total += entry.(map[string]any)["detail"].(map[string]any)["subscriptions"].(float64)
			}
			require.InDelta(t, subscriptions, total, 0)
			w.stop()

			cfg.MasterKeys = fresh // and the old one goes
			w = start(t, cfg, everything)
			w.publish(application, `{"type":"type.1","payload":{}}`)
			for _, r := range receiver.await(expected + 12)[expected:] {
				require.True(t, verifies(t, secrets[r.target], r))
			}
		})
	}
}
