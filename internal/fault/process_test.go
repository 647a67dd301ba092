package fault_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"syscall"
	"time"

	"github.com/posthorn/posthorn/internal/program"
)

// process is one of a deployment's: the program with a command and an environment, started anew after each end.
type process struct {
	// kind is api, worker, temporal or dev.
	kind string
	// url is the API's; "" = it has none.
	url string

	// Command is what it is started as each time, Process its last start; nil = none yet.
	program.Command
	*program.Process
}

// start spawns the process; more is added to its environment, this once.
func (p *process) start(more ...string) (err error) {
	command := p.Command
	command.Env = append(slices.Clone(command.Env), more...)
	p.Process, err = program.Start(command)
	return err
}

// runs reports whether the process has been started and not ended.
func (p *process) runs() bool { return p.Process != nil && p.Running() }

// stop asks the process to end and returns how long that took; it has to end by itself, without an error.
func (p *process) stop() (time.Duration, error) {
	began := time.Now()
	if !p.runs() {
		return 0, fmt.Errorf("%s does not run", p.Name)
	}
	if err := p.Stop(patience); err != nil {
		return patience, err
	}
	if !p.State().Success() {
		return time.Since(began), fmt.Errorf("%s ended with %s; the end of its log:\n%s", p.Name, p.State(), p.Tail())
	}
	return time.Since(began), nil
}

// diesBySelf waits until a failpoint has ended the process.
func (p *process) diesBySelf(within time.Duration) error {
	select {
	case <-p.Exited():
	case <-time.After(within):
		return fmt.Errorf("the failpoint of %s did not fire within %s", p.Name, within)
	}
	status, ok := p.State().Sys().(syscall.WaitStatus)
	if !ok || !status.Signaled() || status.Signal() != syscall.SIGKILL {
		return fmt.Errorf("%s ended with %s instead of by its failpoint; the end of its log:\n%s",
			p.Name, p.State(), p.Tail())
	}
	return nil
}

// end is for the clean-up: whatever state the process is in.
func (p *process) end() {
	if p.runs() {
		_ = p.Kill() // it may just have ended
	}
}

// usage is what a process holds.
type usage struct{ descriptors, threads int }

func (p *process) usage() (usage, error) {
	if !p.runs() {
		return usage{}, errors.New(p.Name + " does not run")
	}
	descriptors, err := p.Descriptors()
	if err != nil {
		return usage{}, err
	}
	threads, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", p.Pid()))
	return usage{descriptors: descriptors, threads: len(threads)}, err
}

// logHas reports whether the process has ever logged the text.
func (p *process) logHas(text string) (bool, error) {
	log, err := os.ReadFile(p.Log)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	return bytes.Contains(log, []byte(text)), err
}
