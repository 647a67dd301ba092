package demo

import (
	"context"
	"time"
)

// play publishes and watches. With Once it ends when everything is settled, else when ctx does.
func (s *show) play(ctx context.Context) error {
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	due, told := time.Now(), false
	s.queue = s.programme(!s.options.Once)
	for {
		if err := s.watch(ctx); err != nil {
			return err
		}
		if len(s.queue) == 0 && (told || s.settled()) {
			if s.options.Once {
				return nil
			}
			if !told {
				told = true
				s.interlude()
			}
			s.queue = s.programme(false)
		}
		if !time.Now().Before(due) {
			if err := s.publishNext(ctx); err != nil {
				return err
			}
			if told {
				due = time.Now().Add(pause)
			}
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-ticker.C:
		}
	}
}

// interlude sums up the first round and says what follows.
func (s *show) interlude() {
	s.count()
	s.signposts()
	s.timeline.say("\nSamples go on, one every %v, until you press Ctrl-C.\n", pause)
}

// settled reports whether nothing is open but what never ends.
func (s *show) settled() bool {
	for _, d := range s.open {
		if !d.target.endpoint.endless {
			return false
		}
	}
	return true
}

// number is one sample of one tenant.
type number struct {
	tenant *tenant
	sample sample
}

// programme lists what to publish, in order.
func (s *show) programme(endless bool) []number {
	var queue []number
	for _, t := range s.tenants {
		for _, sample := range t.scenario.samples {
			if endless || !sample.endless {
				queue = append(queue, number{tenant: t, sample: sample})
			}
		}
	}
	return queue
}
