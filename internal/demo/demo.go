// Package demo shows Posthorn at work: it plays publisher and subscribers of a running Posthorn, over HTTP alone, and
// tells what happens line by line. Of ours it imports the customers' client alone.
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
	// Once publishes every sample once and ends when all are settled. Otherwise samples go on until ctx ends.
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
	// waits is whether it was shown that it waits for others.
	waits bool
	last  invocation
}

// errNothing means that the server has no profile that the demo knows.
var errNothing = errors.New("the server has no profile that the demo has samples for")
