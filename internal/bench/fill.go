package main

import (
	"context"
	"time"

	"github.com/posthorn/posthorn/internal/secret"
	"github.com/posthorn/posthorn/internal/store"
	"github.com/posthorn/posthorn/internal/store/storeseed"
)

// fill stores what the options want to be there already. A SQLite file is its process's alone, which ends meanwhile.
func (s *system) fill(ctx context.Context, application, subscription string) error {
	if s.options.stored+s.options.waiting == 0 {
		return nil
	}
	embedded := s.postgres == nil
	if embedded {
		if err := s.stopChildren(); err != nil {
			return err
		}
	}
	if err := s.store(ctx, application, subscription); err != nil {
		return err
	}
	if embedded {
		return s.startEmbedded(ctx)
	}
	return nil
}

func (s *system) store(ctx context.Context, application, subscription string) error {
	return s.withStore(ctx, nil, func(opened *store.Store) error {
		pool, err := opened.SQL()
		if err != nil {
			return err
		}
		return storeseed.Fill(ctx, pool, opened.Dialect(), storeseed.Amounts{
			Stored: s.options.stored, Waiting: s.options.waiting, Application: application, Subscription: subscription,
			Now: opened.Now(),
		})
	})
}

// withStore opens the system's database, by another clock.
func (s *system) withStore(ctx context.Context, now func() time.Time, do func(*store.Store) error) error {
	keyring, err := secret.NewKeyring(secret.GenerateMasterKey()) // nothing secret is read or written
	if err != nil {
		return err
	}
	opened, err := store.Open(ctx, store.Options{URL: s.databaseURL, Keyring: keyring, Now: now})
	if err != nil {
		return err
	}
	defer opened.Close()
	return do(opened)
}
