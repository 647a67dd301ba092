// Package stmtcache wraps a database/sql driver so that each connection keeps its statements prepared.
//
// SQLite has no such cache, and database/sql prepares a statement anew for every call, inside transactions even where
// the caller holds a *sql.Stmt that was prepared in another one (GORM's PrepareStmt does). Parsing and planning then
// cost as much as running.
package stmtcache

import (
	"container/list"
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"
)

// Open opens the data source with the driver that is registered under the name. Each connection keeps up to size
// statements that are not in use prepared; the one that was used longest ago goes first. Queries and commands always
// go through a prepared statement; PRAGMAs, some of which act while they are prepared, are never kept.
func Open(driverName, dsn string, size int) (*sql.DB, error) {
	registered, err := sql.Open(driverName, dsn)
	if err != nil {
		return nil, err //nolint:wrapcheck // database/sql names the driver
	}
	defer func() { _ = registered.Close() }() // no connection was made
	return sql.OpenDB(&connector{driver: registered.Driver(), dsn: dsn, size: size}), nil
}

// connector implements driver.Connector.
type connector struct {
	driver driver.Driver
	dsn    string
	size   int
}

// driverConn is what the wrapped driver's connections have to be.
type driverConn interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.Pinger
	driver.SessionResetter
	driver.Validator
}

// Caches reports whether db is of Open.
func Caches(db *sql.DB) bool {
	_, ok := db.Driver().(caching)
	return ok
}

// caching marks the driver of a connector.
type caching struct{ driver.Driver }

// Driver implements driver.Connector.
func (c *connector) Driver() driver.Driver { return caching{c.driver} }

// Connect implements driver.Connector.
func (c *connector) Connect(context.Context) (driver.Conn, error) {
	opened, err := c.driver.Open(c.dsn)
	if err != nil {
		return nil, err //nolint:wrapcheck // this package is to be unseen
	}
	full, ok := opened.(driverConn)
	if !ok {
		return nil, errors.Join(fmt.Errorf("stmtcache: %T lacks methods of database/sql/driver", opened), opened.Close())
	}
	return &conn{driverConn: full, size: c.size, idle: map[string]*list.Element{}}, nil
}

// conn is a connection and its statements. database/sql uses a connection from one goroutine at a time. It has no
// ExecContext and QueryContext, so database/sql prepares everything.
type conn struct {
	driverConn

	size int
	// idle are the statements that nobody uses, by their text; order has the one used last in front.
	idle  map[string]*list.Element
	order list.List
}

// stmt is a prepared statement, which returns to its connection when it is closed.
type stmt struct {
	driverStmt

	conn  *conn
	query string
}

// driverStmt is what the wrapped driver's statements have to be.
type driverStmt interface {
	driver.Stmt
	driver.StmtExecContext
	driver.StmtQueryContext
}

// Prepare implements driver.Conn.
func (c *conn) Prepare(query string) (driver.Stmt, error) {
	return c.PrepareContext(context.Background(), query)
}

// PrepareContext implements driver.ConnPrepareContext. A statement that is in use, its rows being open, is prepared a
// second time.
func (c *conn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	if found, ok := c.idle[query]; ok {
		delete(c.idle, query)
		return c.order.Remove(found).(*stmt), nil //nolint:errcheck // nothing else is in the list
	}
	prepared, err := c.driverConn.PrepareContext(ctx, query)
	if err != nil {
		return nil, err //nolint:wrapcheck // this package is to be unseen
	}
	full, ok := prepared.(driverStmt)
	if !ok {
		return nil, errors.Join(fmt.Errorf("stmtcache: %T lacks methods of database/sql/driver", prepared), prepared.Close())
	}
	return &stmt{driverStmt: full, conn: c, query: query}, nil
}

// Close implements driver.Stmt.
func (s *stmt) Close() error { return s.conn.keep(s) }

func (c *conn) keep(s *stmt) error {
	if _, twice := c.idle[s.query]; twice || isPragma(s.query) {
		return s.driverStmt.Close() //nolint:wrapcheck // this package is to be unseen
	}
	c.idle[s.query] = c.order.PushFront(s)
	if c.order.Len() <= c.size {
		return nil
	}
	oldest := c.order.Remove(c.order.Back()).(*stmt) //nolint:errcheck // nothing else is in the list
	delete(c.idle, oldest.query)
	return oldest.driverStmt.Close() //nolint:wrapcheck // this package is to be unseen
}

func isPragma(query string) bool {
	const pragma = "PRAGMA"
	query = strings.TrimSpace(query)
	return len(query) >= len(pragma) && strings.EqualFold(query[:len(pragma)], pragma)
}

// Close implements driver.Conn.
func (c *conn) Close() error {
	var errs []error
	for at := c.order.Front(); at != nil; at = at.Next() {
		errs = append(errs, at.Value.(*stmt).driverStmt.Close()) //nolint:errcheck // nothing else is in the list
	}
	return errors.Join(append(errs, c.driverConn.Close())...)
}
