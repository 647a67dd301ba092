package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

const (
	startTimeout = 60 * time.Second
	stopTimeout  = 45 * time.Second
	// logTail is how much of a log an error shows, in bytes.
	logTail = 2000
)

// build makes bin/posthorn in the module's root.
func build(ctx context.Context, stderr io.Writer) (string, error) {
	mod, err := exec.CommandContext(ctx, "go", "env", "GOMOD").Output()
	if err != nil {
		return "", fmt.Errorf("find the module: %w", err)
	}
	root := filepath.Dir(strings.TrimSpace(string(mod)))
	tell(stderr, "building bin/posthorn; the first time takes minutes")
	binary := filepath.Join(root, "bin", "posthorn")
	cmd := exec.CommandContext(ctx, "go", "build", "-o", binary, ".") //nolint:gosec // the module's own folder
	cmd.Dir, cmd.Stdout, cmd.Stderr = root, stderr, stderr
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("build posthorn: %w", err)
	}
	return binary, nil
}

// child is one running process of Posthorn's.
type child struct {
	cmd *exec.Cmd
	// url is where it answers /readyz and /metrics.
	url     string
	logPath string
	exited  chan struct{} // closed when the process has ended
}

// startChild starts the program with a role, such as dev, and appends to the role's log.
func startChild(binary, role, url, dir string, env []string) (*child, error) {
	log, err := os.OpenFile(filepath.Join(dir, role+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600) //nolint:gosec // ours
	if err != nil {
		return nil, err
	}
	defer log.Close() //nolint:errcheck // the process has it too
	c := &child{url: url, logPath: log.Name(), exited: make(chan struct{})}
	c.cmd = exec.Command(binary, role) //nolint:gosec,noctx // the operator's choice; ended by stop, which is gentle
	c.cmd.Stdout, c.cmd.Stderr, c.cmd.Env = log, log, env
	if err := c.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start posthorn %s: %w", role, err)
	}
	go func() {
		_ = c.cmd.Wait()
		close(c.exited)
	}()
	return c, nil
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

// freePorts returns n loopback addresses that nobody listens on.
func freePorts(ctx context.Context, n int) ([]string, error) {
	var addresses []string
	for range n {
		l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer l.Close()
		addresses = append(addresses, l.Addr().String())
	}
	return addresses, nil
}

// answersReady asks the process itself.
func (c *child) answersReady(ctx context.Context) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.url+"/readyz", http.NoBody)
	if err != nil {
		return err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return errors.New(answer.Status)
	}
	return nil
}

// wait asks every 50 ms until ready gives no error, the process has ended, or startTimeout is over.
func (c *child) wait(ctx context.Context, ready func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for {
		err := ready(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("posthorn is not ready: %w; the end of its log:\n%s", err, c.tail())
		case <-c.exited:
			return fmt.Errorf("posthorn ended before it was ready; the end of its log:\n%s", c.tail())
		case <-ticker.C:
		}
	}
}

// stop asks the process to end, and ends it after stopTimeout.
func (c *child) stop() error {
	_ = c.cmd.Process.Signal(syscall.SIGTERM) // it may have ended
	select {
	case <-c.exited:
		return nil
	case <-time.After(stopTimeout):
		_ = c.cmd.Process.Kill()
		<-c.exited
		return fmt.Errorf("posthorn did not stop within %v", stopTimeout)
	}
}

// tail is the end of the process's log.
func (c *child) tail() string {
	text, err := os.ReadFile(c.logPath)
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-logTail):])
}
