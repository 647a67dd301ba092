package main

import (
	"context"
	"crypto/rand"
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
	// logTail is how much of the log an error shows, in bytes.
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

// child is a running `posthorn dev`.
type child struct {
	cmd        *exec.Cmd
	url, uiURL string
	key        string
	logPath    string
	exited     chan struct{} // closed when the process has ended
}

// startChild starts the program on a data folder and free ports, and waits until it is ready.
func startChild(ctx context.Context, o options, dir string) (*child, error) {
	ports, err := freePorts(ctx, 3)
	if err != nil {
		return nil, err
	}
	log, err := os.Create(filepath.Join(dir, "posthorn.log")) //nolint:gosec // the run's own folder
	if err != nil {
		return nil, err
	}
	defer log.Close() //nolint:errcheck // the process has it too
	c := &child{
		url: "http://" + ports[0], uiURL: "http://" + ports[2], key: rand.Text() + rand.Text(), logPath: log.Name(),
		exited: make(chan struct{}),
	}
	c.cmd = exec.Command(o.binary, "dev") //nolint:gosec,noctx // the operator's choice; ended by stop, which is gentle
	c.cmd.Stdout, c.cmd.Stderr = log, log
	c.cmd.Env = append(cleanEnvironment(),
		"POSTHORN_LISTEN="+ports[0], "POSTHORN_TEMPORAL_LISTEN="+ports[1], "POSTHORN_TEMPORAL_UI_LISTEN="+ports[2],
		"POSTHORN_DATA="+filepath.Join(dir, "data"), "POSTHORN_OPERATOR_KEY="+c.key, "POSTHORN_LOG_LEVEL=warn")
	if o.databaseURL != "" {
		c.cmd.Env = append(c.cmd.Env, "POSTHORN_DATABASE_URL="+o.databaseURL)
	}
	if err := c.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start posthorn: %w", err)
	}
	go func() {
		_ = c.cmd.Wait()
		close(c.exited)
	}()
	if err := c.waitReady(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("%w; the end of its log:\n%s", err, c.tail()), c.stop())
	}
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

func (c *child) waitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.url+"/readyz", http.NoBody)
		if err != nil {
			return err
		}
		if answer, err := http.DefaultClient.Do(request); err == nil {
			_ = answer.Body.Close()
			if answer.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("posthorn is not ready: %w", ctx.Err())
		case <-c.exited:
			return errors.New("posthorn ended before it was ready")
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
