package activities

import (
	"context"
	"slices"
	"time"
)

// lines are the flights that one call of FirstAttempts waits for. Where another followed in its FIFO queue, that one
// takes a flight's place.
type lines struct {
	last []*flight
	// passed are the flights whose place was taken.
	passed []*flight
	landed chan int
	now    func() time.Time
	// end is when the wait is over, and timer fires; retry is set when that is because a retry is due.
	end   time.Time
	timer *time.Timer
	retry bool
}

// await returns when every flight has landed, the receivers' budget is used up, or the earliest retry is due. The answer
// has the last flight of each line, and those that others followed.
func (a *Activities) await(ctx context.Context, launched []*flight) (last, passed []*flight) {
	l := &lines{
		last: slices.Clone(launched), now: a.Now, end: a.Now().Add(firstAttemptsBudget),
		landed: make(chan int, len(launched)), // room for those that nobody waits for any more
		timer:  time.NewTimer(firstAttemptsBudget),
	}
	defer l.timer.Stop()
	for i := range l.last {
		l.watch(i)
	}
	for open := len(l.last); open > 0; {
		select {
		case i := <-l.landed:
			if !l.follow(i) {
				open--
			}
		case <-l.timer.C:
			if !l.retry {
				l.settle(ctx)
			}
			return l.last, l.passed
		case <-ctx.Done():
			return l.last, l.passed
		}
	}
	return l.last, l.passed
}

// settle waits for those that have their receivers' answers and are being recorded: where the database is slow, an
// activity for each of them would only make it slower.
func (l *lines) settle(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, settleBudget)
	defer cancel()
	for _, fl := range l.last {
		if !fl.answered.Load() {
			continue
		}
		select {
		case <-fl.done:
		case <-ctx.Done():
			return
		}
	}
}

func (l *lines) watch(i int) {
	fl := l.last[i]
	go func() {
		<-fl.done
		l.landed <- i
	}()
}

// follow looks after a flight that has landed, and reports whether its line goes on.
func (l *lines) follow(i int) bool {
	fl := l.last[i]
	if fl.then != nil { // a receiver's budget begins with its own request
		l.last[i], l.passed = fl.then, append(l.passed, fl)
		l.watch(i)
		l.waitUntil(l.now().Add(firstAttemptsBudget))
		l.retry = false
		return true
	}
	if next := fl.settlement.NextAttemptAt; next != nil && next.Before(l.end) {
		l.waitUntil(*next)
		l.retry = true
	}
	return false
}

func (l *lines) waitUntil(end time.Time) {
	l.end = end
	l.timer.Reset(max(0, end.Sub(l.now())))
}
