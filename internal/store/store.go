// Package store keeps Posthorn's facts in SQLite or Postgres: what was accepted, what is due, what was attempted.
// It decides nothing but what must be decided inside a transaction: who may send an attempt (the gate), and what
// a cancel or a redelivery meets.
package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"gorm.io/driver/postgres"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"
	"gorm.io/gorm/schema"

	"github.com/posthorn/posthorn/internal/failpoint"
	"github.com/posthorn/posthorn/internal/secret"
	"github.com/posthorn/posthorn/internal/stmtcache"
	"github.com/posthorn/posthorn/migrations"
	"github.com/posthorn/posthorn/models"
)

// Options say which database to open.
type Options struct {
	// URL is `postgres://…`, or `sqlite:` and a file's path.
	URL string
	// Keyring encrypts the subscribers' secrets.
	Keyring *secret.Keyring
	// Now is the clock; nil = time.Now, on Postgres set by the database's: several processes look at the same leases.
	Now func() time.Time
	// MaxConnections bounds Postgres' pool; 0 = 20. SQLite has one writer and four readers.
	MaxConnections int
}

// Store is safe for concurrent use.
type Store struct {
	url     string
	dialect migrations.Dialect
	db      *gorm.DB // writes, and reads inside transactions
	reader  *gorm.DB // reads outside; the same as db on Postgres
	// committer has SQLite's only write connection; nil on Postgres.
	committer *committer
	keyring   *secret.Keyring
	now       func() time.Time
	// lost are claims that nobody here knows to have made.
	lost  lostClaims
	touch touch
	// closing ends what runs in the background.
	closing context.CancelFunc
	// background has a place for each transaction of inBackground that may run; nil = for any number.
	background        chan struct{}
	permits           permits
	subscriptionLocks subscriptionLocks
	// specs are those read, storedSpecs those known to be in the table.
	specs       byDigest[*models.Spec]
	storedSpecs byDigest[struct{}]
}

// Open connects to the database. It does not touch the schema: see Migrate.
func Open(ctx context.Context, o Options) (*Store, error) {
	return open(ctx, o, failpoint.Now)
}

// open is Open on a machine whose clock is local.
func open(ctx context.Context, o Options, local func() time.Time) (*Store, error) {
	schema.RegisterSerializer("micros", microsSerializer{})
	s := &Store{url: o.URL, keyring: o.Keyring, now: o.Now, closing: func() {}}
	if s.now == nil {
		s.now = local
	}
	var err error
	if path, ok := strings.CutPrefix(o.URL, "sqlite:"); ok {
		err = s.openSQLite(path)
	} else {
		err = s.openPostgres(o.URL, o.MaxConnections)
	}
	if err != nil {
		return nil, err
	}
	err = s.Ping(ctx)
	if err == nil && o.Now == nil && s.postgres() {
		err = s.shareClock(ctx, local)
	}
	if err != nil {
		s.Close()
		return nil, fmt.Errorf("open database: %w", err)
	}
	return s, nil
}

// Now is the time by which leases, claims and due times are judged. Who writes a time that others compare takes it
// from here.
func (s *Store) Now() time.Time { return s.now() }

// preparedStatements bounds the statements that a SQLite connection keeps prepared; lists of ids make many. (pgx keeps
// its own.)
const preparedStatements = 200

// readConnections serve lists and look-ups beside SQLite's one writer.
const readConnections = 4

func (s *Store) openSQLite(path string) error {
	s.dialect = migrations.SQLite
	var err error
	if s.db, err = openSQLitePool(sqliteDSN(path, "immediate"), 1); err != nil {
		return err
	}
	s.committer = newCommitter(s.db)
	s.reader, err = openSQLitePool(sqliteDSN(path, "deferred"), readConnections)
	return err
}

// openSQLitePool opens connections that keep their statements: GORM's own cache prepares them in every transaction anew.
func openSQLitePool(dsn string, connections int) (*gorm.DB, error) {
	pool, err := stmtcache.Open("sqlite", dsn, preparedStatements)
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	db, err := openGorm(sqlite.Dialector{Conn: pool}, connections)
	if err != nil {
		_ = pool.Close()
	}
	return db, err
}

func (s *Store) openPostgres(dsn string, connections int) error {
	s.dialect = migrations.Postgres
	if !strings.HasPrefix(dsn, "postgres://") && !strings.HasPrefix(dsn, "postgresql://") {
		return errors.New("the database URL must start with sqlite: or postgres://")
	}
	if connections == 0 {
		connections = 20
	}
	s.background = make(chan struct{}, max(1, connections*4/5))
	db, err := openGorm(postgres.New(postgres.Config{DSN: dsn}), connections)
	s.db, s.reader = db, db
	return err
}

