package store

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"gorm.io/gorm"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/posthorn/posthorn/models"
)

// retryAfterOutage is what a client is told to wait while the database does not take writes.
const retryAfterOutage = 2 * time.Second

// translate turns a driver's error into the domain's: CodeUnavailable when the database cannot persist now,
// CodeConflict for a broken unique key. Everything else stays as it is.
func translate(err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*models.Error](err); ok {
		return err
	}
	switch {
	case unavailable(err):
		return &outageError{cause: err}
	case isUnique(err):
		return models.Errorf(models.CodeConflict, "it exists already")
	default:
		return err
	}
}

// outageError is models.CodeUnavailable for clients and the driver's words for the log.
type outageError struct{ cause error }

func (e *outageError) Error() string { return fmt.Sprintf("database unavailable: %v", e.cause) }

func (e *outageError) Unwrap() []error {
	return []error{&models.Error{
		Code: models.CodeUnavailable, Message: "the database cannot persist now", RetryAfter: retryAfterOutage,
	}, e.cause}
}

func unavailable(err error) bool {
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok {
		// connection exceptions, out of resources, shutdown, system errors; serialisation failures and deadlocks
		return strings.HasPrefix(pg.Code, "08") || strings.HasPrefix(pg.Code, "53") ||
			strings.HasPrefix(pg.Code, "57P") || strings.HasPrefix(pg.Code, "58") || strings.HasPrefix(pg.Code, "40")
	}
	if lite, ok := errors.AsType[*sqlite.Error](err); ok {
		switch lite.Code() & 0xff { // the primary code
		case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL,
			sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_NOMEM:
			return true
		}
		return false
	}
	if _, ok := errors.AsType[net.Error](err); ok {
		return true
	}
	_, refused := errors.AsType[*pgconn.ConnectError](err)
	return refused || errors.Is(err, context.DeadlineExceeded) || pgconn.SafeToRetry(err)
}

func isUnique(err error) bool {
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok {
		return pg.Code == "23505"
	}
	lite, ok := errors.AsType[*sqlite.Error](err)
	return ok && (lite.Code() == sqlite3.SQLITE_CONSTRAINT_UNIQUE || lite.Code() == sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY)
}

// found turns "no rows" into the domain's not-found.
func found(err error, what string) error {
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return models.NotFound(what)
	}
	return translate(err)
}

// hidePassword keeps the credentials of a URL out of an error.
func hidePassword(err error) error {
	if bad, ok := errors.AsType[*url.Error](err); ok {
		return fmt.Errorf("the database URL cannot be parsed: %w", bad.Err)
	}
	return err
}
