package main

import (
	"context"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"
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
	name, log string
	url       string // "" = it answers no HTTP
	cmd       *exec.Cmd
	stopping  atomic.Bool
	exited    chan struct{} // closed once it has ended
}

// start starts a process that is to run until stop.
func (c *cluster) start(name string, env []string, argv ...string) (*process, error) {
	p := &process{name: name, log: filepath.Join(c.dir, name+".log"), exited: make(chan struct{})}
	if err := p.begin(env, argv); err != nil {
		return nil, err
	}
	c.processes = append(c.processes, p)
	go func() {
		_ = p.cmd.Wait() // how it ended is in ProcessState
		if !p.stopping.Load() {
			select {
			case c.gone <- name:
			default:
			}
		}
		close(p.exited)
	}()
	return p, nil
}

func (p *process) begin(env, argv []string) error {
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()         // the process has it too
	p.cmd = exec.Command(argv[0], argv[1:]...) //nolint:gosec,noctx // make's own programs; ended by stop, which is gentle
	p.cmd.Env, p.cmd.Stdout, p.cmd.Stderr, p.cmd.SysProcAttr = env, log, log, attributes()
	if err := p.cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", p.name, err)
	}
	return nil
}

// runs runs a program to its end; its output is in the log of that name.
func (c *cluster) runs(ctx context.Context, name string, env []string, argv ...string) error {
	p := &process{name: name, log: filepath.Join(c.dir, name+".log")}
	if err := p.begin(env, argv); err != nil {
		return err
	}
	end := context.AfterFunc(ctx, func() { _ = p.cmd.Process.Kill() })
	defer end()
	if err := p.cmd.Wait(); err != nil {
		return fmt.Errorf("%s: %s; its output:\n%s", name, p.cmd.ProcessState, p.tail())
	}
	return nil
}

// stop asks the process to end, and ends it when it does not.
func (p *process) stop() {
	p.stopping.Store(true)
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may have ended
	select {
	case <-p.exited:
	case <-time.After(stopTimeout):
		_ = p.cmd.Process.Kill()
		<-p.exited
	}
}

// ready asks /readyz.
func (p *process) ready(ctx context.Context) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url+"/readyz", http.NoBody)
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	_ = res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return errors.New(res.Status)
	}
	return nil
}

// tail is the end of the process's log.
func (p *process) tail() string {
	text, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-4000):])
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

func loopback(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

// Ports below the range of outgoing connections (from 32768 on), where somebody else may get one before it is listened
// on. The Temporal server cannot store higher ones either.
const firstPort, lastPort = 12_000, 32_000

// freePorts are n ports of loopback that nobody listens on.
func freePorts(ctx context.Context, n int) ([]int, error) {
	ports := make([]int, 0, n)
	for range 100 * n {
		if len(ports) == n {
			return ports, nil
		}
		port := firstPort + mathrand.IntN(lastPort-firstPort) //nolint:gosec // no secret
		l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", loopback(port))
		if err != nil {
			continue
		}
		defer l.Close() // not before all are found
		ports = append(ports, port)
	}
	return nil, errors.New("too few ports are free")
}
