package app_test

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"google.golang.org/protobuf/proto"

	"github.com/posthorn/posthorn/models"
)

// fanOut is how many subscriptions one event goes to in the plain suite; `make fault` has 1,000.
const fanOut = 60

func TestF58_FanOutCarriesNoPayloadThroughTemporal(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) { w.fansOut(fanOut, 4*patience) })
}

// fansOut publishes one event of 1 MiB to n subscriptions. Each gets every byte; no workflow's history has any of it,
// and all of them together are smaller than 1 MB.
func (w *world) fansOut(n int, patience time.Duration) {
	w.t.Helper()
	receiver := newDigests(w.t)
	app := w.application("standard", fmt.Sprintf(`{"subscription_limit":%d,"retry":{"kind":"fixed","interval":"50ms","max_attempts":2}}`, n))
	for range n {
		w.subscription(app, receiver.URL, nil)
	}
	const canary = "canary-of-the-payload"
	payload := `"` + canary + strings.Repeat("x", models.MaxPayloadBytes-2-len(canary)) + `"`
	event, ids := w.published(app, `{"type":"a.b","payload":`+payload+`}`)
	require.Len(w.t, ids, n)
	require.Eventually(w.t, func() bool {
		return w.redeliveries(app, `{"dry_run":true,"filter":{"status":"succeeded"}}`).count("matched") == n
	}, patience, 50*time.Millisecond)
	require.Len(w.t, receiver.sums[event], n+1, "each once, and the refused one again")
	for _, sum := range receiver.sums[event] {
		require.Equal(w.t, sha256.Sum256([]byte(payload)), sum)
	}
	size := 0
	for i := range (n + 49) / 50 {
		id := "event/" + event
		if i > 0 {
			id = fmt.Sprintf("%s/%d", id, i+1)
		}
		w.workflowCloses(id)
		size += w.historyWithout(id, canary)
	}
	w.t.Logf("%d subscriptions: %d bytes of history", n, size)
	require.Positive(w.t, size)
	require.Less(w.t, size, 1_000_000)
}

// historyWithout is the size of the workflow's history, which must not have the text in it.
func (w *world) historyWithout(id, text string) (size int) {
	w.t.Helper()
	events := w.app.TemporalClient().GetWorkflowHistory(w.t.Context(), id, "", false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for events.HasNext() {
		e, err := events.Next()
		require.NoError(w.t, err)
		encoded, err := proto.Marshal(e)
		require.NoError(w.t, err)
		require.NotContains(w.t, string(encoded), text)
		size += len(encoded)
	}
	return size
}
