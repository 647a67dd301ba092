// Package program runs programs beside the one that starts them: those of a local cluster, of a benchmark, of the tests
// that break them. Each has a log of its own and ends when it is asked to, when it is killed, or, on Linux, with the
// one that started it.
package program

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// logTail is how much of a log an error shows, in bytes.
const logTail = 4000

// Command is what is to run.
type Command struct {
	// Name is what errors call it.
	Name string
	// Argv is the program and its arguments.
	Argv []string
	// Env is its whole environment. CleanEnvironment is what to begin with.
	Env []string
	// Log is the path of the file that its output is appended to.
	Log string
	// OnlyErrors leaves its standard output out of the log.
	OnlyErrors bool
}

// Process is a program that was started.
type Process struct {
	Command

	// Started is when it was spawned.
	Started time.Time

	cmd    *exec.Cmd
	exited chan struct{}
}

// Start starts a program that runs until it ends by itself or by Kill or Stop.
func Start(c Command) (*Process, error) {
	log, err := os.OpenFile(c.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", c.Name, err)
	}
	defer func() { _ = log.Close() }()            // the process has it too
	cmd := exec.Command(c.Argv[0], c.Argv[1:]...) //nolint:gosec,noctx // a developer's own; a context would not ask it to end
	cmd.Env, cmd.Stderr, cmd.SysProcAttr = c.Env, log, attributes()
	if !c.OnlyErrors {
		cmd.Stdout = log
	}
	p := &Process{Command: c, Started: time.Now(), cmd: cmd, exited: make(chan struct{})}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", c.Name, err)
	}
	go func() {
		_ = cmd.Wait() // how it ended is in State
		close(p.exited)
	}()
	return p, nil
}

// Run runs a program to its end, which an end of ctx brings about. It is an error unless the exit status is 0.
func Run(ctx context.Context, c Command) error {
	p, err := Start(c)
	if err != nil {
		return err
	}
	select {
	case <-p.exited:
	case <-ctx.Done():
		_ = p.Kill() // it may have ended
	}
	if !p.State().Success() {
		return fmt.Errorf("%s: %s; the end of its log:\n%s", c.Name, p.State(), p.Tail())
	}
	return nil
}

// Pid is the process's id, also after its end.
func (p *Process) Pid() int { return p.cmd.Process.Pid }

// Exited is closed once the process has ended.
func (p *Process) Exited() <-chan struct{} { return p.exited }

// State says how the process ended. It waits for that.
func (p *Process) State() *os.ProcessState {
	<-p.exited
	return p.cmd.ProcessState
}

// Running reports whether the process has not ended.
func (p *Process) Running() bool {
	select {
	case <-p.exited:
		return false
	default:
		return true
	}
}

// Signal sends a signal. A process that has ended is an error.
func (p *Process) Signal(s syscall.Signal) error {
	if !p.Running() {
		return fmt.Errorf("%s does not run; the end of its log:\n%s", p.Name, p.Tail())
	}
	return p.cmd.Process.Signal(s)
}

// Kill ends the process by SIGKILL and waits for its end.
func (p *Process) Kill() error {
	if err := p.Signal(syscall.SIGKILL); err != nil {
		return err
	}
	<-p.exited
	return nil
}

// Stop asks the process to end by SIGTERM. One that takes longer than within is killed, which is an error; one that had
// ended already is none.
func (p *Process) Stop(within time.Duration) error {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may have ended
	select {
	case <-p.exited:
		return nil
	case <-time.After(within):
		_ = p.Kill() // it may just have ended
		return fmt.Errorf("%s did not stop within %v", p.Name, within)
	}
}

// Tail is the end of the process's log.
func (p *Process) Tail() string {
	text, err := os.ReadFile(p.Log)
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-logTail):])
}

// Descriptors is how many files the process has open. It needs Linux.
func (p *Process) Descriptors() (int, error) {
	open, err := os.ReadDir(filepath.Join("/proc", strconv.Itoa(p.Pid()), "fd"))
	return len(open), err
}

// Ready asks the Posthorn at the URL whether it can do its work: no error = it can.
func Ready(ctx context.Context, url string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/readyz", http.NoBody)
	if err != nil {
		return err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	_ = answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return errors.New(answer.Status)
	}
	return nil
}

// CleanEnvironment is our own without what would configure Posthorn or its Temporal client.
func CleanEnvironment() []string {
	var kept []string
	for _, pair := range os.Environ() {
		if !strings.HasPrefix(pair, "POSTHORN_") && !strings.HasPrefix(pair, "TEMPORAL_") {
			kept = append(kept, pair)
		}
	}
	return kept
}
