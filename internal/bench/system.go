package main

import (
	"context"
	"crypto/rand"
	"errors"
	"path/filepath"
	"slices"
	"strings"

	"github.com/posthorn/posthorn/internal/program"
	"github.com/posthorn/posthorn/internal/secret"
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
	s.environment = append(program.CleanEnvironment(), "POSTHORN_OPERATOR_KEY="+s.key, "POSTHORN_LOG_LEVEL=warn",
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
	ports, err := program.FreeAddresses(ctx, 3)
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
	p, err := program.Start(program.Command{
		Name: "posthorn " + role, Argv: []string{s.options.binary, role}, Env: all, Log: filepath.Join(s.dir, role+".log"),
	})
	if err != nil {
		return nil, err
	}
	c := &child{Process: p, url: url}
	s.children = append(s.children, c)
	return c, nil
}

// usage is that of all processes. Postgres' memory is left out: each of its processes counts what they share.
func (s *system) usage() (usage, error) {
	var total usage
	for _, c := range s.children {
		u, err := usageOf(c.Pid())
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
	for _, c := range slices.Backward(s.children) {
		errs = append(errs, c.Stop(stopTimeout))
	}
	s.children = nil
	return errors.Join(errs...)
}

// tail is the end of every log.
func (s *system) tail() string {
	tails := make([]string, 0, len(s.children))
	for _, c := range s.children {
		tails = append(tails, c.Tail())
	}
	return strings.Join(tails, "\n")
}
