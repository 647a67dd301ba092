package app_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/internal/app"
	"github.com/posthorn/posthorn/internal/config"
	"github.com/posthorn/posthorn/internal/secret"
	"github.com/posthorn/posthorn/internal/testpg"
	"github.com/posthorn/posthorn/internal/testutil"
	temporaldev "github.com/posthorn/posthorn/temporal-dev"
	"github.com/posthorn/posthorn/workflows"
)

// databases are the URLs of a fresh SQLite file and a fresh Postgres database.
func databases(t *testing.T) map[string]func(t *testing.T) string {
	t.Helper()
	if onCluster() {
		return map[string]func(t *testing.T) string{"cluster": func(t *testing.T) string { t.Helper(); return testpg.URL(t) }}
	}
	return map[string]func(t *testing.T) string{
		"sqlite":   sqliteFile,
		"postgres": func(t *testing.T) string { t.Helper(); return testpg.URL(t) },
	}
}

func sqliteFile(t *testing.T) string {
	t.Helper()
	return "sqlite:" + filepath.Join(t.TempDir(), "posthorn.db")
}

// external is the configuration of `posthorn api` and `posthorn worker` on a migrated database.
func external(t *testing.T, database, temporal string) config.Config {
	t.Helper()
	cfg := config.Config{
		Listen: "127.0.0.1:0", DatabaseURL: database, TemporalAddress: temporal, TemporalNS: "default",
		OperatorKey: operatorKey, MasterKeys: secret.GenerateMasterKey(), AllowHTTP: true, EgressAllowCIDRs: []string{"127.0.0.0/8"},
	}
	_, err := app.MigrateUp(t.Context(), cfg)
	require.NoError(t, err)
	return cfg
}

// temporalAt runs a Temporal server of its own on the folder and the address (port 0 = any).
func temporalAt(t *testing.T, dir, address string) *temporaldev.Server {
	t.Helper()
	server, err := temporaldev.Start(context.WithoutCancel(t.Context()), temporaldev.Options{
		Dir: dir, Address: address, UIAddress: "off", SearchAttributes: workflows.SearchAttributes(), Logger: quietLog(),
	})
	require.NoError(t, err)
	return server
}

func stopTemporal(t *testing.T, server *temporaldev.Server) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), patience)
	defer cancel()
	require.NoError(t, server.Stop(ctx))
}

func TestF15_AcceptedWhileTemporalIsStoppedIsDeliveredWhenItReturns(t *testing.T) {
	t.Parallel()
	for name, database := range databases(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			server := temporalAt(t, dir, "127.0.0.1:0")
			address := server.Address()
			cfg := external(t, database(t), address)
			workers := start(t, cfg, app.Roles{Worker: true})
			w := start(t, cfg, app.Roles{API: true})
			receiver := newSink(t)
			application := w.application("standard", "")
			w.subscription(application, receiver.URL, nil)
			w.publish(application, `{"type":"a.b","payload":{"n":0}}`)
			receiver.await(1)

			stopTemporal(t, server)
			began := time.Now()
			for n := 1; n <= 20; n++ {
				w.publish(application, fmt.Sprintf(`{"type":"a.b","payload":{"n":%d}}`, n))
			}
			require.Less(t, time.Since(began), 5*time.Second, "publishing waited for Temporal")
			require.Len(t, receiver.got(), 1)

			server = temporalAt(t, dir, address)
			t.Cleanup(func() { stopTemporal(t, server) })
			require.Len(t, distinct(receiver.await(21)), 21)
			_ = workers
		})
	}
}

func TestAPIAcceptsWithoutAnyTemporal(t *testing.T) {
	t.Parallel()
	for name, database := range databases(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := external(t, database(t), "127.0.0.1:1")
			w := start(t, cfg, app.Roles{API: true})
			receiver := newSink(t)
			application := w.application("standard", "")
			w.subscription(application, receiver.URL, nil)
			_, ids := w.published(application, `{"type":"a.b","payload":{}}`)
			require.Equal(t, "pending", w.invocation(ids[0])["status"])
			require.Equal(t, 200, w.status("/readyz"))

			server := temporalAt(t, t.TempDir(), "127.0.0.1:0")
			t.Cleanup(func() { stopTemporal(t, server) })
			cfg.TemporalAddress = server.Address()
			start(t, cfg, app.Roles{Worker: true})
			w.becomes(ids[0], "succeeded")
		})
	}
}

func (w *world) status(path string) int {
	w.t.Helper()
	got, _ := w.raw("GET", path, nil, nil)
	return got
}

