package main

import (
	"context"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/posthorn/posthorn/internal/program"
)

const (
	// startTimeout is how long a part may take to come up: seconds at rest, much longer beside a compile.
	startTimeout = 2 * time.Minute
	// stopTimeout is more than the 45 s in which a Posthorn process ends by itself.
	stopTimeout = 50 * time.Second
	// askEvery is the pause between two looks at something that is to come up.
	askEvery = 200 * time.Millisecond
)

// process is one of the cluster's, with its output in a log of its own.
type process struct {
	*program.Process

	url      string // "" = it answers no HTTP
	stopping atomic.Bool
}

// command is a program whose log has its name.
func (c *cluster) command(name string, env []string, argv ...string) program.Command {
	return program.Command{Name: name, Argv: argv, Env: env, Log: filepath.Join(c.dir, name+".log")}
}

// start starts a process that is to run until stop.
func (c *cluster) start(name string, env []string, argv ...string) (*process, error) {
	started, err := program.Start(c.command(name, env, argv...))
	if err != nil {
		return nil, err
	}
	p := &process{Process: started}
	c.processes = append(c.processes, p)
	go func() {
		<-p.Exited()
		if !p.stopping.Load() {
			select {
			case c.gone <- name:
			default:
			}
		}
	}()
	return p, nil
}

// runs runs a program to its end; its output is in the log of that name.
func (c *cluster) runs(ctx context.Context, name string, env []string, argv ...string) error {
	return program.Run(ctx, c.command(name, env, argv...))
}

// stop asks the process to end, and ends it when it does not.
func (p *process) stop() {
	p.stopping.Store(true)
	_ = p.Stop(stopTimeout) // it has ended, in one way or the other
}

// eventually tries until it works, for startTimeout at most, unless a process of the cluster ends.
func (c *cluster) eventually(ctx context.Context, what string, try func() error) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for {
		err := try()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: %w", what, err)
		case name := <-c.gone:
			return fmt.Errorf("%s: %s has ended", what, name)
		case <-time.After(askEvery):
		}
	}
}
