package app

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/posthorn/posthorn/internal/config"
	"github.com/posthorn/posthorn/internal/egress"
	"github.com/posthorn/posthorn/internal/secret"
)

// completeEmbedded makes what the embedded mode needs and nobody configured: the data folder, an operator key, a
// master key. Keys are kept in the data folder, readable by its owner alone.
func completeEmbedded(cfg *config.Config) error {
	if err := os.MkdirAll(cfg.Data, 0o700); err != nil {
		return fmt.Errorf("data folder --data (POSTHORN_DATA): %w", err)
	}
	operator, err := keptKey(cfg.OperatorKey, filepath.Join(cfg.Data, "operator.key"), newOperatorKey)
	if err != nil {
		return err
	}
	master, err := keptKey(cfg.MasterKeys, filepath.Join(cfg.Data, "master.key"), secret.GenerateMasterKey)
	cfg.OperatorKey, cfg.MasterKeys = operator, master
	return err
}

func newOperatorKey() string { return "ph_operator_" + rand.Text() + rand.Text() }

// keptKey is the configured key; else the one in the file; else a fresh one, which the file keeps.
func keptKey(configured, path string, fresh func() string) (string, error) {
	if configured != "" {
		return configured, nil
	}
	kept, err := os.ReadFile(path) //nolint:gosec // a fixed name in the operator's own folder
	if err == nil {
		return strings.TrimSpace(string(kept)), nil
	}
	if !errors.Is(err, os.ErrNotExist) {
		return "", fmt.Errorf("read key: %w", err)
	}
	key := fresh()
	return key, writeKey(path, key)
}

func writeKey(path, key string) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600) //nolint:gosec // as in keptKey
	if err != nil {
		return fmt.Errorf("store key: %w", err)
	}
	_, err = file.WriteString(key + "\n")
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return fmt.Errorf("store key: %w", err)
	}
	return nil
}

// egressConfig is the guard that the configuration asks for. The embedded mode, where nothing is said, lets loopback
// through and nothing else that is private: the receiver under development runs on the same machine.
func egressConfig(cfg config.Config, roles Roles) (egress.Config, error) {
	guard := egress.Config{
		Ports: cfg.EgressPorts, AllowNAT64: cfg.EgressAllowNAT64,
		AllowHTTP: cfg.AllowHTTP, AllowHTTPLoopback: cfg.AllowHTTPLoopback || roles.Embedded,
	}
	for list, cidrs := range map[*[]netip.Prefix][]string{
		&guard.AllowCIDRs: cfg.EgressAllowCIDRs, &guard.DenyCIDRs: cfg.EgressDenyCIDRs,
	} {
		for _, cidr := range cidrs {
			prefix, err := netip.ParsePrefix(cidr)
			if err != nil {
				return guard, fmt.Errorf("egress range: %w", err)
			}
			*list = append(*list, prefix)
		}
	}
	if roles.Embedded {
		if len(cfg.EgressAllowCIDRs) == 0 {
			guard.AllowCIDRs = egress.LoopbackCIDRs()
		}
	}
	if cfg.EgressProxyURL != "" {
		proxy, err := url.Parse(cfg.EgressProxyURL)
		if err != nil {
			return guard, errors.New("--egress-proxy-url (POSTHORN_EGRESS_PROXY_URL) cannot be parsed")
		}
		guard.ProxyURL = proxy
	}
	if cfg.EgressBindAddress != "" {
		bind, err := netip.ParseAddr(cfg.EgressBindAddress)
		if err != nil {
			return guard, fmt.Errorf("egress bind address: %w", err)
		}
		guard.BindAddress = bind
	}
	return guard, nil
}

// checkSchema refuses to work on a database that lacks migrations.
func (a *App) checkSchema(ctx context.Context) error {
	pending, err := a.store.PendingMigrations(ctx)
	if err != nil {
		return fmt.Errorf("check schema: %w", err)
	}
	if pending > 0 {
		return fmt.Errorf("the database lacks %d migrations: run posthorn migrate up", pending)
	}
	return nil
}