// sqliteDSN sets every connection up: WAL so that readers do not wait for the writer, FULL so that a 202 survives a
// power cut, immediate transactions so that a read is never upgraded under a lock another holds.
func sqliteDSN(path, txlock string) string {
	query := url.Values{
		"_txlock": {txlock},
		"_pragma": {
			"journal_mode(WAL)", "synchronous(FULL)", "busy_timeout(5000)", "foreign_keys(ON)",
			"secure_delete(FAST)", "cache_size(-32768)", "temp_store(MEMORY)", "mmap_size(268435456)", "journal_size_limit(67108864)",
		},
	}
	if pages := failpoint.Pages(); pages > 0 {
		query.Add("_pragma", fmt.Sprintf("max_page_count(%d)", pages))
	}
	return "file:" + (&url.URL{Path: filepath.ToSlash(path)}).EscapedPath() + "?" + query.Encode()
}

func openGorm(dialector gorm.Dialector, connections int) (*gorm.DB, error) {
	db, err := gorm.Open(dialector, &gorm.Config{
		Logger:                 logger.Discard, // errors are returned; nobody needs them twice
		SkipDefaultTransaction: true,           // every transaction here is explicit
		DisableAutomaticPing:   true,
	})
	if err != nil {
		return nil, fmt.Errorf("open database: %w", hidePassword(err))
	}
	pool, err := db.DB()
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	pool.SetMaxOpenConns(connections)
	pool.SetMaxIdleConns(connections)
	return db, nil
}

// Close closes every connection.
func (s *Store) Close() {
	s.closing()
	if s.committer != nil {
		s.committer.close()
	}
	for _, db := range []*gorm.DB{s.db, s.reader} {
		if db == nil {
			continue
		}
		if pool, err := db.DB(); err == nil {
			_ = pool.Close() // nothing is left to lose: every write was committed or refused
		}
	}
}

// Ping reports whether the database answers.
func (s *Store) Ping(ctx context.Context) error {
	return translate(s.reader.WithContext(ctx).Exec("SELECT 1").Error)
}

// Dialect tells which database it is.
func (s *Store) Dialect() migrations.Dialect { return s.dialect }

// SQL is the pool for migrations.
func (s *Store) SQL() (*sql.DB, error) { return s.db.DB() }

func (s *Store) postgres() bool { return s.dialect == migrations.Postgres }

// read gives a handle for queries outside a transaction.
func (s *Store) read(ctx context.Context) *gorm.DB { return s.reader.WithContext(ctx) }

// write runs fn in one durable transaction: when it returns nil, the commit has reached the disk, and with it the audit
// entry of models.WithAudit.
func (s *Store) write(ctx context.Context, fn func(tx *gorm.DB) error) error {
	return s.transact(ctx, true, audited(ctx, fn))
}

// writeRelaxed is write without waiting for the disk: a power cut may take the newest of these back, never part of
// one. For what the next pass finds again: leases, heartbeats.
func (s *Store) writeRelaxed(ctx context.Context, fn func(tx *gorm.DB) error) error {
	return s.transact(ctx, false, fn)
}

// writeClaim is write for claims. A claim is all there is to tell that the receiver may have got a request, so on
// Postgres, where a crash of the server takes back what did not wait for the disk, it does. On SQLite only a power cut
// can, which takes the sending process too.
func (s *Store) writeClaim(ctx context.Context, fn func(tx *gorm.DB) error) error {
	return s.transact(ctx, s.postgres(), fn)
}

// deadlockRetries is how often a transaction is run anew after the database broke a deadlock by taking it back.
const deadlockRetries = 5

// transact runs fn in a transaction, anew after a deadlock, and where SQLite took back what others shared with it: what
// fn leaves behind must come from its last run alone.
func (s *Store) transact(ctx context.Context, durable bool, fn func(tx *gorm.DB) error) error {
	for run := 0; ; run++ {
		err := s.transactOnce(ctx, durable, fn)
		if run == deadlockRetries || !deadlock(err) {
			return err
		}
	}
}

func (s *Store) transactOnce(ctx context.Context, durable bool, fn func(tx *gorm.DB) error) error {
	ctx, tokens := withTokens(ctx)
	var err error
	if s.postgres() {
		err = s.commit(ctx, durable, fn)
	} else {
		err = s.committer.do(ctx, &pendingWrite{durable: durable, fn: fn})
	}
	if err != nil {
		s.lost.add(*tokens, s.now())
	}
	return translate(err)
}

// commit runs fn in a transaction of its own.
func (s *Store) commit(ctx context.Context, durable bool, fn func(tx *gorm.DB) error) error {
	return s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		if !durable {
			if err := tx.Exec("SET LOCAL synchronous_commit = off").Error; err != nil {
				return err
			}
		}
		return fn(tx)
	})
}

// forUpdate is the suffix that locks what a SELECT in a transaction reads. SQLite has one writer and needs none. No key
// is ever changed, and the weaker lock lets others insert rows that refer to the locked ones.
func (s *Store) forUpdate(of string) string {
	if s.postgres() {
		return " FOR NO KEY UPDATE OF " + of
	}
	return ""
}
