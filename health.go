package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/posthorn/posthorn/internal/config"
)

type healthCmd struct {
	URL string `name:"url" help:"Where it listens, such as http://127.0.0.1:8081. Default: POSTHORN_WORKER_LISTEN, or else POSTHORN_LISTEN, on this machine."`
}

const (
	// healthTimeout is more than /readyz gives its checks.
	healthTimeout = 5 * time.Second
	// maxHealth bounds what is read of the answer.
	maxHealth = 4 << 10
)

// Run asks /readyz, prints its answer and fails unless all is well. Images without a shell have no other way.
func (h healthCmd) Run(ctx context.Context, cfg *config.Config) error {
	url := h.URL
	if url == "" {
		var err error
		if url, err = localURL(cfg); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/readyz", http.NoBody)
	if err != nil {
		return fmt.Errorf("--url: %w", err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(res.Body, maxHealth))
	if err != nil {
		return fmt.Errorf("read the answer of %s: %w", url, err)
	}
	fmt.Printf("%s\n", answer)
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s is not ready: %s", url, res.Status)
	}
	return nil
}

// localURL is where the process with this configuration answers on its own machine.
func localURL(cfg *config.Config) (string, error) {
	address := cfg.Listen
	if cfg.WorkerListen != "" {
		address = cfg.WorkerListen
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return "", fmt.Errorf("address %q: %w", address, err)
	}
	if ip := net.ParseIP(host); host == "" || (ip != nil && ip.IsUnspecified()) {
		host = "localhost"
	}
	return "http://" + net.JoinHostPort(host, port), nil
}
