package store

import (
	"context"
	"sync/atomic"
	"time"
)

// On Postgres several processes judge by the clock who is alive and what is due, and their clocks differ: four seconds
// apart, and each takes the other for dead. So all of them go by the database's clock. Theirs may be set while they run,
// so between two measurements time goes on by the monotonic clock.

const (
	// setClockEvery is how often the database is asked for its time: within a lease, for its clock may be set as well.
	setClockEvery = time.Second
	// clockReadings are taken for one measurement, of which the quickest counts: it is off by half its own length at most.
	clockReadings = 3
)

// databaseClock shows the database's time without asking for it each time.
type databaseClock struct {
	local func() time.Time
	last  atomic.Pointer[clockReading]
}

// clockReading is what the database's clock showed at a moment of the local one. Half of took is how far it may be off.
type clockReading struct {
	local, database time.Time
	took            time.Duration
}

func (c *databaseClock) now() time.Time { return c.last.Load().at(c.local()) }

func (r *clockReading) at(local time.Time) time.Time { return r.database.Add(local.Sub(r.local)) }

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

// setClock keeps the last measurement while the new one agrees with it, as far as it can tell.
func (s *Store) setClock(ctx context.Context, clock *databaseClock) error {
	reading, err := s.readClock(ctx, clock.local)
	if err != nil {
		return err
	}
	last := clock.last.Load()
	if last == nil || reading.database.Sub(last.at(reading.local)).Abs() > reading.took/2 {
		clock.last.Store(reading)
	}
	return nil
}

func (s *Store) readClock(ctx context.Context, local func() time.Time) (quickest *clockReading, err error) {
	for range clockReadings {
		var shown int64
		asked := local()
		err := takeRaw(s.read(ctx), &shown, "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS bigint)")
		if err != nil {
			return nil, translate(err)
		}
		took := local().Sub(asked)
		if quickest == nil || took < quickest.took {
			quickest = &clockReading{local: asked.Add(took / 2), database: fromMicros(shown), took: took}
		}
	}
	return quickest, nil
}
