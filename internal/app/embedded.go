package app

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/posthorn/posthorn/internal/config"
	"github.com/posthorn/posthorn/internal/secret"
)

// completeEmbedded makes what the embedded mode needs and nobody configured: the data folder, an operator key, a
// master key. Keys are kept in the data folder, readable by its owner alone.
func completeEmbedded(cfg *config.Config) error {
	if err := os.MkdirAll(cfg.Data, 0o700); err != nil {
		return fmt.Errorf("data folder --data (POSTHORN_DATA): %w", err)
	}
	operator, err := keptKey(cfg.OperatorKey, filepath.Join(cfg.Data, "operator.key"), secret.NewOperatorKey)
	if err != nil {
		return err
	}
	master, err := keptKey(cfg.MasterKeys, filepath.Join(cfg.Data, "master.key"), secret.GenerateMasterKey)
	cfg.OperatorKey, cfg.MasterKeys = operator, master
	return err
}

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
