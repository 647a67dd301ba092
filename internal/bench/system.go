package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"

	"github.com/posthorn/posthorn/internal/secret"
	"github.com/posthorn/posthorn/internal/store"
	"github.com/posthorn/posthorn/internal/store/history"
	"github.com/posthorn/posthorn/internal/testpg"
)

// system is all of a running Posthorn: one `posthorn dev`, or an api, a worker and a Temporal server as processes of
// their own on a Postgres of their own.
type system struct {
	options options
	dir     string
	key     string
	// url is the API's, uiURL that of Temporal's web UI.
	url, uiURL string
	// environment is what every process of Posthorn's gets.
	environment []string
	databaseURL string
	// children are the processes, the one that others need first.
	children []*child
	postgres *testpg.Server
}

// startSystem starts what the options ask for on free ports, with its files in dir, and waits until it is ready. What it
// returns is to be stopped, even with an error.
func startSystem(ctx context.Context, o options, dir string) (*system, error) {
	s := &system{options: o, dir: dir, key: rand.Text() + rand.Text()}
	s.environment = append(cleanEnvironment(), "POSTHORN_OPERATOR_KEY="+s.key, "POSTHORN_LOG_LEVEL=warn",
		"POSTHORN_MASTER_KEYS="+secret.GenerateMasterKey())
	if o.topology == topologyCluster {
		return s, s.startCluster(ctx)
	}
	s.databaseURL = o.databaseURL
	if s.databaseURL == "" {
		s.databaseURL = "sqlite:" + filepath.Join(dir, "data", "posthorn.db")
	}
	return s, s.startEmbedded(ctx)
}

func (s *system) startEmbedded(ctx context.Context) error {
	ports, err := freePorts(ctx, 3)
	if err != nil {
		return err
	}
	s.url, s.uiURL = "http://"+ports[0], "http://"+ports[2]
	c, err := s.start("dev", s.url, "POSTHORN_LISTEN="+ports[0], "POSTHORN_TEMPORAL_LISTEN="+ports[1],
		"POSTHORN_TEMPORAL_UI_LISTEN="+ports[2], "POSTHORN_DATA="+filepath.Join(s.dir, "data"),
		"POSTHORN_DATABASE_URL="+s.databaseURL)
	if err != nil {
		return err
	}
	return c.wait(ctx, c.answersReady)
}

// start starts one more process. What -env says comes last, and wins.
func (s *system) start(role, url string, env ...string) (*child, error) {
	all := append(append(append([]string(nil), s.environment...), env...), s.options.environment()...)
	c, err := startChild(s.options.binary, role, url, s.dir, all)
	if err == nil {
		s.children = append(s.children, c)
	}
	return c, err
}

func (s *system) startCluster(ctx context.Context) error {
	var err error
	if s.postgres, err = testpg.NewServer(); err != nil {
		return err
	}
	if err := s.postgres.CreateDatabase(ctx, "posthorn"); err != nil {
		return err
	}
	s.databaseURL = s.postgres.URL("posthorn").String()
	ports, err := freePorts(ctx, 4)
	if err != nil {
		return err
	}
	s.environment = append(s.environment, "POSTHORN_DATABASE_URL="+s.databaseURL, "TEMPORAL_ADDRESS="+ports[0],
		"POSTHORN_ALLOW_HTTP=true", "POSTHORN_EGRESS_ALLOW_CIDRS=127.0.0.0/8")
	if err := s.migrate(ctx); err != nil {
		return err
	}
	s.uiURL, s.url = "http://"+ports[1], "http://"+ports[2]
	temporal, err := s.start("temporal", "", "POSTHORN_TEMPORAL_LISTEN="+ports[0], "POSTHORN_TEMPORAL_UI_LISTEN="+ports[1],
		"POSTHORN_DATA="+filepath.Join(s.dir, "temporal"))
	if err != nil {
		return err
	}
	if err := temporal.wait(ctx, s.temporalAnswers); err != nil {
		return err
	}
	return s.startRoles(ctx, ports[2], ports[3])
}

// temporalAnswers asks through its web UI, as atRest does.
func (s *system) temporalAnswers(ctx context.Context) error {
	_, err := s.runningWorkflows(ctx)
	return err
}

func (s *system) startRoles(ctx context.Context, api, worker string) error {
	for _, role := range []struct{ name, variable, address string }{
		{"api", "POSTHORN_LISTEN", api}, {"worker", "POSTHORN_WORKER_LISTEN", worker},
	} {
		c, err := s.start(role.name, "http://"+role.address, role.variable+"="+role.address)
		if err != nil {
			return err
		}
		if err := c.wait(ctx, c.answersReady); err != nil {
			return err
		}
	}
	return nil
}

func (s *system) migrate(ctx context.Context) error {
	cmd := exec.CommandContext(ctx, s.options.binary, "migrate", "up", "--no-temporal") //nolint:gosec // the operator's choice
	cmd.Env = s.environment
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("migrate: %w\n%s", err, out)
	}
	return nil
}

// fill stores what the options want to be there already. A SQLite file is its process's alone, which ends meanwhile.
func (s *system) fill(ctx context.Context, application, subscription string) error {
	if s.options.stored+s.options.waiting == 0 {
		return nil
	}
	embedded := s.postgres == nil
	if embedded {
		if err := s.stopChildren(); err != nil {
			return err
		}
	}
	if err := s.store(ctx, application, subscription); err != nil {
		return err
	}
	if embedded {
		return s.startEmbedded(ctx)
	}
	return nil
}

func (s *system) store(ctx context.Context, application, subscription string) error {
	return s.withStore(ctx, nil, func(opened *store.Store) error {
		pool, err := opened.SQL()
		if err != nil {
			return err
		}
		return history.Fill(ctx, pool, opened.Dialect(), history.Amounts{
			Stored: s.options.stored, Waiting: s.options.waiting, Application: application, Subscription: subscription,
			Now: opened.Now(),
		})
	})
}

// usage is that of all processes. Postgres' memory is left out: each of its processes counts what they share.
func (s *system) usage() (usage, error) {
	var total usage
	for _, c := range s.children {
		u, err := usageOf(c.cmd.Process.Pid)
		if err != nil {
			return total, err
		}
		total.cpu, total.peakRSS, total.rss = total.cpu+u.cpu, total.peakRSS+u.peakRSS, total.rss+u.rss
	}
	if s.postgres == nil {
		return total, nil
	}
	pid, err := s.postgres.Pid()
	if err != nil {
		return total, err
	}
	u, err := usageOf(pid)
	total.cpu += u.cpu
	return total, err
}

// stop ends everything, the last that was started first.
func (s *system) stop() error {
	err := s.stopChildren()
	if s.postgres != nil {
		s.postgres.Close()
	}
	return err
}

func (s *system) stopChildren() error {
	var errs []error
	for i := len(s.children) - 1; i >= 0; i-- {
		errs = append(errs, s.children[i].stop())
	}
	s.children = nil
	return errors.Join(errs...)
}

// tail is the end of every log.
func (s *system) tail() string {
	text := ""
	for _, c := range s.children {
		text += c.tail()
	}
	return text
}
