package fault_test

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite" // to look at what a killed process left

	"github.com/posthorn/posthorn/internal/program"
	"github.com/posthorn/posthorn/internal/secret"
)

func TestF10_DatabaseRestarted(t *testing.T) {
	d := cluster(t)
	const events = 60
	l := newLoad(t, d, loadOf{})
	l.receiver.behaves(flaky(dice(t)))
	l.publisher.many(t, 0, events, 8, kind(0))

	require.NoError(t, d.postgres.StopNow())
	var publishing sync.WaitGroup
	publishing.Go(func() { l.publisher.many(t, events, events, 8, kind(0)) })
	a, err := d.client.ask(t.Context(), http.MethodPost, "/v1/applications/"+l.app+"/events", []byte(`{"type":"a.b","payload":{}}`))
	require.NoError(t, err)
	require.Equal(t, http.StatusServiceUnavailable, a.status, "%s", a.body)
	require.NotEmpty(t, a.header.Get("Retry-After"))
	<-time.After(outageOf(5 * time.Second))
	accepted := len(l.publisher.accepted())
	require.Equal(t, events, accepted, "202 while there was no database")
	require.NoError(t, d.postgres.Start())
	back := time.Now()
	require.Eventually(t, func() bool { return len(l.publisher.accepted()) > events }, 5*time.Second, 5*time.Millisecond,
		"the API did not recover")
	recovered := time.Since(back)
	publishing.Wait()

	require.Positive(t, l.publisher.unavailable)
	require.Zero(t, l.publisher.unadvised, "503 without Retry-After")
	l.receiver.awaitDelivered(t, 2*events, patience)
	l.check(t)
	t.Logf("%d answers 503; accepted again %s after Postgres was", l.publisher.unavailable, recovered.Round(time.Millisecond))
}

func TestF13_DiskFull(t *testing.T) {
	d := deploy(t, shape{})
	l := newLoad(t, d, loadOf{})
	_, err := d.embedded.stop()
	require.NoError(t, err)
	file := filepath.Join(d.dir, "data", "posthorn.db")
	info, err := os.Stat(file)
	require.NoError(t, err)
	require.NoError(t, d.run(d.embedded, fmt.Sprintf("POSTHORN_FAILPOINT_PAGES=%d", info.Size()/4096+20)))
	last := 0
	for ; last < 10_000; last++ {
		a, err := l.publishOnce(t, last)
		require.NoError(t, err)
		if a.status != http.StatusAccepted {
			require.Equal(t, http.StatusServiceUnavailable, a.status, "%s", a.body)
			require.NotEmpty(t, a.header.Get("Retry-After"))
			break
		}
	}
	require.Positive(t, last, "nothing was taken at all")
	require.Less(t, last, 10_000, "the fault did not fire")
	require.NoError(t, d.embedded.Kill()) // in the middle of it all

	require.Equal(t, "ok", integrity(t, file))
	require.NoError(t, d.run(d.embedded))
	for n := range last + 1 { // those that were accepted are there, and the one that was not goes in now
		answer, err := l.publisher.publish(t.Context(), n, kind(0))
		require.NoError(t, err)
		require.Equal(t, n < last, answer.Duplicate, "event %d of %d", n, last)
	}
	l.receiver.awaitDelivered(t, last+1, patience)
	l.check(t)
	t.Logf("full after %d events", last)
}

// integrity is what SQLite says of a file.
func integrity(t *testing.T, file string) string {
	t.Helper()
	db, err := sql.Open("sqlite", file)
	require.NoError(t, err)
	defer func() { _ = db.Close() }()
	var verdict string
	require.NoError(t, db.QueryRowContext(t.Context(), "PRAGMA integrity_check").Scan(&verdict))
	return verdict
}

func TestF14_SQLiteKilledWhileItWrites(t *testing.T) {
	dice := dice(t)
	d, err := newSQLiteAPI(t)
	require.NoError(t, err)
	l := newLoad(t, d, loadOf{receiver: newReceiver(t)})
	file := filepath.Join(d.dir, "posthorn.db")
	api, n := d.apis[0], 0
	for range sqliteKills {
		stop, done := make(chan struct{}), make(chan int)
		go func() { done <- l.publishUntil(t, stop, n) }()
		<-time.After(time.Duration(5+dice.IntN(60)) * time.Millisecond)
		require.NoError(t, api.Kill())
		close(stop)
		n = <-done
		require.NoError(t, d.run(api))
	}
	require.NoError(t, api.Kill())
	require.Equal(t, "ok", integrity(t, file))
	require.NoError(t, d.run(api))
	events := list[struct {
		ID string `json:"id"`
	}](t, d.client, "/v1/applications/"+l.app+"/events?limit=500")
	stored := map[string]bool{}
	for _, e := range events {
		stored[e.ID] = true
	}
	accepted := l.publisher.accepted()
	require.NotEmpty(t, accepted)
	for _, e := range accepted {
		require.True(t, stored[e.id], "event %s was answered 202 and is gone", e.id)
	}
	t.Logf("%d kills, %d events answered 202, %d stored", sqliteKills, len(accepted), len(events))
}

// newSQLiteAPI is an API alone on a SQLite file: it starts in a tenth of a second.
func newSQLiteAPI(t *testing.T) (*deployment, error) {
	t.Helper()
	d := &deployment{dir: t.TempDir(), binary: binary(t), key: "operator-key-of-an-api-alone-0123456789"}
	address, err := program.FreeAddress(t.Context())
	if err != nil {
		return nil, err
	}
	d.environment = []string{
		"POSTHORN_OPERATOR_KEY=" + d.key, "POSTHORN_DATABASE_URL=sqlite:" + filepath.Join(d.dir, "posthorn.db"),
		"POSTHORN_MASTER_KEYS=" + secret.GenerateMasterKey(), "POSTHORN_ALLOW_HTTP=true", "POSTHORN_EGRESS_ALLOW_CIDRS=127.0.0.0/8",
	}
	if err := d.migrate(); err != nil {
		return nil, err
	}
	p := d.process("api", "api", "POSTHORN_LISTEN="+address)
	p.url = "http://" + address
	d.apis, d.client = []*process{p}, newClient(d.key, p.url)
	t.Cleanup(p.end)
	return d, d.run(p)
}

// publishUntil publishes events one after the other, each once, and returns the next number.
func (l *load) publishUntil(t *testing.T, stop <-chan struct{}, n int) int {
	t.Helper()
	for ; ; n++ {
		select {
		case <-stop:
			return n
		default:
		}
		_, _ = l.publishOnce(t, n) // the API may die of it
	}
}

// publishOnce publishes event n without insisting; the ledger has it where the answer is 202.
func (l *load) publishOnce(t *testing.T, n int) (answer, error) {
	t.Helper()
	text, key, payload := event(l.app, n, kind(0))
	a, err := l.d.client.ask(t.Context(), http.MethodPost, "/v1/applications/"+l.app+"/events", []byte(text))
	var said told
	if err == nil && a.status == http.StatusAccepted {
		if err = json.Unmarshal(a.body, &said); err == nil {
			l.publisher.note(l.publisher.begin(key, payload), said)
		}
	}
	return a, err
}
