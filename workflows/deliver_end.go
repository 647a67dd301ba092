package workflows

import (
	"errors"
	"slices"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/posthorn/posthorn/activities"
	"github.com/posthorn/posthorn/models"
)

// end notes how the wait for an invocation ended. What a command did to it meanwhile stands.
func (d *delivery) end(i *invocation, status string) {
	again := i.again
	i.waiting, i.again, i.cancel = false, false, nil
	if i.status == "" {
		i.status = status
	}
	if again && i.status == StatusParked {
		d.first([]string{i.id})
	}
}

// stop notes how a command ended an invocation, whose row says so already, and ends the wait for it.
func (d *delivery) stop(i *invocation, status string) {
	i.status = status
	if i.cancel != nil {
		i.cancel()
	}
}

// statusOf reads the end of an Attempt activity.
func (d *delivery) statusOf(result activities.AttemptResult, err error) string {
	switch {
	case err == nil && result.Parked:
		return StatusParked
	case err == nil && result.Status == models.StatusSucceeded:
		return StatusSucceeded
	case err == nil && result.Status == models.StatusFailed:
		return StatusFailed
	case err == nil, temporal.IsCanceledError(err):
		return StatusCancelled
	case !isExhausted(err): // cannot be: every other error is retried
		workflow.GetLogger(d.ctx).Error("attempt activity ended", "error", err)
	}
	return StatusFailed
}

func isExhausted(err error) bool {
	failure, ok := errors.AsType[*temporal.ApplicationError](err)
	return ok && failure.Type() == activities.ErrorTypeExhausted
}

// summary is the one word for how the workflow ended; the worst of its invocations gives it.
func (d *delivery) summary() string {
	for _, status := range []string{StatusFailed, StatusParked, StatusCancelled} {
		if slices.ContainsFunc(d.invocations, func(i *invocation) bool { return i.status == status }) {
			return status
		}
	}
	return StatusSucceeded
}

// show sets the search attribute that operators filter by.
func (d *delivery) show(status string) {
	if d.plain || d.shown == status {
		return
	}
	d.shown = status
	if err := workflow.UpsertTypedSearchAttributes(d.ctx, SearchStatus.ValueSet(status)); err != nil {
		workflow.GetLogger(d.ctx).Warn("set search attribute", "error", err)
	}
}

// full reports whether the history is long enough to start over: an invocation redelivered hundreds of times. Every
// signal must be taken first, else it would be lost.
func (d *delivery) full() bool {
	return workflow.GetInfo(d.ctx).GetContinueAsNewSuggested() && d.firsts == 0 && !d.selector.HasPending()
}

// continueAsNew goes on with what is still to do in a new run. Activities of the old one end with it; the gate keeps
// an attempt in flight from being sent twice.
func (d *delivery) continueAsNew() error {
	in := DeliverInput{Unsearchable: d.plain, Redeliveries: d.redeliveries}
	for _, i := range d.invocations {
		if i.status == "" && i.waiting {
			in.Invocations = append(in.Invocations, i.id)
		}
	}
	in.Ended = d.ended()
	return workflow.NewContinueAsNewError(d.ctx, DeliverName, in)
}

// endedKept is how many ended invocations a run tells the next of: all but of a long FIFO queue, whose workflow would
// carry more and more of them until Temporal refuses it.
const endedKept = 2 * InvocationsPerWorkflow

// ended lists how invocations ended: the newest, and one at least of each status, which the summary goes by.
func (d *delivery) ended() []Ended {
	var newest []Ended
	for _, i := range slices.Backward(d.invocations) {
		known := func(e Ended) bool { return e.Status == i.status }
		if i.status != "" && (len(newest) < endedKept || !slices.ContainsFunc(newest, known)) {
			newest = append(newest, Ended{Invocation: i.id, Status: i.status})
		}
	}
	slices.Reverse(newest)
	return newest
}
