// Package publish publishes one event and, if it is asked to, follows it until each of its invocations has ended. It
// knows Posthorn as a customer does.
package publish

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	posthorn "github.com/posthorn/posthorn/clients/go"
)

// tick is how often an invocation is looked at.
const tick = 200 * time.Millisecond

// Options say what to publish and how far to follow it.
type Options struct {
	// Application is the id of the one that publishes.
	Application string
	// Event is what happened.
	Event posthorn.Publication
	// Wait follows the event until every invocation has ended.
	Wait bool
	// Timeout is how long Wait waits; 0 = until ctx ends.
	Timeout time.Duration
	// JSON prints the API's answers, one a line, instead of words.
	JSON bool
	// Out gets what is printed.
	Out io.Writer
}

// Run publishes the event. With Wait it fails where an invocation did not succeed, or has not ended in time.
func Run(ctx context.Context, client *posthorn.ClientWithResponses, o Options) error {
	accepted, err := posthorn.Publish(ctx, client, o.Application, o.Event)
	if err != nil {
		return err
	}
	o.sayAccepted(accepted)
	if !o.Wait {
		return nil
	}
	if o.Timeout > 0 {
		limited, cancel := context.WithTimeout(ctx, o.Timeout)
		defer cancel()
		ctx = limited
	}
	return o.follow(ctx, client, accepted.Invocations)
}

// follow waits for each invocation in turn.
func (o Options) follow(ctx context.Context, client *posthorn.ClientWithResponses, fired []posthorn.FiredAt) error {
	failures := 0
	for i, one := range fired {
		last, err := ended(ctx, client, one.ID)
		switch {
		case err != nil && ctx.Err() != nil: // whatever the reason, it is not known how they end
			return fmt.Errorf("stopped waiting: %d of %d invocations have not ended", len(fired)-i, len(fired))
		case posthorn.IsCode(err, "forbidden"):
			return fmt.Errorf("--wait needs a key that may read invocations: %w", err)
		case err != nil:
			return err
		}
		o.sayEnded(last)
		if last.Status != posthorn.InvocationStatusSucceeded {
			failures++
		}
	}
	if failures > 0 {
		return fmt.Errorf("%d of %d invocations did not succeed", failures, len(fired))
	}
	return nil
}

// ended waits until the invocation gets no further attempt by itself. An API that refuses with Retry-After (429, 503)
// is asked again when that has passed; any other failure ends the wait.
func ended(ctx context.Context, client *posthorn.ClientWithResponses, id string) (*posthorn.Invocation, error) {
	for {
		answer, err := client.GetInvocationWithResponse(ctx, id)
		wait := tick
		if problem, ok := errors.AsType[*posthorn.Error](err); ok && problem.RetryAfter > 0 {
			wait, err = problem.RetryAfter, nil
		}
		switch {
		case err != nil:
			return nil, err
		case answer != nil && answer.JSON200 == nil:
			return nil, fmt.Errorf("read invocation %s: %s is no answer of Posthorn's", id, answer.Status())
		case answer != nil && posthorn.Settled(answer.JSON200.Status):
			return answer.JSON200, nil
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(wait):
		}
	}
}

func (o Options) sayAccepted(a *posthorn.Accepted) {
	switch {
	case o.JSON:
		o.sayJSON(a)
	case a.Duplicate:
		o.say("duplicate  event %s was accepted before, for %d subscriptions", a.ID, len(a.Invocations))
	default:
		o.say("accepted   event %s for %d subscriptions", a.ID, len(a.Invocations))
	}
}

func (o Options) sayEnded(i *posthorn.Invocation) {
	if o.JSON {
		o.sayJSON(i)
		return
	}
	why := ""
	if i.Status != posthorn.InvocationStatusSucceeded && i.LastError != nil {
		why = ": " + i.LastError.Message
	}
	o.say("%-10s invocation %s, attempts: %d, %s%s", i.Status, i.ID, i.Attempts, i.URL, why)
}

func (o Options) say(format string, args ...any) {
	_, _ = fmt.Fprintf(o.Out, format+"\n", args...)
}

func (o Options) sayJSON(answer any) {
	_ = json.NewEncoder(o.Out).Encode(answer)
}
