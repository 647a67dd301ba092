package app_test

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	sdklog "go.temporal.io/sdk/log"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/posthorn/posthorn/internal/app"
	"github.com/posthorn/posthorn/internal/config"
	"github.com/posthorn/posthorn/internal/secret"
	"github.com/posthorn/posthorn/internal/testpg"
	"github.com/posthorn/posthorn/models"
)

// With `make cluster-test` the worlds of the tests are no embedded ones:
//
//   - The shared world is the cluster itself: each request goes to the next of its two API processes, its two worker
//     processes deliver, its Temporal server keeps its data in Postgres. The test process has no part of Posthorn but a
//     view of the database and of Temporal.
//   - A world of a test's own is two APIs and two workers too, inside the test process, or in one that the test may
//     kill, with a database and a Temporal namespace of its own on the cluster's servers.
//
// Tests that stop or configure a Temporal server start an embedded one, as ever.

// notOnCluster are the tests that do not run there, and why.
func notOnCluster() map[string]string {
	return map[string]string{
		"TestAnErasureSurvivesACrash": "nobody retires a killed worker there: its lease, and the minute in which no other " +
			"workflow is started for an erasure, are more than the test waits",
		"TestEachMetricOfAlertsAndDashboardIsShownByDev": "asks one process for the metrics of an API and of a worker",
		"TestScheduleOfTheRetentionOutlivesRestarts": "the second of two workers sets the schedule right after the first, which the " +
			"test takes for the restarted one",
		"TestF57_EndlessRequestsCostNoMemory": "measures the memory of the test's process, where no API is",
	}
}

// clusterURLs are the cluster's APIs; none = the worlds are embedded ones.
func clusterURLs() []string {
	if text := os.Getenv("POSTHORN_TEST_CLUSTER"); text != "" {
		return strings.Split(text, ",")
	}
	return nil
}

func onCluster() bool { return len(clusterURLs()) > 0 }

// skipOnCluster leaves out what cannot run there, and says so.
func skipOnCluster() error {
	if !onCluster() {
		return nil
	}
	flag.Parse()
	reasons := notOnCluster()
	names := slices.Sorted(maps.Keys(reasons))
	for i, name := range names {
		_, _ = fmt.Fprintf(os.Stdout, "not on a cluster: %s: %s\n", name, reasons[name])
		names[i] = "^" + regexp.QuoteMeta(name) + "$"
	}
	if given := flag.Lookup("test.skip").Value.String(); given != "" {
		names = append(names, given)
	}
	return flag.Set("test.skip", strings.Join(names, "|"))
}

// flavours are the shared worlds that a test runs on.
func flavours() []string {
	if onCluster() {
		return []string{"cluster"}
	}
	return []string{"sqlite", "postgres"}
}

// clusterConfig is what the cluster's processes have, as far as a view of them needs it.
func clusterConfig() config.Config {
	return config.Config{
		DatabaseURL: os.Getenv("POSTHORN_DATABASE_URL"), MasterKeys: os.Getenv("POSTHORN_MASTER_KEYS"),
		OperatorKey: os.Getenv("POSTHORN_OPERATOR_KEY"), TemporalAddress: os.Getenv("TEMPORAL_ADDRESS"),
		TemporalNS: os.Getenv("TEMPORAL_NAMESPACE"),
	}
}

// theCluster is the world of the cluster's own processes.
func theCluster(t *testing.T) *world {
	t.Helper()
	cfg := clusterConfig()
	require.Equal(t, operatorKey, cfg.OperatorKey, "the tests need this one: see make cluster-test")
	view, err := app.View(context.WithoutCancel(t.Context()), cfg, quietLog())
	require.NoError(t, err)
	urls := clusterURLs()
	return &world{t: t, app: view, cfg: cfg, key: operatorKey, url: urls[0], urls: newTurns(urls)}
}

// turns gives each request to the next API.
type turns struct {
	mu   sync.Mutex
	urls []string
	next int
}

func newTurns(urls []string) *turns { return &turns{urls: urls} }

func (t *turns) take() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.next++
	return t.urls[t.next%len(t.urls)]
}

// privateWorlds has what the data folder of an embedded world would have: a world that is started anew finds it again.
var privateWorlds = struct { //nolint:gochecknoglobals // one for the process, as a file system is
	mu      sync.Mutex
	configs map[string]config.Config
}{configs: map[string]config.Config{}}

