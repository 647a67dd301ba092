package app

import (
	"context"
	"fmt"
)

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
