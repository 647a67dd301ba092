// Package demo shows Posthorn at work: it plays publisher and subscribers of a running Posthorn, over HTTP alone, and
// tells what happens line by line. It imports nothing of ours.
package demo

import (
	"context"
	"errors"
	"io"
	"time"
)

const (
	// tick is how often the demo looks at the API; it publishes the first samples one a tick.
	tick = 200 * time.Millisecond
	// pause is the time between samples once each has been published.
	pause = 4 * time.Second
	// onceTimeout is how long Once may take at most.
	onceTimeout = 60 * time.Second
)

// Options say which Posthorn, and how to show it.
type Options struct {
	// BaseURL is the API's, such as http://127.0.0.1:8080.
	BaseURL string
	// OperatorKey may create applications.
	OperatorKey string
	// TemporalUIURL is shown to the reader; "" = there is none.
	TemporalUIURL string
	// Out gets the timeline and the summary.
	Out io.Writer
	// Colour marks what happened in colour.
	Colour bool
	// Once publishes every sample once and ends when all are delivered. Otherwise samples go on until ctx ends.
	Once bool
}

// Run publishes samples and shows their deliveries. With Once it fails when something is missing after a minute;
// without, the end of ctx is its normal end.
func Run(ctx context.Context, o Options) error {
	limited := ctx
	if o.Once {
		var cancel context.CancelFunc
		limited, cancel = context.WithTimeout(ctx, onceTimeout)
		defer cancel()
	}
	receiver, err := startReceiver(limited)
	if err != nil {
		return err
	}
	defer receiver.close()
	s := &show{
		options: o, client: newClient(o.BaseURL, o.OperatorKey), receiver: receiver,
		timeline: timeline{out: o.Out, colour: o.Colour}, open: map[string]*delivery{}, started: time.Now(),
	}
	if err := s.setUp(limited); err != nil {
		return err
	}
	err = s.play(limited)
	switch {
	case !o.Once && ctx.Err() != nil:
		s.count()
		return nil
	case err != nil && (limited.Err() == nil || ctx.Err() != nil):
		return err
	default:
		s.count()
		s.signposts()
		return s.missing()
	}
}

// show is one run of the demo.
type show struct {
	options  Options
	client   *client
	receiver *receiver
	timeline timeline
	tenants  []*tenant
	// queue is what is left to publish of this round.
	queue []number
	// open are the deliveries that are not settled, by invocation id.
	open    map[string]*delivery
	totals  totals
	started time.Time
}

// delivery is one invocation as far as it has been shown.
type delivery struct {
	id, eventID string
	tenant      *tenant
	target      *target
	sample      sample
	published   time.Time
	// attempts is how many have been shown.
	attempts int
	last     invocation
}

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

// errNothing means that the server has no profile that the demo knows.
var errNothing = errors.New("the server has no profile that the demo has samples for")
