package dispatch

import (
	"context"
	"time"
)

// chore is done once in a while, also while rows keep coming.
type chore struct {
	every time.Duration
	due   time.Time
	do    func(ctx context.Context)
}

type chores []chore

// chores are first due when their time has passed for the first time.
func (d *Dispatcher) chores(now time.Time) chores {
	return chores{
		{pollEvery, now.Add(pollEvery), func(ctx context.Context) {
			d.Wake()
			d.markOffered(ctx)
			d.erasures(ctx)
		}},
		{reconcileEvery, now.Add(reconcileEvery), d.reconcile},
		{healEvery, now.Add(healEvery), d.heal},
	}
}

// doDue does those that are due.
func (c chores) doDue(ctx context.Context, now time.Time) {
	for i := range c {
		if now.Before(c[i].due) {
			continue
		}
		if c[i].due = c[i].due.Add(c[i].every); !c[i].due.After(now) { // late, and once is enough
			c[i].due = now.Add(c[i].every)
		}
		c[i].do(ctx)
	}
}

// next is when the first of them is due.
func (c chores) next() time.Time {
	next := c[0].due
	for _, one := range c[1:] {
		if one.due.Before(next) {
			next = one.due
		}
	}
	return next
}
