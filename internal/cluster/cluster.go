package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/posthorn/posthorn/internal/program"
	"github.com/posthorn/posthorn/internal/secret"
	"github.com/posthorn/posthorn/internal/testpg"
)

// binaries is the folder, below the module's root, where make puts what is run here.
const binaries = "bin"

// replicas are how many APIs and how many workers there are.
const replicas = 2

// cluster is a running one, or what of it was started.
type cluster struct {
	// dir has the logs; keep leaves them there.
	dir      string
	keep     bool
	postgres *testpg.Server
	// temporal is the frontend's address.
	temporal              string
	operatorKey, password string
	masterKeys            string
	apis, workers         []*process
	// processes are all but Postgres, in the order they were started in.
	processes []*process
	// gone has the name of a process that ended by itself.
	gone chan string
}

// start brings everything up, in the order of docker-compose.yml. What was started is in the cluster on failure, too.
func start(ctx context.Context) (*cluster, error) {
	c := &cluster{
		operatorKey: os.Getenv("POSTHORN_OPERATOR_KEY"), masterKeys: os.Getenv("POSTHORN_MASTER_KEYS"), password: rand.Text(),
		gone: make(chan string, 1),
	}
	if c.masterKeys == "" {
		c.masterKeys = secret.GenerateMasterKey()
	}
	if c.operatorKey == "" {
		c.operatorKey = secret.NewOperatorKey()
	}
	for _, step := range []func(context.Context) error{
		c.makeFolder, c.startPostgres, c.setUpTemporal, c.startTemporal, c.createNamespace, c.migrate, c.startRoles,
	} {
		if err := step(ctx); err != nil {
			return c, err
		}
	}
	return c, nil
}

func (c *cluster) makeFolder(context.Context) (err error) {
	c.dir, err = os.MkdirTemp("", "posthorn-cluster-")
	return err
}

func (c *cluster) startPostgres(ctx context.Context) error {
	ports, err := program.FreePorts(ctx, 1)
	if err != nil {
		return err
	}
	if c.postgres, err = testpg.NewTCPServer(ports[0], c.password); err != nil { //nolint:contextcheck // it ends by stop
		return err
	}
	return c.postgres.CreateDatabase(ctx, "posthorn")
}

// environment is what every process of the cluster gets; POSTHORN_… of the caller's own come through, TEMPORAL_… of
// another server do not.
func (c *cluster) environment(more ...string) []string {
	ours := slices.DeleteFunc(os.Environ(), func(pair string) bool { return strings.HasPrefix(pair, "TEMPORAL_") })
	ours = append(ours,
		"POSTHORN_DATABASE_URL="+c.postgres.URL("posthorn").String(),
		"POSTHORN_MASTER_KEYS="+c.masterKeys,
		"POSTHORN_OPERATOR_KEY="+c.operatorKey,
		"POSTHORN_ALLOW_HTTP_LOOPBACK=true",
		"POSTHORN_EGRESS_ALLOW_CIDRS=127.0.0.0/8,::1/128",
		"TEMPORAL_ADDRESS="+c.temporal,
		"TEMPORAL_NAMESPACE="+namespace,
	)
	return append(ours, more...)
}

// migrate asks again while a new namespace is not everywhere in the server yet, as a container would be restarted.
func (c *cluster) migrate(ctx context.Context) error {
	return c.eventually(ctx, "the migration", func() error {
		return c.runs(ctx, "migrate", c.environment(), posthorn(), "migrate", "up")
	})
}

func posthorn() string { return filepath.Join(binaries, "posthorn-slim") }

func (c *cluster) startRoles(ctx context.Context) error {
	addresses, err := program.FreeAddresses(ctx, 2*replicas)
	if err != nil {
		return err
	}
	for n := range replicas {
		api, worker := addresses[2*n], addresses[2*n+1]
		p, err := c.start(fmt.Sprintf("api-%d", n+1), c.environment("POSTHORN_LISTEN="+api), posthorn(), "api")
		if err != nil {
			return err
		}
		p.url, c.apis = "http://"+api, append(c.apis, p)
		p, err = c.start(fmt.Sprintf("worker-%d", n+1), c.environment("POSTHORN_WORKER_LISTEN="+worker), posthorn(), "worker")
		if err != nil {
			return err
		}
		p.url, c.workers = "http://"+worker, append(c.workers, p)
	}
	for _, p := range append(slices.Clone(c.apis), c.workers...) {
		if err := c.eventually(ctx, p.Name, func() error { return program.Ready(ctx, p.url) }); err != nil {
			return err
		}
	}
	return nil
}

// urls are where the APIs answer.
func (c *cluster) urls() []string {
	list := make([]string, 0, replicas)
	for _, p := range c.apis {
		list = append(list, p.url)
	}
	return list
}

// tell says where everything is.
func (c *cluster) tell(out io.Writer) {
	probes := make([]string, 0, replicas)
	for _, p := range c.workers {
		probes = append(probes, p.url)
	}
	_, _ = fmt.Fprintf(out, `
A cluster of plain processes runs; everything listens on loopback. Ctrl-C ends it, and its data goes.

  APIs          %s
  workers       %s  (/healthz, /readyz, /metrics)
  Temporal      %s, namespace %s, on Postgres
  Postgres      %s
  operator key  %s
  logs          %s

`, strings.Join(c.urls(), "  "), strings.Join(probes, "  "), c.temporal, namespace, c.postgres.URL("posthorn"), c.operatorKey, c.dir)
}

// stop ends the processes, newest first, then Postgres.
func (c *cluster) stop() {
	for _, p := range slices.Backward(c.processes) {
		p.stop()
	}
	if c.postgres != nil {
		c.postgres.Close()
	}
	if !c.keep && c.dir != "" {
		_ = os.RemoveAll(c.dir)
	}
}
