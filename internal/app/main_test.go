package app_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/posthorn/posthorn/internal/app"
	"github.com/posthorn/posthorn/internal/config"
	"github.com/posthorn/posthorn/internal/testpg"
)

// TestMain runs the tests, or, in a process that a crash test started, Posthorn itself.
func TestMain(m *testing.M) {
	if dir := os.Getenv("POSTHORN_TEST_CHILD"); dir != "" {
		os.Exit(child(dir))
	}
	if err := skipOnCluster(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	shared.stop()
	os.Exit(code)
}

// child is an embedded Posthorn on the folder, or a worker where a configuration says so; it prints its address and
// runs until it is killed or asked to stop.
func child(dir string) int {
	cfg := config.Config{
		Listen: "127.0.0.1:0", Data: dir, TemporalListen: "127.0.0.1:0", TemporalUIListen: "off", TemporalNS: "default",
		OperatorKey: operatorKey, DatabaseURL: os.Getenv("POSTHORN_TEST_CHILD_DATABASE"),
	}
	roles := everything
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	if clustered := os.Getenv("POSTHORN_TEST_CHILD_CLUSTER"); clustered != "" {
		if err := clusterChild(ctx, clustered); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		return 0
	}
	if worker := os.Getenv("POSTHORN_TEST_CHILD_WORKER"); worker != "" {
		roles = app.Roles{Worker: true}
		if err := json.Unmarshal([]byte(worker), &cfg); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	a, err := app.Start(ctx, cfg, roles, "test", quietLog())
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	_, _ = fmt.Fprintln(os.Stdout, a.URL())
	<-ctx.Done()
	ending, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := a.Stop(ending); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// shared are the worlds that most tests use, each with applications of its own: one on SQLite, one on Postgres.
var shared = &sharedWorlds{} //nolint:gochecknoglobals // starting one for each test would cost a second each

type sharedWorlds struct {
	mu     sync.Mutex
	worlds map[string]*world
	dirs   []string
}

// onEach runs the test on both databases, in parallel, or on the cluster.
func onEach(t *testing.T, test func(w *world)) {
	t.Helper()
	for _, database := range flavours() {
		t.Run(database, func(t *testing.T) {
			t.Parallel()
			test(shared.on(t, database))
		})
	}
}

// onEachAlone is onEach in worlds of the test's own, for tests that change what others see: profiles and catalogues.
func onEachAlone(t *testing.T, test func(w *world)) {
	t.Helper()
	for name, database := range databases(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := embedded(t)
			cfg.DatabaseURL = database(t)
			test(start(t, cfg, everything))
		})
	}
}

// on is the shared world on the database, started when it is first asked for.
func (s *sharedWorlds) on(t *testing.T, database string) *world {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if w, ok := s.worlds[database]; ok {
		return w.at(t)
	}
	if s.worlds == nil {
		s.worlds = map[string]*world{}
	}
	if onCluster() {
		s.worlds[database] = theCluster(t)
		return s.worlds[database].at(t)
	}
	dir, err := os.MkdirTemp("", "posthorn-test-") //nolint:usetesting // it outlives the test that asked first
	if err != nil {
		t.Fatal(err)
	}
	s.dirs = append(s.dirs, dir)
	cfg := embedded(t)
	cfg.Data = dir
	if database == "postgres" {
		cfg.DatabaseURL = testpg.Shared(t)
	}
	w := boot(t, cfg, everything)
	s.worlds[database] = w
	return w.at(t)
}

func (s *sharedWorlds) stop() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	for _, w := range s.worlds {
		if err := w.app.Stop(ctx); err != nil {
			fmt.Fprintln(os.Stderr, "stop shared world:", err)
		}
	}
	for _, dir := range s.dirs {
		_ = os.RemoveAll(dir)
	}
}
