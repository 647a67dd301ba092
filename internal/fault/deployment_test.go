package fault_test

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/internal/program"
	"github.com/posthorn/posthorn/internal/secret"
	"github.com/posthorn/posthorn/internal/testpg"
)

// deployment is a running Posthorn: `posthorn dev` on SQLite, or api, worker and temporal as processes of their own
// on a Postgres of their own.
type deployment struct {
	dir, binary string
	key         string
	// environment is what every process gets.
	environment []string
	postgres    *testpg.Server
	// toPostgres and toTemporal are the lines of a proxied cluster.
	toPostgres, toTemporal *proxy
	temporal, embedded     *process
	apis, workers          []*process
	client                 *client
}

// shape says what a deployment is made of.
type shape struct {
	// apis and workers are how many of each a cluster has; none of both = embedded.
	apis, workers int
	// proxied puts a proxy on the lines to Postgres and Temporal.
	proxied bool
	// data is the folder for the databases' files; "" = that of the logs, or Postgres's own.
	data string
	// logLevel is debug by default: what must not be logged must not be logged there either.
	logLevel string
	// environment is added to every process's.
	environment []string
}

// deploy starts a deployment that ends with the test.
func deploy(t *testing.T, s shape) *deployment {
	t.Helper()
	d, err := newDeployment(t, s)
	if d != nil {
		t.Cleanup(func() { d.close(t.Failed()) })
	}
	require.NoError(t, err)
	return d
}

func newDeployment(t *testing.T, s shape) (*deployment, error) {
	t.Helper()
	dir, err := os.MkdirTemp("", "posthorn-fault-") //nolint:usetesting // kept where the test fails
	if err != nil {
		return nil, err
	}
	if s.logLevel == "" {
		s.logLevel = "debug"
	}
	d := &deployment{dir: dir, binary: binary(t), key: "operator-key-" + rand.Text()}
	d.environment = append([]string{"POSTHORN_LOG_LEVEL=" + s.logLevel, "POSTHORN_OPERATOR_KEY=" + d.key}, s.environment...)
	if s.apis+s.workers == 0 {
		return d, d.startEmbedded(s)
	}
	return d, d.startCluster(s)
}

// process makes one of the deployment's processes.
func (d *deployment) process(kind, name string, env ...string) *process {
	return &process{kind: kind, Command: program.Command{
		Name: name, Argv: []string{d.binary, kind}, Log: filepath.Join(d.dir, name+".log"),
		Env:        slices.Concat(program.CleanEnvironment(), d.environment, env),
		OnlyErrors: true, // on the standard output dev tells a person the operator key, on purpose
	}}
}

func (d *deployment) startEmbedded(s shape) error {
	addresses, err := program.FreeAddresses(context.Background(), 2)
	if err != nil {
		return err
	}
	api, data := addresses[0], filepath.Join(cmp.Or(s.data, d.dir), "data")
	d.embedded = d.process("dev", "dev", "POSTHORN_LISTEN="+api, "POSTHORN_TEMPORAL_LISTEN="+addresses[1],
		"POSTHORN_TEMPORAL_UI_LISTEN=off", "POSTHORN_DATA="+data)
	d.embedded.url = "http://" + api
	d.client = newClient(d.key, d.embedded.url)
	return d.run(d.embedded)
}

func (d *deployment) startCluster(s shape) error {
	var err error
	if d.postgres, err = testpg.NewServerIn(s.data); err != nil {
		return err
	}
	if err := d.postgres.CreateDatabase(context.Background(), "posthorn"); err != nil {
		return err
	}
	address, err := program.FreeAddress(context.Background())
	if err != nil {
		return err
	}
	database := d.postgres.URL("posthorn").String()
	d.temporal = d.process("temporal", "temporal", "POSTHORN_TEMPORAL_LISTEN="+address, "POSTHORN_TEMPORAL_UI_LISTEN=off",
		"POSTHORN_DATA="+filepath.Join(d.dir, "temporal"))
	if s.proxied {
		if database, address, err = d.startProxies(address); err != nil {
			return err
		}
	}
	d.environment = append(d.environment, "POSTHORN_DATABASE_URL="+database, "TEMPORAL_ADDRESS="+address,
		"POSTHORN_MASTER_KEYS="+secret.GenerateMasterKey(), "POSTHORN_ALLOW_HTTP=true", "POSTHORN_EGRESS_ALLOW_CIDRS=127.0.0.0/8")
	if err := d.migrate(); err != nil {
		return err
	}
	if err := d.run(d.temporal); err != nil {
		return err
	}
	return d.startRoles(s)
}

