package dispatch

import (
	"context"
	"slices"
	"time"

	"github.com/posthorn/posthorn/models"
)

// The hand-over in memory: a process that accepts events and works on them too need not read back what it has just
// committed. The rows are committed as if a dispatcher had taken them; should this process end before their workflows
// are started, another takes them when that lease is over.
const (
	// offerLease is how long an offered row is left to its process.
	offerLease = 4 * time.Second
	// offerRoom is how many rows may wait here. Past it they wait in the table, where no lease runs out meanwhile.
	offerRoom = 64
)

// Lease returns until when rows committed now may be offered, and false when they are to wait in the table. It is the
// same for all rows of one second, so that one UPDATE marks them all.
func (d *Dispatcher) Lease(rows int) (time.Time, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.now().Truncate(time.Second).Add(offerLease), len(d.offered)+rows <= offerRoom
}

// Offer hands over rows that were committed with a lease from Lease.
func (d *Dispatcher) Offer(rows []models.Dispatch) {
	if len(rows) == 0 {
		return
	}
	d.mu.Lock()
	d.offered = append(d.offered, rows...)
	d.mu.Unlock()
	d.nudge()
}

// startOffered starts the workflows of what was offered. Rows whose start fails come back when their lease is over.
func (d *Dispatcher) startOffered(ctx context.Context) {
	rows := d.takeOffered(ctx)
	if len(rows) == 0 {
		return
	}
	started := d.startAll(ctx, rows)
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, group := range started {
		for _, row := range group {
			d.unmarked[row.Lease] = append(d.unmarked[row.Lease], row.InvocationID)
		}
	}
}

// takeOffered takes as many of the offered rows as the window has room for; those of one event are not torn apart.
func (d *Dispatcher) takeOffered(ctx context.Context) []models.Dispatch {
	d.mu.Lock()
	none := len(d.offered) == 0
	d.mu.Unlock()
	if none {
		return nil
	}
	n := d.window.wait(ctx, d.now)
	d.mu.Lock()
	defer d.mu.Unlock()
	for n > 0 && n < len(d.offered) && d.offered[n].WorkflowID == d.offered[n-1].WorkflowID {
		n++
	}
	rows := d.offered[:min(n, len(d.offered))]
	if d.offered = slices.Clone(d.offered[len(rows):]); len(d.offered) > 0 {
		d.nudge()
	}
	return rows
}

// markOffered ends the hold on started rows that no attempt has claimed yet: most have been, and cost nothing here.
func (d *Dispatcher) markOffered(ctx context.Context) {
	d.mu.Lock()
	unmarked := d.unmarked
	d.unmarked = map[time.Time][]string{}
	d.mu.Unlock()
	for lease, ids := range unmarked {
		if err := d.store.MarkDispatched(ctx, lease, ids); err != nil {
			d.logFailure(ctx, "mark dispatched", err)
		}
	}
}
