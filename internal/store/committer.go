package store

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"sync"

	"gorm.io/gorm"
)

// committer runs SQLite's writes, which its one write connection makes one after the other: those that wait at one
// moment share a transaction, and so its begin, its commit and its wait for the disk (group commit). Each has a
// savepoint, so that one that fails takes nothing of the others back. Its goroutine is one for all: SQLite needs a deep
// stack, which every caller's would have to grow anew.
type committer struct {
	db      *gorm.DB
	waiting chan *pendingWrite
	closed  chan struct{}
	// close ends the committer; who waits gets errClosed.
	close func()
	// relaxed tells how the write connection is set; see setDurable.
	relaxed bool
}

// pendingWrite is what one caller wants to write.
type pendingWrite struct {
	// ctx cannot end: SQLite would take the whole transaction back, and the driver would watch it at every statement.
	ctx context.Context
	// durable asks that the commit wait for the disk; alone, that fn run outside of any transaction.
	durable, alone bool
	fn             func(tx *gorm.DB) error
	err            error
	panicked       any
	// done is closed when err says what became of it.
	done chan struct{}
}

// groupSize bounds the writes of one transaction: the first of them waits for the last.
const groupSize = 64

func newCommitter(db *gorm.DB) *committer {
	c := &committer{db: db, waiting: make(chan *pendingWrite), closed: make(chan struct{})}
	c.close = sync.OnceFunc(func() { close(c.closed) })
	go c.run()
	return c
}

// errClosed has the words of database/sql, which has no name for it.
var errClosed = errors.New("sql: database is closed")

// do runs one write and returns when it is committed, or refused. Until its turn comes it waits no longer than ctx.
func (c *committer) do(ctx context.Context, w *pendingWrite) error {
	if err := ctx.Err(); err != nil { // select would choose at random
		return err
	}
	w.ctx, w.done = context.WithoutCancel(ctx), make(chan struct{})
	select {
	case c.waiting <- w:
		<-w.done
	case <-ctx.Done():
		return ctx.Err()
	case <-c.closed:
		return errClosed
	}
	if w.panicked != nil {
		panic(w.panicked)
	}
	return w.err
}

func (c *committer) run() {
	for {
		select {
		case first := <-c.waiting:
			for first != nil {
				var group []*pendingWrite
				group, first = c.gather(first)
				c.commit(group)
			}
		case <-c.closed:
			return
		}
	}
}

// gather makes a group of a write and those that wait with it; next is one that cannot be of it, nil = there is none.
func (c *committer) gather(first *pendingWrite) (group []*pendingWrite, next *pendingWrite) {
	group = []*pendingWrite{first}
	for !first.alone && len(group) < groupSize {
		select {
		case w := <-c.waiting:
			if w.alone {
				return group, w
			}
			group = append(group, w)
		default:
			return group, nil
		}
	}
	return group, nil
}

// commit runs a group in one transaction and tells its members what became of them. Where SQLite has taken the whole
// back because of one, the others run again, each by itself; where the commit failed, all have failed.
func (c *committer) commit(group []*pendingWrite) {
	err := c.setDurable(slices.ContainsFunc(group, func(w *pendingWrite) bool { return w.durable }))
	switch {
	case err != nil:
	case group[0].alone:
		group[0].err = group[0].run(c.db)
	default:
		err = c.db.Transaction(func(tx *gorm.DB) error { return runGroup(tx, group) })
	}
	for _, w := range group {
		switch {
		case err == nil || w.err != nil:
		case errors.Is(err, errTakenBack):
			w.err = c.db.Transaction(w.run)
		default:
			w.err = err
		}
		close(w.done)
	}
}

// errTakenBack is a transaction that SQLite has rolled back as a whole, which it does when the disk is full, for one.
var errTakenBack = errors.New("the transaction was taken back")

// runGroup runs writes one after the other in one transaction. An error means that it is not to be committed.
func runGroup(tx *gorm.DB, group []*pendingWrite) error {
	if len(group) == 1 {
		group[0].err = group[0].run(tx)
		return group[0].err
	}
	for _, w := range group {
		if err := tx.Exec("SAVEPOINT member").Error; err != nil {
			return errTakenBack
		}
		if w.err = w.run(tx); w.err != nil && tx.Exec("ROLLBACK TO member").Error != nil {
			return errTakenBack
		}
		if err := tx.Exec("RELEASE member").Error; err != nil {
			return errTakenBack
		}
	}
	return nil
}

// run calls fn. A panic is kept for the goroutine that asked.
func (w *pendingWrite) run(tx *gorm.DB) (err error) {
	defer func() {
		if w.panicked = recover(); w.panicked != nil {
			err = sql.ErrTxDone // rolls it back; nobody sees it
		}
	}()
	return w.fn(tx.WithContext(w.ctx))
}

// setDurable makes the write connection wait for the disk, or not, where that is not so already.
func (c *committer) setDurable(durable bool) error {
	if c.relaxed == !durable {
		return nil
	}
	mode := "NORMAL"
	if durable {
		mode = "FULL"
	}
	if err := c.db.Exec("PRAGMA synchronous = " + mode).Error; err != nil {
		return err
	}
	c.relaxed = !durable
	return nil
}
