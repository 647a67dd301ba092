package api

import (
	"math"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/posthorn/posthorn/models"
)

// maxLimiters bounds how many keys, or applications, have a limiter at a time.
const maxLimiters = 10_000

// limits holds requests to a rate for each id, by a token bucket, mostly of one second's worth. What it knows is this
// process' alone: several API processes allow as many times the rate.
type limits struct {
	rate  rate.Limit
	burst int
	most  int

	mu   sync.Mutex
	byID map[string]*rate.Limiter
}

// newLimits makes limits of so many requests per second; nil, which allows everything, where that is 0.
func newLimits(perSecond float64, most int) *limits {
	if perSecond <= 0 {
		return nil
	}
	return newLimitsOf(rate.Limit(perSecond), max(1, int(math.Ceil(perSecond))), most)
}

// newLimitsOf makes limits of a rate with a bucket of its own size.
func newLimitsOf(perSecond rate.Limit, burst, most int) *limits {
	return &limits{rate: perSecond, burst: burst, most: most, byID: map[string]*rate.Limiter{}}
}

// take takes one request of the id's, or says in CodeRateLimited when there will be one to take.
func (l *limits) take(id string, now time.Time) error {
	if l == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	reserved := l.of(id, now).ReserveN(now, 1)
	wait := reserved.DelayFrom(now)
	if wait == 0 {
		return nil
	}
	reserved.CancelAt(now)
	refusal := models.Errorf(models.CodeRateLimited, "more than %g requests per second", float64(l.rate))
	refusal.RetryAfter = wait
	return refusal
}

func (l *limits) of(id string, now time.Time) *rate.Limiter {
	if known, ok := l.byID[id]; ok {
		return known
	}
	if len(l.byID) >= l.most {
		l.makeRoom(now)
	}
	fresh := rate.NewLimiter(l.rate, l.burst)
	l.byID[id] = fresh
	return fresh
}

// makeRoom forgets the idle, whose full buckets a new one equals. Where nobody is idle it forgets about a tenth: who
// comes again has a full bucket, too soon, and memory is bounded.
func (l *limits) makeRoom(now time.Time) {
	for id, limiter := range l.byID {
		if limiter.TokensAt(now) >= float64(l.burst) {
			delete(l.byID, id)
		}
	}
	for id := range l.byID {
		if len(l.byID) <= l.most-max(1, l.most/10) {
			return
		}
		delete(l.byID, id)
	}
}

// takeOfKey counts a request against the rate of its key; the operator key counts as one.
func (s *server) takeOfKey(p models.Principal) error {
	return s.keyLimits.take(p.KeyID, s.Now())
}

// takeOfApplication counts a request against the rate of the application that it is about, whoever makes it.
func (s *server) takeOfApplication(c *call) error {
	id := c.applicationID()
	if id == nil {
		return nil
	}
	return s.applicationLimits.take(*id, s.Now())
}