// distinct are the requests' bodies, each once.
func distinct(requests []request) map[string]int {
	bodies := map[string]int{}
	for _, r := range requests {
		bodies[string(r.body)]++
	}
	return bodies
}

func TestBusyPortNamesTheFlag(t *testing.T) {
	t.Parallel()
	var listen net.ListenConfig
	taken, err := listen.Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = taken.Close() })
	cfg := embedded(t)
	cfg.Listen = taken.Addr().String()
	_, err = app.Start(t.Context(), cfg, everything, "test", quietLog())
	require.ErrorContains(t, err, "--listen (POSTHORN_LISTEN)")
}

// spawn runs an embedded Posthorn in a process of its own, so that it can be killed.
func spawn(t *testing.T, dir, database string) (*world, *exec.Cmd) {
	t.Helper()
	if onCluster() {
		cfg := embedded(t)
		cfg.Data, cfg.DatabaseURL = dir, database
		encoded, err := json.Marshal(clustered(t, cfg))
		require.NoError(t, err)
		return spawnWith(t, "POSTHORN_TEST_CHILD="+dir, "POSTHORN_TEST_CHILD_CLUSTER="+string(encoded))
	}
	return spawnWith(t, "POSTHORN_TEST_CHILD="+dir, "POSTHORN_TEST_CHILD_DATABASE="+database)
}

func spawnWith(t *testing.T, environment ...string) (*world, *exec.Cmd) {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), self)
	cmd.Env = append(os.Environ(), environment...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		if cmd.ProcessState == nil {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}
	})
	url, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err, "the process did not start")
	urls := strings.Split(strings.TrimSpace(url), ",")
	return &world{t: t, key: operatorKey, url: urls[0], urls: newTurns(urls)}, cmd
}

func kill(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	require.NoError(t, cmd.Process.Kill())
	_ = cmd.Wait() // says "signal: killed"
}

// killPoint is when a process is killed: so long after so many events were accepted.
type killPoint struct {
	accepted int64
	after    time.Duration
}

// killPoints are n of them while so many events are published, each at random in its own part: what is published after
// one comes to the process that follows.
func killPoints(dice *rand.Rand, n, events int) []killPoint {
	points := make([]killPoint, n)
	part := events / n
	for i := range points {
		points[i] = killPoint{
			accepted: int64(i*part + dice.IntN(part)), after: time.Duration(dice.IntN(20_000)) * time.Microsecond,
		}
	}
	return points
}

// A process that is killed is API and worker in one, so each kill takes both, whatever they are at: requests without an
// answer, rows without a workflow, deliveries under way. POSTHORN_TEST_SEED repeats a run's points.
func TestTHR24_KilledAtRandomDuring500PublishesEveryAcceptedEventArrives(t *testing.T) {
	t.Parallel()
	for name, database := range databases(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const events, clients, kills = 500, 4, 5
			dir, url := t.TempDir(), database(t)
			w, process := spawn(t, dir, url)
			s := newStorm(t, 1, events, clients)
			s.app = w.application("standard", `{"retry":{"kind":"fixed","interval":"100ms","max_attempts":100}}`)
			w.subscription(s.app, s.receiver.URL+"/0", nil)
			var alive atomic.Pointer[world] // nil while none is: its port may be anybody's
			alive.Store(w)
			published := make(chan struct{})
			go func() {
				defer close(published)
				s.publish(func() string {
					if at := alive.Load(); at != nil {
						return at.base()
					}
					return "" // refused at once, like a port where nobody listens
				})
			}()
			t.Cleanup(func() { <-published })
			for _, point := range killPoints(rand.New(rand.NewPCG(testutil.Seed(t), 0)), kills, events) {
				require.Eventually(t, func() bool { return s.accepted.Load() >= point.accepted }, s.within, time.Millisecond)
				<-time.After(point.after)
				t.Logf("killed with %d accepted, %d deliveries missing", s.accepted.Load(), s.missing())
				kill(t, process)
				alive.Store(nil)
				w, process = spawn(t, dir, url)
				alive.Store(w)
			}
			<-published
			require.EqualValues(t, events, s.accepted.Load())
			require.Eventually(t, func() bool { return s.missing() == 0 }, s.within, 20*time.Millisecond, "events were lost")
			done := "/v1/applications/" + s.app + "/invocations?limit=500&status=succeeded"
			require.Eventually(t, func() bool { return len(w.listed(done)) == events }, patience, 50*time.Millisecond)
			require.Len(t, w.listed("/v1/applications/"+s.app+"/events?limit=500"), events, "a repeat under its key is the same event")
			s.mu.Lock()
			defer s.mu.Unlock()
			t.Logf("%d events, %d requests", events, len(s.arrived[0]))
		})
	}
}
