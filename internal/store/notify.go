package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// channel is the Postgres channel on which processes wake each other's dispatchers.
const channel = "posthorn_dispatch"

// relistenAfter is how long Listen waits before it connects anew.
const relistenAfter = time.Second

// Notify wakes the dispatchers of other processes. Call it after the commit and not for every one: inside the
// transaction it makes commits wait for each other. On SQLite there is no other process.
func (s *Store) Notify(ctx context.Context) error {
	if !s.postgres() {
		return nil
	}
	return translate(s.db.WithContext(ctx).Exec("SELECT pg_notify(?, '')", channel).Error)
}

// Listen calls wake for every Notify until ctx ends, and once for every connection: what was sent in between is
// lost. It has a connection of its own. On SQLite it returns at once.
func (s *Store) Listen(ctx context.Context, wake func()) {
	if !s.postgres() {
		return
	}
	for ctx.Err() == nil {
		s.listenOnce(ctx, wake)
		select {
		case <-ctx.Done():
		case <-time.After(relistenAfter):
		}
	}
}

// listenOnce returns when the connection is lost; the dispatcher's poll covers the time without one.
func (s *Store) listenOnce(ctx context.Context, wake func()) {
	conn, err := pgx.Connect(ctx, s.url)
	if err != nil {
		return
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	if _, err := conn.Exec(ctx, "LISTEN "+channel); err != nil {
		return
	}
	for wake(); ; wake() {
		if _, err := conn.WaitForNotification(ctx); err != nil {
			return
		}
	}
}