// clustered is the configuration of an embedded world on the cluster's servers.
func clustered(t *testing.T, cfg config.Config) config.Config {
	t.Helper()
	kept := keptConfig(t, cfg.Data)
	cfg.TemporalAddress, cfg.TemporalNS = kept.TemporalAddress, kept.TemporalNS
	if cfg.DatabaseURL == "" {
		cfg.DatabaseURL = kept.DatabaseURL
	}
	if cfg.MasterKeys == "" {
		cfg.MasterKeys = kept.MasterKeys
	}
	cfg.AllowHTTPLoopback = true
	if len(cfg.EgressAllowCIDRs) == 0 {
		cfg.EgressAllowCIDRs = []string{"127.0.0.0/8", "::1/128"}
	}
	_, err := app.MigrateUp(t.Context(), cfg)
	require.NoError(t, err)
	return cfg
}

func keptConfig(t *testing.T, dir string) config.Config {
	t.Helper()
	privateWorlds.mu.Lock()
	defer privateWorlds.mu.Unlock()
	if kept, ok := privateWorlds.configs[dir]; ok {
		return kept
	}
	kept := config.Config{
		TemporalAddress: os.Getenv("TEMPORAL_ADDRESS"), TemporalNS: "test-" + models.NewID(),
		MasterKeys: secret.GenerateMasterKey(), DatabaseURL: testpg.URL(t),
	}
	registerNamespace(t, kept)
	privateWorlds.configs[dir] = kept
	return kept
}

// registerNamespace returns when the server knows the namespace with its search attributes. Its services learn of
// both within two seconds of each other.
func registerNamespace(t *testing.T, cfg config.Config) {
	t.Helper()
	c, err := client.NewNamespaceClient(client.Options{HostPort: cfg.TemporalAddress, Logger: sdkLog()})
	require.NoError(t, err)
	defer c.Close()
	err = c.Register(t.Context(), &workflowservice.RegisterNamespaceRequest{
		Namespace: cfg.TemporalNS, WorkflowExecutionRetentionPeriod: durationpb.New(24 * time.Hour),
	})
	require.NoError(t, err)
	require.EventuallyWithT(t, func(tries *assert.CollectT) {
		_, err := app.RegisterSearchAttributes(t.Context(), cfg)
		assert.NoError(tries, err)
	}, patience, 200*time.Millisecond)
	searchable(t, cfg)
}

func sdkLog() sdklog.Logger { return sdklog.NewStructuredLogger(quietLog()) }

// searchable returns when the frontend takes queries by the attributes, and the other services have had their time.
func searchable(t *testing.T, cfg config.Config) {
	t.Helper()
	c, err := client.Dial(client.Options{HostPort: cfg.TemporalAddress, Namespace: cfg.TemporalNS, Logger: sdkLog()})
	require.NoError(t, err)
	defer c.Close()
	require.Eventually(t, func() bool {
		_, err := c.CountWorkflow(t.Context(), &workflowservice.CountWorkflowExecutionsRequest{Query: "PosthornStatus = 'none'"})
		return err == nil
	}, patience, 200*time.Millisecond)
	<-time.After(namespaceRefresh)
}

// namespaceRefresh is how often each service of a Temporal server reads the namespaces (namespaceCacheRefreshInterval).
const namespaceRefresh = 2 * time.Second

// bootCluster starts two workers and two APIs. The first worker stands for all where a test looks inside.
func bootCluster(cfg config.Config) ([]*app.App, []string, error) {
	var apps []*app.App
	var urls []string
	for _, roles := range []app.Roles{{Worker: true}, {Worker: true}, {API: true}, {API: true}} {
		a, err := app.Start(context.Background(), cfg, roles, "test", quietLog())
		if err != nil {
			return nil, nil, errors.Join(err, stopAll(apps))
		}
		apps = append(apps, a)
		if roles.API {
			urls = append(urls, a.URL())
		}
	}
	return apps, urls, nil
}

// stopAll ends them all, the APIs first.
func stopAll(apps []*app.App) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var failures []error
	for _, a := range slices.Backward(apps) {
		failures = append(failures, a.Stop(ctx))
	}
	return errors.Join(failures...)
}

// clusterChild is child for a configuration of clustered: it prints the APIs' addresses.
func clusterChild(ctx context.Context, text string) error {
	var cfg config.Config
	if err := json.Unmarshal([]byte(text), &cfg); err != nil {
		return err
	}
	apps, urls, err := bootCluster(cfg) //nolint:contextcheck // ctx only says when to end
	if err != nil {
		return err
	}
	_, _ = fmt.Fprintln(os.Stdout, strings.Join(urls, ","))
	<-ctx.Done()
	return stopAll(apps) //nolint:contextcheck // ctx has ended
}
