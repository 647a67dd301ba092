// Command cluster runs the topology of docker-compose.yml from plain processes, where no container engine is at hand:
// Postgres, a Temporal server on it, two APIs and two workers, on free ports of loopback. It is for development and
// tests: its data goes when it ends.
//
//	make cluster                                       # until Ctrl-C
//	make cluster ARGS='bin/posthorn-slim keys list'   # for as long as the command runs, with the cluster's settings
//
// It ends with 0 after Ctrl-C, with 1 when a process of the cluster has ended by itself, else as the command did.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, os.Args[1:])
	stop()
	if err == nil {
		return
	}
	fmt.Fprintln(os.Stderr, "cluster:", err)
	if failed, ok := errors.AsType[commandError](err); ok {
		os.Exit(failed.ProcessState.ExitCode())
	}
	os.Exit(1)
}

// commandError says how the command ended.
type commandError struct{ *exec.ExitError }

// run brings the cluster up, and down again when the command has ended, ctx has, or a process of it.
func run(ctx context.Context, command []string) error {
	c, err := start(ctx)
	defer c.stop()
	if err != nil {
		if ctx.Err() != nil {
			return nil
		}
		c.keep = true
		return fmt.Errorf("%w; the logs are in %s", err, c.dir)
	}
	c.tell(os.Stderr)
	if len(command) > 0 {
		return c.during(ctx, command)
	}
	return c.until(ctx)
}

// until waits for ctx, or for a process that should not have ended.
func (c *cluster) until(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case name := <-c.gone:
		c.keep = true
		return fmt.Errorf("%s has ended; the logs are in %s", name, c.dir)
	}
}

// during runs the command with what one needs to use the cluster in its environment.
func (c *cluster) during(ctx context.Context, command []string) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	cmd := exec.CommandContext(ctx, command[0], command[1:]...) //nolint:gosec // the developer's own
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = c.environment("POSTHORN_TEST_CLUSTER="+strings.Join(c.urls(), ","),
		"POSTHORN_TEST_DATABASE_URL="+c.postgres.URL("postgres").String())
	return c.attend(cmd, cancel)
}

// attend runs the command to its end, or ends it by cancel when a process of the cluster has ended.
func (c *cluster) attend(cmd *exec.Cmd, cancel context.CancelFunc) error {
	if err := cmd.Start(); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case err := <-ended:
		c.keep = err != nil
		if exit, ok := errors.AsType[*exec.ExitError](err); ok && exit.Exited() {
			return commandError{exit}
		}
		return err
	case name := <-c.gone:
		c.keep = true
		cancel()
		return errors.Join(fmt.Errorf("%s has ended; the logs are in %s", name, c.dir), <-ended)
	}
}
