package dispatch

import (
	"context"
	"sync"
	"time"
)

// The window bounds what is under way between the dispatcher and the receivers' answers. What waits for its turn waits
// in the table, where it costs nothing: in Temporal it would be an open workflow, written to the visibility store twice
// instead of once, and at a subscription of a process that is busy it would only be sent to the end of the line.
const (
	// windowSize is how many invocations those are; the last event in may have more, since its rows stay together.
	windowSize = 96
	// windowTime is how long one counts: from then on its receiver is what it waits for, and others must not.
	windowTime = 250 * time.Millisecond
)

// window are the invocations whose workflows were started and whose first attempts have not come back. newWindow makes
// one.
type window struct {
	mu   sync.Mutex
	open map[string]time.Time
	// left is told when one has left; it has room for one word.
	left chan struct{}
}

func newWindow() *window {
	return &window{open: map[string]time.Time{}, left: make(chan struct{}, 1)}
}

// room returns how many more invocations may be started; where it is none, also when the next one stops to count.
func (w *window) room(now time.Time) (room int, next time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for id, since := range w.open {
		until := since.Add(windowTime)
		switch {
		case !until.After(now):
			delete(w.open, id)
		case next.IsZero() || until.Before(next):
			next = until
		}
	}
	return max(0, windowSize-len(w.open)), next
}

// enter counts invocations from now on.
func (w *window) enter(ids []string, now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, id := range ids {
		w.open[id] = now
	}
}

// leave ends that.
func (w *window) leave(ids []string) {
	w.mu.Lock()
	for _, id := range ids {
		delete(w.open, id)
	}
	w.mu.Unlock()
	select {
	case w.left <- struct{}{}:
	default:
	}
}

// wait returns the room once there is some, or 0 when ctx ends before.
func (w *window) wait(ctx context.Context, clock func() time.Time) int {
	for {
		now := clock()
		room, next := w.room(now)
		if room > 0 {
			return room
		}
		timer := time.NewTimer(next.Sub(now))
		select {
		case <-ctx.Done():
			timer.Stop()
			return 0
		case <-w.left:
			timer.Stop()
		case <-timer.C:
		}
	}
}
