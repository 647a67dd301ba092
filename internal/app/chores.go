package app

import (
	"context"
	"fmt"
	"time"

	"github.com/posthorn/posthorn/internal/config"
	"github.com/posthorn/posthorn/internal/secret"
	"github.com/posthorn/posthorn/internal/store"
	"github.com/posthorn/posthorn/migrations"
	"github.com/posthorn/posthorn/models"
)

// withStore runs fn on the configured database, without any other part of a process; keyring nil = fn needs no secret.
func withStore(ctx context.Context, cfg config.Config, keyring *secret.Keyring, fn func(*store.Store) error) error {
	opened, err := store.Open(ctx, store.Options{URL: cfg.Database(), Keyring: keyring})
	if err != nil {
		return err
	}
	defer opened.Close()
	return fn(opened)
}

// resealBatch is how many subscriptions RotateSecrets changes in one transaction, which deliveries to them wait for.
const resealBatch = 50

// RotateSecrets encrypts every secret that an older master key sealed anew under the first one, and returns how many
// subscriptions that changed: how many were done when it failed or ctx ended, too. It can be stopped and started again
// at any moment. Each batch that changed something is in the audit log.
func RotateSecrets(ctx context.Context, cfg config.Config) (total int, err error) {
	keyring, err := secret.NewKeyring(cfg.MasterKeys)
	if err != nil {
		return 0, fmt.Errorf("--master-keys (POSTHORN_MASTER_KEYS): %w", err)
	}
	err = withStore(ctx, cfg, keyring, func(s *store.Store) error {
		for after := ""; ; {
			changed, next, err := s.Reseal(audited(ctx, models.ActionRotateMasterKey, &models.Key{}), after, resealBatch)
			total += changed
			if err != nil || next == "" {
				return err
			}
			after = next
		}
	})
	return total, err
}

// MigrateUp brings the database to the newest schema and returns the versions applied.
func MigrateUp(ctx context.Context, cfg config.Config) (versions []int64, err error) {
	err = withStore(ctx, cfg, nil, func(s *store.Store) error {
		versions, err = s.MigrateUp(ctx)
		return err
	})
	return versions, err
}

// MigrateDown takes back the newest migration and returns its version.
func MigrateDown(ctx context.Context, cfg config.Config) (version int64, err error) {
	err = withStore(ctx, cfg, nil, func(s *store.Store) error {
		version, err = s.MigrateDown(ctx)
		return err
	})
	return version, err
}

// MigrateStatus lists the migrations.
func MigrateStatus(ctx context.Context, cfg config.Config) (list []migrations.Status, err error) {
	err = withStore(ctx, cfg, nil, func(s *store.Store) error {
		list, err = s.Migrations(ctx)
		return err
	})
	return list, err
}

// CreateKey stores a new key and returns its text, which is kept nowhere.
func CreateKey(ctx context.Context, cfg config.Config, role, applicationID, name string) (string, error) {
	key, err := secret.NewAPIKey(role)
	if err != nil {
		return "", err
	}
	row := &models.Key{
		ID: key.ID, Role: models.Role(role), Name: name, Prefix: key.Prefix, Digest: key.Digest[:], CreatedAt: time.Now().UTC(),
	}
	if applicationID != "" {
		row.ApplicationID = &applicationID
	}
	action := "create-deployment-key"
	if applicationID != "" {
		action = "create-key"
	}
	ctx = audited(ctx, action, row)
	return key.Text, withStore(ctx, cfg, nil, func(s *store.Store) error { return s.CreateKey(ctx, row) })
}

// listedKeys bounds what ListKeys returns.
const listedKeys = 500

// ListKeys lists the keys of an application; "" = of the deployment.
func ListKeys(ctx context.Context, cfg config.Config, applicationID string) (keys []models.Key, err error) {
	err = withStore(ctx, cfg, nil, func(s *store.Store) error {
		keys, _, err = s.Keys(ctx, applicationID, models.Page{Limit: listedKeys})
		return err
	})
	return keys, err
}

// RevokeKey ends a key.
func RevokeKey(ctx context.Context, cfg config.Config, id string) error {
	return withStore(ctx, cfg, nil, func(s *store.Store) error {
		key, err := s.Key(ctx, id)
		if err != nil {
			return err
		}
		return s.RevokeKey(audited(ctx, "revoke-key", key), id)
	})
}

// audited makes what is done under ctx, to the key where it is about one, an entry in the audit log, as the API's own
// actions are.
func audited(ctx context.Context, action string, key *models.Key) context.Context {
	return models.WithAudit(ctx, &models.AuditEntry{
		ID: models.NewID(), Actor: models.ActorOperator, Role: models.RoleOperator, ApplicationID: key.ApplicationID,
		Action: action, SubjectType: "key", SubjectID: key.ID, CreatedAt: time.Now().UTC(),
	})
}
