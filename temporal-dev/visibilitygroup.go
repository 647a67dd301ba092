package temporaldev

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"sync"
	"time"

	"go.temporal.io/server/common/persistence/sql/sqlplugin"
)

// visibilityRun names the row of a workflow run.
type visibilityRun struct{ namespaceID, runID string }

// visibilityWrite is one statement on a row.
type visibilityWrite struct {
	run  visibilityRun
	exec func(context.Context, sqlplugin.TableCRUD) (sql.Result, error)
	// version orders the writes of a whole row: the store keeps the highest.
	version int64
	// isStart: adds the row unless it is there. isWhole: writes the row, unless it has a higher version.
	isStart, isWhole bool

	added  time.Time
	result sql.Result
	err    error
	done   chan struct{} // closed when result and err are set
}

// visibilityGroup collects writes and commits those of an interval together. What the server writes does not depend
// on the order: an insert yields to what is there and an update to a higher version.
type visibilityGroup struct {
	db sqlplugin.DB

	mu      sync.Mutex
	waiting []*visibilityWrite
	ticking bool
	closed  bool
}

// do returns when the write is committed. If ctx ends first, the write may still be made.
func (g *visibilityGroup) do(ctx context.Context, w *visibilityWrite) (sql.Result, error) {
	w.added, w.done = time.Now(), make(chan struct{})
	if !g.add(w) {
		return w.exec(ctx, g.db)
	}
	select {
	case <-w.done:
		return w.result, w.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// add reports false when the group is closed.
func (g *visibilityGroup) add(w *visibilityWrite) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return false
	}
	g.waiting = append(g.waiting, w)
	if !g.ticking {
		g.ticking = true
		time.AfterFunc(groupInterval, g.tick)
	}
	return true
}

// tick commits what is due, and comes again while something waits.
func (g *visibilityGroup) tick() {
	g.commit(g.take(time.Now()))

	g.mu.Lock()
	defer g.mu.Unlock()
	g.ticking = len(g.waiting) > 0
	if g.ticking {
		time.AfterFunc(groupInterval, g.tick)
	}
}

// close commits what waits; later writes are made one by one.
func (g *visibilityGroup) close() {
	g.mu.Lock()
	g.closed = true
	g.mu.Unlock()
	g.commit(g.take(time.Now()))
}

// take removes what is due: everything but the starts that are held.
func (g *visibilityGroup) take(now time.Time) []*visibilityWrite {
	g.mu.Lock()
	defer g.mu.Unlock()
	touched, starts := map[visibilityRun]bool{}, 0
	for _, w := range g.waiting {
		if w.isStart {
			starts++
		} else {
			touched[w.run] = true
		}
	}
	var due, held []*visibilityWrite
	for _, w := range g.waiting {
		if w.isStart && !touched[w.run] && !g.closed && starts <= maxHeldStarts && now.Sub(w.added) < startHold {
			held = append(held, w)
			continue
		}
		if w.isStart {
			starts--
		}
		due = append(due, w)
	}
	g.waiting = held
	return due
}

// commit makes the writes in one transaction and releases who waits for them.
func (g *visibilityGroup) commit(writes []*visibilityWrite) {
	if len(writes) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), groupTimeout)
	defer cancel()
	if err := g.transact(ctx, writes); err != nil {
		for _, w := range writes {
			w.result, w.err = nil, err
		}
	}
	for _, w := range writes {
		close(w.done)
	}
}

// transact makes the writes. A statement that fails has its own error and leaves the others alone.
func (g *visibilityGroup) transact(ctx context.Context, writes []*visibilityWrite) error {
	tx, err := g.db.BeginTx(ctx)
	if err != nil {
		return err //nolint:wrapcheck // this plugin is to be unseen
	}
	newest := wholeRows(writes)
	for _, w := range writes {
		if last, ok := newest[w.run]; ok && w != last && w.version <= last.version && (w.isStart || w.isWhole) {
			w.result = driver.RowsAffected(0) // the other has all that this one has
			continue
		}
		w.result, w.err = w.exec(ctx, tx)
	}
	return tx.Commit() //nolint:wrapcheck // this plugin is to be unseen
}

// wholeRows returns the newest write of each row that is written as a whole.
func wholeRows(writes []*visibilityWrite) map[visibilityRun]*visibilityWrite {
	newest := make(map[visibilityRun]*visibilityWrite, len(writes))
	for _, w := range writes {
		if last, ok := newest[w.run]; w.isWhole && (!ok || w.version > last.version) {
			newest[w.run] = w
		}
	}
	return newest
}
