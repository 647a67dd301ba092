package store

import (
	"context"
	"time"
)

// OpenAt is Open on a machine whose clock is local.
func OpenAt(ctx context.Context, o Options, local func() time.Time) (*Store, error) {
	return open(ctx, o, local)
}
