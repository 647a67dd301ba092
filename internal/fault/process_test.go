package fault_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// process is one of a deployment's: the program with a command and an environment, started anew after each end.
type process struct {
	// kind is api, worker, temporal or dev.
	kind, name string
	binary     string
	args, env  []string
	log        string
	// url is the API's; "" = it has none.
	url string

	cmd    *exec.Cmd
	exited chan struct{} // closed once the process has ended
	// started is when it was spawned last.
	started time.Time
}

// start spawns the process; more is added to its environment, this once.
func (p *process) start(more ...string) error {
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()       // the process has it too
	cmd := exec.Command(p.binary, p.args...) //nolint:noctx // ended by the tests
	cmd.Stderr = log                         // not the standard output: there dev tells a person the operator key, on purpose
	cmd.Env = append(append(cleanEnvironment(), p.env...), more...)
	cmd.SysProcAttr = attributes()
	p.started = time.Now()
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", p.name, err)
	}
	exited := make(chan struct{})
	p.cmd, p.exited = cmd, exited
	go func() {
		_ = cmd.Wait() // how it ended is in ProcessState
		close(exited)
	}()
	return nil
}

// cleanEnvironment is ours without what would configure Posthorn or its Temporal client.
func cleanEnvironment() []string {
	var kept []string
	for _, pair := range os.Environ() {
		if !strings.HasPrefix(pair, "POSTHORN_") && !strings.HasPrefix(pair, "TEMPORAL_") {
			kept = append(kept, pair)
		}
	}
	return kept
}

// runs reports whether the process has not ended.
func (p *process) runs() bool {
	if p.cmd == nil {
		return false
	}
	select {
	case <-p.exited:
		return false
	default:
		return true
	}
}

// signal sends a signal to a process that runs; it is an error if it does not: a fault that did not fire.
func (p *process) signal(s syscall.Signal) error {
	if !p.runs() {
		return fmt.Errorf("%s does not run; the end of its log:\n%s", p.name, p.tail())
	}
	return p.cmd.Process.Signal(s)
}

// kill ends the process by SIGKILL.
func (p *process) kill() error {
	if err := p.signal(syscall.SIGKILL); err != nil {
		return err
	}
	<-p.exited
	return nil
}

// stop asks the process to end and returns how long that took; it has to end by itself, without an error.
func (p *process) stop() (time.Duration, error) {
	began := time.Now()
	if err := p.signal(syscall.SIGTERM); err != nil {
		return 0, err
	}
	select {
	case <-p.exited:
	case <-time.After(patience):
		return patience, fmt.Errorf("%s did not stop within %s", p.name, patience)
	}
	if !p.cmd.ProcessState.Success() {
		return time.Since(began), fmt.Errorf("%s ended with %s; the end of its log:\n%s", p.name, p.cmd.ProcessState, p.tail())
	}
	return time.Since(began), nil
}

// diesBySelf waits until a failpoint has ended the process.
func (p *process) diesBySelf(within time.Duration) error {
	select {
	case <-p.exited:
	case <-time.After(within):
		return fmt.Errorf("the failpoint of %s did not fire within %s", p.name, within)
	}
	status, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus)
	if !ok || !status.Signaled() || status.Signal() != syscall.SIGKILL {
		return fmt.Errorf("%s ended with %s instead of by its failpoint; the end of its log:\n%s",
			p.name, p.cmd.ProcessState, p.tail())
	}
	return nil
}

// end is for the clean-up: whatever state the process is in.
func (p *process) end() {
	if p.runs() {
		_ = p.cmd.Process.Kill() // it may just have ended
		<-p.exited
	}
}

// tail is the end of the process's log.
func (p *process) tail() string {
	text, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-4000):])
}

// usage is what a process holds.
type usage struct{ descriptors, threads int }

func (p *process) usage() (usage, error) {
	if !p.runs() {
		return usage{}, errors.New(p.name + " does not run")
	}
	folder := fmt.Sprintf("/proc/%d", p.cmd.Process.Pid)
	open, err := os.ReadDir(filepath.Join(folder, "fd"))
	if err != nil {
		return usage{}, err
	}
	threads, err := os.ReadDir(filepath.Join(folder, "task"))
	return usage{descriptors: len(open), threads: len(threads)}, err
}

// logHas reports whether the process has ever logged the text.
func (p *process) logHas(text string) (bool, error) {
	log, err := os.ReadFile(p.log)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	return bytes.Contains(log, []byte(text)), err
}
