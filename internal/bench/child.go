package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/posthorn/posthorn/internal/program"
)

const (
	startTimeout = 60 * time.Second
	stopTimeout  = 45 * time.Second
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
	*program.Process

	// url is where it answers /readyz and /metrics.
	url string
}

// answersReady asks the process itself.
func (c *child) answersReady(ctx context.Context) error { return program.Ready(ctx, c.url) }

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
			return fmt.Errorf("posthorn is not ready: %w; the end of its log:\n%s", err, c.Tail())
		case <-c.Exited():
			return fmt.Errorf("posthorn ended before it was ready; the end of its log:\n%s", c.Tail())
		case <-ticker.C:
		}
	}
}
