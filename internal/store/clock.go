package store

import (
	"context"
	"sync/atomic"
	"time"
)

// On Postgres several processes judge by the clock who is alive and what is due, and their clocks differ: four seconds
// apart, and each takes the other for dead. So all of them go by the database's clock.

const (
	// setClockEvery is how often the distance from the database's clock is measured.
	setClockEvery = time.Minute
	// clockReadings are taken for one measurement, of which the quickest counts: it is off by half its own length at most.
	clockReadings = 3
)

// databaseClock shows the database's time without asking for it each time.
type databaseClock struct {
	local func() time.Time
	// ahead is by how many nanoseconds the database's clock is ahead of the local one.
	ahead atomic.Int64
}

func (c *databaseClock) now() time.Time { return c.local().Add(time.Duration(c.ahead.Load())) }

// shareClock sets the store's clock by the database's, now and from now on, until the store is closed.
func (s *Store) shareClock(ctx context.Context, local func() time.Time) error {
	clock := &databaseClock{local: local}
	if err := s.setClock(ctx, clock); err != nil {
		return err
	}
	s.now = clock.now
	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	s.closing = cancel
	go func() {
		ticker := time.NewTicker(setClockEvery)
		defer ticker.Stop()
		for {
			select {
			case <-running.Done():
				return
			case <-ticker.C:
				_ = s.setClock(running, clock) // the last measurement holds until the database answers again
			}
		}
	}()
	return nil
}

func (s *Store) setClock(ctx context.Context, clock *databaseClock) error {
	quickest := time.Duration(-1)
	for range clockReadings {
		var shown int64
		asked := clock.local()
		err := takeRaw(s.read(ctx), &shown, "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS bigint)")
		if err != nil {
			return translate(err)
		}
		took := clock.local().Sub(asked)
		if quickest < 0 || took < quickest {
			quickest = took
			clock.ahead.Store(int64(fromMicros(shown).Sub(asked.Add(took / 2))))
		}
	}
	return nil
}
