package workflows

import (
	"slices"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/posthorn/posthorn/activities"
)

// DeliverInput is what Deliver starts with.
type DeliverInput struct {
	// Invocations are at most InvocationsPerWorkflow ids; none when a signal brings the first.
	Invocations []string `json:"invocations"`
	// Unsearchable is set when the namespace lacks the search attributes: setting one would wedge the workflow.
	Unsearchable bool `json:"unsearchable,omitempty"`
	// Redeliveries and Ended are what a run whose history grew too long hands on to the next.
	Redeliveries []RedeliverSignal `json:"redeliveries,omitempty"`
	Ended        []Ended           `json:"ended,omitempty"`
}

// Ended is an invocation that nothing waits for any more, and how that came: one of the Status… values.
type Ended struct {
	Invocation string `json:"invocation"`
	Status     string `json:"status"`
}

// Deliver carries invocations to their ends: those of one event, those of several events that share a workflow, a test,
// or the heads of a FIFO queue, one after the other. The first attempts of what it gets at one time are one local
// activity; then each that is not settled has one activity for the whole rest of its policy. It takes signals at any
// time and ends when nothing is left to wait for; a signal after that starts it anew.
func Deliver(ctx workflow.Context, in DeliverInput) error {
	return newDelivery(ctx, in).run(in)
}

// delivery is the state of one run of Deliver.
type delivery struct {
	ctx      workflow.Context
	selector workflow.Selector
	plain    bool
	// running counts the activities whose end the selector waits for, firsts the local ones among them.
	running, firsts int
	// invocations are all that this run has heard of, oldest first.
	invocations []*invocation
	// redeliveries are the commands not yet carried out, oldest first.
	redeliveries []RedeliverSignal
	shown        string
}

// invocation is what a run knows of one invocation.
type invocation struct {
	id string
	// subscription is the one it is for; "" until the first attempts have told.
	subscription string
	// status is how it ended, one of the Status… values; "" while it is open here.
	status string
	// waiting is set while an activity, local or not, sees to its scheduled attempts.
	waiting bool
	// again is set when the dispatcher brings it while it is waiting: had that wait just ended parked, this would be
	// the only word of it.
	again bool
	// cancel ends its Attempt activity; nil when it has none.
	cancel workflow.CancelFunc
	// redelivering is set while a Redeliver activity runs.
	redelivering bool
}

func newDelivery(ctx workflow.Context, in DeliverInput) *delivery {
	d := &delivery{ctx: ctx, selector: workflow.NewSelector(ctx), plain: in.Unsearchable}
	for _, e := range in.Ended {
		d.find(e.Invocation).status = e.Status
	}
	return d
}

func (d *delivery) run(in DeliverInput) error {
	d.listen()
	d.first(in.Invocations)
	for _, s := range in.Redeliveries {
		d.redeliver(s)
	}
	for d.running > 0 || d.selector.HasPending() {
		d.selector.Select(d.ctx)
		if d.full() {
			return d.continueAsNew()
		}
	}
	d.show(d.summary())
	return d.ctx.Err() // set when an operator cancelled the workflow; the rows bring it back
}

// listen takes the signals of each kind in the order in which they came. A payload that cannot be read is dropped.
func (d *delivery) listen() {
	d.selector.AddReceive(workflow.GetSignalChannel(d.ctx, SignalDeliver), func(ch workflow.ReceiveChannel, _ bool) {
		var s DeliverSignal
		if ch.ReceiveAsync(&s) {
			d.first(s.Invocations)
		}
	})
	d.selector.AddReceive(workflow.GetSignalChannel(d.ctx, SignalRedeliver), func(ch workflow.ReceiveChannel, _ bool) {
		var s RedeliverSignal
		if ch.ReceiveAsync(&s) {
			d.redeliver(s)
		}
	})
	d.selector.AddReceive(workflow.GetSignalChannel(d.ctx, SignalCancel), func(ch workflow.ReceiveChannel, _ bool) {
		var s CancelSignal
		if ch.ReceiveAsync(&s) {
			d.stop(d.find(s.Invocation), StatusCancelled)
		}
	})
}

// first makes the first attempts of the invocations, all in one local activity. Should that fail, each gets its own
// activity: the gate knows what was sent.
func (d *delivery) first(ids []string) {
	var asked []string
	for _, id := range ids {
		i := d.find(id)
		if i.waiting {
			i.again = true
			continue
		}
		i.waiting, i.status = true, ""
		asked = append(asked, id)
	}
	if len(asked) == 0 {
		return
	}
	ctx := workflow.WithLocalActivityOptions(d.ctx, workflow.LocalActivityOptions{
		StartToCloseTimeout: firstAttemptsTimeout,
		RetryPolicy:         &temporal.RetryPolicy{MaximumAttempts: 1},
	})
	in := activities.FirstAttemptsInput{Invocations: asked}
	d.firsts++
	d.await(workflow.ExecuteLocalActivity(ctx, ActivityFirstAttempts, in), func(f workflow.Future) {
		d.firsts--
		var result activities.FirstAttemptsResult
		if err := f.Get(d.ctx, &result); err != nil {
			result = activities.FirstAttemptsResult{Open: asked}
		}
		d.noteFirst(asked, result)
	})
}

// firstAttemptsTimeout leaves FirstAttempts' own half second room for a slow database.
const firstAttemptsTimeout = 3 * time.Second

