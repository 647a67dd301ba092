package store

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
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
		// connection exceptions, out of resources, shutdown, system errors; serialisation failures and deadlocks;
		// 25006 is a standby, or a primary that was made read-only before its disk is full
		return strings.HasPrefix(pg.Code, "08") || strings.HasPrefix(pg.Code, "53") ||
			strings.HasPrefix(pg.Code, "57P") || strings.HasPrefix(pg.Code, "58") || deadlock(err) || pg.Code == "25006"
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
	return refused || errors.Is(err, context.DeadlineExceeded) || pgconn.SafeToRetry(err) ||
		errors.Is(err, driver.ErrBadConn) || errors.Is(err, io.ErrUnexpectedEOF) ||
		strings.Contains(err.Error(), "sql: database is closed") // has no name in database/sql
}

// deadlock reports whether the database rolled a transaction back because it was in another's way: run anew, it may
// succeed.
func deadlock(err error) bool {
	pg, ok := errors.AsType[*pgconn.PgError](err)
	return ok && strings.HasPrefix(pg.Code, "40")
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

// hidePassword keeps the credentials of a URL out of an error: pgx quotes the URL, and masks only what it recognises.
func hidePassword(err error) error {
	bad, ok := errors.AsType[*pgconn.ParseConfigError](err)
	if !ok {
		return err
	}
	cause := errors.Unwrap(bad)
	if _, malformed := url.Parse(bad.ConnString); malformed != nil || cause == nil {
		return errors.New("the database URL cannot be parsed: " +
			"in a user or password, / ? # @ : % are written %2F %3F %23 %40 %3A %25")
	}
	return fmt.Errorf("the database URL cannot be used: %w", cause)
}
