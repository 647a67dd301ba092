package api

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/posthorn/posthorn/models"
)

const (
	// defaultLoad bounds the bytes of bodies that a process holds at a time: with the copies that reading, storing and
	// encoding make, which are two to three times as much at worst, that is what the 512 MiB of the manifests hold.
	defaultLoad = 128 << 20
	// lightLoad is what a request may hold without weighing anything: nearly all do not hold more.
	lightLoad = 64 << 10
	// loadPatience is how long a request waits for others to end before it is refused.
	loadPatience = time.Second
)

// loads bounds the bytes of the bodies that the requests in flight hold: those of the events that they bring, and of the
// events and attempts that they show. One application has at most half, so that none keeps the others out.
type loads struct {
	all  *semaphore.Weighted
	half int64

	mu     sync.Mutex
	shares map[string]*share
}

// share is what one application holds; users are the requests that know of it.
type share struct {
	held  *semaphore.Weighted
	users int
}

func newLoads(most int64) *loads {
	return &loads{all: semaphore.NewWeighted(most), half: most / 2, shares: map[string]*share{}}
}

func (l *loads) join(application string) *share {
	l.mu.Lock()
	defer l.mu.Unlock()
	s, ok := l.shares[application]
	if !ok {
		s = &share{held: semaphore.NewWeighted(l.half)}
		l.shares[application] = s
	}
	s.users++
	return s
}

func (l *loads) leave(application string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.shares[application]
	if s.users--; s.users == 0 {
		delete(l.shares, application)
	}
}

// load is what one request holds.
type load struct {
	application string
	share       *share
	bytes       int64
}

// hold makes the bytes what the call holds, more or less than before; up to lightLoad it is nothing, and never more
// than there is for an application. It waits for loadPatience until others let go of theirs, then it refuses with
// CodeUnavailable. What is held is let go with letGo, when the answer is written.
func (s *server) hold(ctx context.Context, c *call, bytes int) error {
	wanted := min(int64(bytes), s.loads.half)
	if bytes <= lightLoad {
		wanted = 0
	}
	more := wanted - c.load.bytes
	if more > 0 {
		if err := s.takeLoad(ctx, c, more); err != nil {
			return err
		}
	} else if more < 0 {
		c.load.share.held.Release(-more)
		s.loads.all.Release(-more)
	}
	c.load.bytes = wanted
	return nil
}

func (s *server) takeLoad(ctx context.Context, c *call, bytes int64) error {
	if c.load.share == nil {
		if id := c.applicationID(); id != nil {
			c.load.application = *id
		}
		c.load.share = s.loads.join(c.load.application)
	}
	waiting, cancel := context.WithTimeout(ctx, loadPatience)
	defer cancel()
	if c.load.share.held.Acquire(waiting, bytes) != nil {
		return tooMuchLoad(ctx)
	}
	if s.loads.all.Acquire(waiting, bytes) != nil {
		c.load.share.held.Release(bytes)
		return tooMuchLoad(ctx)
	}
	return nil
}

// tooMuchLoad is the refusal; of a client that is gone it is the end of its request.
func tooMuchLoad(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	refusal := models.Errorf(models.CodeUnavailable, "too much is in flight at the moment: this request is a large one")
	refusal.RetryAfter = time.Second
	return refusal
}

// sizeOf adds the sizes up.
func sizeOf[T any](list []T, size func(*T) int) (bytes int) {
	for i := range list {
		bytes += size(&list[i])
	}
	return bytes
}

// letGo gives back what the call holds.
func (s *server) letGo(c *call) {
	if c.load.share == nil {
		return
	}
	c.load.share.held.Release(c.load.bytes)
	s.loads.all.Release(c.load.bytes)
	s.loads.leave(c.load.application)
	c.load = load{}
}