func (d *delivery) noteFirst(asked []string, result activities.FirstAttemptsResult) {
	if len(result.Open) > 0 {
		d.show(StatusRetrying)
	}
	for _, id := range asked {
		switch i := d.find(id); {
		case slices.Contains(result.Open, id):
			i.subscription = result.Subscriptions[id]
			d.attempt(i)
		case slices.Contains(result.Parked, id):
			d.end(i, StatusParked)
		case slices.Contains(result.Failed, id):
			d.end(i, StatusFailed)
		case slices.Contains(result.Cancelled, id):
			d.end(i, StatusCancelled)
		default:
			d.end(i, StatusSucceeded)
		}
	}
	d.noteFollowers(asked, result)
}

// noteFollowers takes over those that followed the asked ones in their FIFO queues.
func (d *delivery) noteFollowers(asked []string, result activities.FirstAttemptsResult) {
	follows := func(id string) bool { return !slices.Contains(asked, id) && !d.find(id).waiting }
	ended := func(ids []string, status string) {
		for _, id := range ids {
			if follows(id) {
				d.end(d.find(id), status)
			}
		}
	}
	ended(result.Parked, StatusParked)
	ended(result.Failed, StatusFailed)
	ended(result.Cancelled, StatusCancelled)
	for _, id := range result.Open {
		if follows(id) {
			i := d.find(id)
			i.waiting, i.status, i.subscription = true, "", result.Subscriptions[id]
			d.attempt(i)
		}
	}
	for _, id := range result.Next {
		d.carryOn(id)
	}
}

// carryOn goes on with the new head of a FIFO queue; "" = there is none. A run whose history grows too long leaves
// that to the next.
func (d *delivery) carryOn(head string) {
	if head == "" {
		return
	}
	switch i := d.find(head); {
	case i.waiting: // the dispatcher was first
	case workflow.GetInfo(d.ctx).GetContinueAsNewSuggested():
		i.waiting, i.status = true, ""
	default:
		d.first([]string{head})
	}
}

// attempt waits for one invocation by one activity, for as long as its policy lasts.
func (d *delivery) attempt(i *invocation) {
	if i.status != "" { // a command ended it during the first attempts
		d.end(i, i.status)
		return
	}
	ctx, cancel := workflow.WithCancel(d.attemptContext(i))
	i.cancel = cancel
	in := activities.AttemptInput{Invocation: i.id}
	d.await(workflow.ExecuteActivity(ctx, ActivityAttempt, in), func(f workflow.Future) {
		var result activities.AttemptResult
		err := f.Get(d.ctx, &result)
		d.end(i, d.statusOf(result, err))
		d.carryOn(result.Next)
	})
}

// redeliver makes one more attempt beside the one that waits: success ends the wait, failure changes nothing.
func (d *delivery) redeliver(s RedeliverSignal) {
	if slices.Contains(d.redeliveries, s) {
		return // a signal that was delivered twice
	}
	d.redeliveries = append(d.redeliveries, s)
	d.redeliverNext(d.find(s.Invocation))
}

// redeliverNext carries out the oldest redelivery of the invocation, unless one is under way: the gate lets one at a
// time through, so the others would only poll, and Temporal takes no more than 2,000 pending activities.
func (d *delivery) redeliverNext(i *invocation) {
	next := slices.IndexFunc(d.redeliveries, func(s RedeliverSignal) bool { return s.Invocation == i.id })
	if next < 0 || i.redelivering {
		return
	}
	s := d.redeliveries[next]
	i.redelivering = true
	in := activities.RedeliverInput{Invocation: s.Invocation, Command: s.Command}
	d.await(workflow.ExecuteActivity(d.attemptContext(i), ActivityRedeliver, in), func(f workflow.Future) {
		i.redelivering = false
		d.redeliveries = slices.DeleteFunc(d.redeliveries, func(other RedeliverSignal) bool { return other == s })
		var result activities.RedeliverResult
		if err := f.Get(d.ctx, &result); err != nil {
			workflow.GetLogger(d.ctx).Error("redeliver activity ended", "error", err)
		}
		d.noteRedelivery(i, result)
		d.carryOn(result.Next)
		d.redeliverNext(i)
	})
}

func (d *delivery) noteRedelivery(i *invocation, result activities.RedeliverResult) {
	switch {
	case result.Succeeded:
		d.stop(i, StatusSucceeded)
	case i.status == "" && !i.waiting: // a run that was started for the redelivery
		i.status = StatusFailed
	}
}

// attemptContext is for the activities that send. The retry policy given here is for our own faults: each attempt
// that failed at the receiver brings its own delay. Where the server has fairness keys, the tasks of one subscription do
// not stand in the way of another's.
func (d *delivery) attemptContext(i *invocation) workflow.Context {
	return workflow.WithActivityOptions(d.ctx, workflow.ActivityOptions{
		StartToCloseTimeout: attemptTimeout,
		HeartbeatTimeout:    activities.HeartbeatTimeout,
		RetryPolicy:         &temporal.RetryPolicy{InitialInterval: time.Second, BackoffCoefficient: 1},
		Priority:            temporal.Priority{FairnessKey: i.subscription},
	})
}

// attemptTimeout is the largest timeout of a profile (60 s) and 5 s for the database.
const attemptTimeout = 65 * time.Second

func (d *delivery) await(future workflow.Future, then func(workflow.Future)) {
	d.running++
	d.selector.AddFuture(future, func(f workflow.Future) {
		d.running--
		then(f)
	})
}

// find returns what is known of the invocation.
func (d *delivery) find(id string) *invocation {
	for _, i := range d.invocations {
		if i.id == id {
			return i
		}
	}
	i := &invocation{id: id}
	d.invocations = append(d.invocations, i)
	return i
}