func (d *deployment) startProxies(temporal string) (database, address string, err error) {
	if d.toTemporal, err = newProxy("tcp", temporal); err != nil {
		return "", "", err
	}
	if d.toPostgres, err = newProxy("unix", d.postgres.Socket()); err != nil {
		return "", "", err
	}
	return "postgres://posthorn@" + d.toPostgres.address + "/posthorn?sslmode=disable", d.toTemporal.address, nil
}

func (d *deployment) migrate() error {
	p := d.process("migrate", "migrate")
	p.Argv = append(p.Argv, "up", "--no-temporal")
	return program.Run(context.Background(), p.Command)
}

func (d *deployment) startRoles(s shape) error {
	addresses, err := program.FreeAddresses(context.Background(), s.apis)
	if err != nil {
		return err
	}
	urls := make([]string, 0, s.apis)
	for n, address := range addresses {
		p := d.process("api", fmt.Sprintf("api%d", n+1), "POSTHORN_LISTEN="+address)
		p.url = "http://" + address
		d.apis, urls = append(d.apis, p), append(urls, p.url)
	}
	for n := range s.workers {
		d.workers = append(d.workers, d.process("worker", fmt.Sprintf("worker%d", n+1)))
	}
	d.client = newClient(d.key, urls...)
	for _, p := range append(append([]*process(nil), d.apis...), d.workers...) {
		if err := d.run(p); err != nil {
			return err
		}
	}
	return nil
}

// processes are all but Postgres.
func (d *deployment) processes() []*process {
	var list []*process
	for _, p := range append([]*process{d.embedded, d.temporal}, append(d.apis, d.workers...)...) {
		if p != nil {
			list = append(list, p)
		}
	}
	return list
}

// run starts a process and waits until it says that it runs.
func (d *deployment) run(p *process, more ...string) error {
	from := int64(0)
	if info, err := os.Stat(p.Log); err == nil {
		from = info.Size()
	}
	if err := p.start(more...); err != nil {
		return err
	}
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		if p.saysItRuns(from) {
			return nil
		}
		select {
		case <-p.Exited():
			return fmt.Errorf("%s ended before it ran: %s; the end of its log:\n%s", p.Name, p.State(), p.Tail())
		case <-time.After(10 * time.Millisecond):
		}
	}
	return fmt.Errorf("%s does not run; the end of its log:\n%s", p.Name, p.Tail())
}

// saysItRuns reads the log from a place on.
func (p *process) saysItRuns(from int64) bool {
	text, err := os.ReadFile(p.Log)
	if err != nil || int64(len(text)) < from {
		return false
	}
	return bytes.Contains(text[from:], []byte("posthorn is running")) || bytes.Contains(text[from:], []byte("temporal is running"))
}

// ready waits until every API says that it is, and every process runs.
func (d *deployment) ready(t *testing.T) {
	t.Helper()
	for _, p := range d.processes() {
		require.True(t, p.runs(), "%s does not run", p.Name)
		if p.url == "" {
			continue
		}
		require.Eventually(t, func() bool {
			a, err := d.client.askAt(t.Context(), p.url, http.MethodGet, "/readyz", nil)
			return err == nil && a.status == http.StatusOK
		}, patience, 20*time.Millisecond, "%s is not ready", p.Name)
	}
}

// close ends everything; the files stay where a test failed.
func (d *deployment) close(keep bool) {
	for _, p := range d.processes() {
		p.end()
	}
	for _, line := range []*proxy{d.toPostgres, d.toTemporal} {
		if line != nil {
			line.close()
		}
	}
	if d.postgres != nil {
		d.postgres.Close()
	}
	if keep {
		fmt.Fprintln(os.Stderr, "the logs are in", d.dir)
		return
	}
	_ = os.RemoveAll(d.dir)
}
