package fault_test

import (
	"os"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestMain(m *testing.M) {
	code := m.Run()
	for _, d := range shared.deployments {
		d.close(code != 0)
	}
	os.Exit(code)
}

// shared are the deployments that most tests use one after the other, each with an application of its own. A test
// leaves every process running and every line whole.
//
//nolint:gochecknoglobals // starting them for each test would take longer than the tests
var shared struct {
	sync.Mutex
	deployments map[string]*deployment
}

// cluster is the shared one: two APIs, two workers, a Temporal server and a Postgres, with proxies between them.
func cluster(t *testing.T) *deployment {
	t.Helper()
	return sharedDeployment(t, "cluster", shape{apis: 2, workers: 2, proxied: true})
}

// embedded is the shared `posthorn dev`.
func embedded(t *testing.T) *deployment {
	t.Helper()
	return sharedDeployment(t, "embedded", shape{})
}

func sharedDeployment(t *testing.T, name string, s shape) *deployment {
	t.Helper()
	shared.Lock()
	defer shared.Unlock()
	d := shared.deployments[name]
	if d == nil {
		var err error
		d, err = newDeployment(t, s)
		require.NoError(t, err)
		if shared.deployments == nil {
			shared.deployments = map[string]*deployment{}
		}
		shared.deployments[name] = d
	}
	d.mend(t)
	return d
}

// mend starts what an earlier test left ended.
func (d *deployment) mend(t *testing.T) {
	t.Helper()
	for _, line := range []*proxy{d.toPostgres, d.toTemporal} {
		if line != nil {
			line.heal()
		}
	}
	for _, p := range d.processes() {
		if !p.runs() {
			require.NoError(t, d.run(p))
		}
	}
	d.ready(t)
}

// onEach runs a test on the embedded mode and on the cluster: on SQLite and on Postgres (I8).
func onEach(t *testing.T, test func(t *testing.T, d *deployment)) {
	t.Helper()
	t.Run("embedded", func(t *testing.T) { test(t, embedded(t)) })
	t.Run("cluster", func(t *testing.T) { test(t, cluster(t)) })
}
