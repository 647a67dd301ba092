package dispatch

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"golang.org/x/sync/errgroup"

	"github.com/posthorn/posthorn/internal/failpoint"
	"github.com/posthorn/posthorn/models"
	"github.com/posthorn/posthorn/workflows"
)

// group is what one workflow is started with.
type group struct {
	workflowID string
	rows       []models.Dispatch
	// events counts those that merge has put together.
	events int
}

// invocations takes as many rows as the window has room for and starts their workflows; it returns how many rows it took,
// how many of them their workflows have, and whether there may be more.
func (d *Dispatcher) invocations(ctx context.Context) (taken, started int, more bool) {
	limit := d.window.wait(ctx, d.now)
	rows, err := d.store.TakeDispatches(ctx, limit)
	if err != nil {
		d.logFailure(ctx, "take dispatches", err)
		return 0, 0, false
	}
	if len(rows) == 0 {
		return 0, 0, false
	}
	d.lined = d.lined || slices.ContainsFunc(rows, func(row models.Dispatch) bool { return row.Lined })
	failpoint.Hit("dispatch-taken")
	return len(rows), d.mark(ctx, d.startAll(ctx, rows)), len(rows) == limit
}

// startAll starts the workflows of the rows and returns those of them that their workflows have.
func (d *Dispatcher) startAll(ctx context.Context, rows []models.Dispatch) [][]models.Dispatch {
	d.observer.Dispatched(len(rows), d.now().Sub(oldest(rows)))
	done := make([][]models.Dispatch, 0, len(rows))
	groups := d.share(ctx, groupRows(rows))
	results := make([]error, len(groups))
	d.each(len(groups), func(i int) { results[i] = d.start(ctx, groups[i]) })
	for i, err := range results {
		if err != nil {
			d.logFailure(ctx, "start workflow "+groups[i].workflowID, err)
			continue
		}
		done = append(done, groups[i].rows)
	}
	return done
}

// oldest is when the first of the rows became due.
func oldest(rows []models.Dispatch) time.Time {
	first := rows[0].Due
	for _, row := range rows {
		if row.Due.Before(first) {
			first = row.Due
		}
	}
	return first
}

// mark ends the hold on the rows that their workflows have. Should that fail, they are started again, which is
// harmless.
func (d *Dispatcher) mark(ctx context.Context, done [][]models.Dispatch) int {
	if len(done) == 0 {
		return 0
	}
	ids := make([]string, 0, len(done))
	for _, rows := range done {
		for _, row := range rows {
			ids = append(ids, row.InvocationID)
		}
	}
	if err := d.store.MarkDispatched(ctx, done[0][0].Lease, ids); err != nil {
		d.logFailure(ctx, "mark dispatched", err)
	}
	return len(ids)
}

// groupRows puts the rows of one workflow together, in the order in which they came. Which rows share a workflow is
// decided here alone.
func groupRows(rows []models.Dispatch) []group {
	index := make(map[string]int, len(rows))
	var groups []group
	for _, row := range rows {
		at, known := index[row.WorkflowID]
		if !known {
			at = len(groups)
			index[row.WorkflowID] = at
			groups = append(groups, group{workflowID: row.WorkflowID})
		}
		groups[at].rows = append(groups[at].rows, row)
	}
	return groups
}

// start gives a workflow its invocations: eagerly where it is new, by a signal where it runs already.
func (d *Dispatcher) start(ctx context.Context, g group) (err error) {
	ctx, end := d.tracer.Dispatch(ctx, g.workflowID, g.rows)
	defer func() { end(err) }()
	options := d.options(g)
	in := workflows.DeliverInput{Invocations: g.ids(), Unsearchable: d.unsearchable}
	d.window.enter(in.Invocations, d.now())
	_, err = d.temporal.ExecuteWorkflow(ctx, options, workflows.DeliverName, in)
	failpoint.Hit("dispatch-started")
	if err == nil {
		return nil
	}
	d.window.leave(in.Invocations)
	if _, running := errors.AsType[*serviceerror.WorkflowExecutionAlreadyStarted](err); !running {
		return err
	}
	if g.leaveAlone() {
		return nil
	}
	options.EnableEagerStart = false
	in.Invocations = nil
	_, err = d.temporal.SignalWithStartWorkflow(ctx, g.workflowID, workflows.SignalDeliver,
		workflows.DeliverSignal{Invocations: g.ids()}, options, workflows.DeliverName, in)
	return err
}

// signalAfter is the reconciler's pass from which a running workflow is told about rows it should know already.
const signalAfter = 3

// leaveAlone reports whether all rows were brought up by the reconciler lately: their workflow runs, so most likely
// it is only late.
func (g group) leaveAlone() bool {
	for _, row := range g.rows {
		if row.Overdue == 0 || row.Overdue >= signalAfter {
			return false
		}
	}
	return true
}

func (g group) ids() []string {
	ids := make([]string, 0, len(g.rows))
	for _, row := range g.rows {
		ids = append(ids, row.InvocationID)
	}
	return ids
}

func (d *Dispatcher) options(g group) client.StartWorkflowOptions {
	o := client.StartWorkflowOptions{
		ID:                                       g.workflowID,
		TaskQueue:                                workflows.TaskQueue,
		WorkflowTaskTimeout:                      workflows.WorkflowTaskTimeout,
		EnableEagerStart:                         true,
		WorkflowIDReusePolicy:                    enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE,
		WorkflowExecutionErrorWhenAlreadyStarted: true,
		StaticSummary:                            g.summary(),
	}
	if !d.unsearchable && len(g.rows) > 0 {
		o.TypedSearchAttributes = temporal.NewSearchAttributes(g.searchAttributes()...)
	}
	return o
}

func (g group) searchAttributes() []temporal.SearchAttributeUpdate {
	attributes := []temporal.SearchAttributeUpdate{
		workflows.SearchApplication.ValueSet(g.rows[0].ApplicationID),
		workflows.SearchSubscription.ValueSet(g.distinct(func(row models.Dispatch) string { return row.SubscriptionID })),
		workflows.SearchStatus.ValueSet(workflows.StatusDelivering),
	}
	if types := g.types(); len(types) == 1 {
		attributes = append(attributes, workflows.SearchEventType.ValueSet(types[0]))
	}
	if isShared(g.workflowID) {
		attributes = append(attributes, workflows.SearchEvents.ValueSet(g.eventIDs()))
	}
	return attributes
}

// eventIDs are those of a shared workflow's rows; each has one.
func (g group) eventIDs() []string {
	return g.distinct(func(row models.Dispatch) string { return *row.EventID })
}

func (g group) types() []string {
	return g.distinct(func(row models.Dispatch) string { return row.EventType })
}

// distinct lists what of gives for the rows, each value once.
func (g group) distinct(of func(models.Dispatch) string) []string {
	values := make([]string, 0, len(g.rows))
	for _, row := range g.rows {
		if value := of(row); !slices.Contains(values, value) {
			values = append(values, value)
		}
	}
	return values
}

// summary reads like `loan.updated → 3 subscriptions` in the Temporal UI.
func (g group) summary() string {
	switch {
	case len(g.rows) == 0:
		return ""
	case g.rows[0].EventID == nil:
		return "test of a subscription"
	case isShared(g.workflowID):
		return fmt.Sprintf("%d events (%s) → %d deliveries", len(g.eventIDs()), strings.Join(g.types(), ", "), len(g.rows))
	case len(g.rows) == 1:
		return g.rows[0].EventType + " → 1 subscription"
	default:
		return fmt.Sprintf("%s → %d subscriptions", g.rows[0].EventType, len(g.rows))
	}
}

// commands takes one batch of commands and signals their workflows.
func (d *Dispatcher) commands(ctx context.Context) (taken, signalled int) {
	rows, err := d.store.TakeCommands(ctx, batch)
	if err != nil {
		d.logFailure(ctx, "take commands", err)
		return 0, 0
	}
	results := make([]error, len(rows))
	d.each(len(rows), func(i int) { results[i] = d.signal(ctx, rows[i]) })
	for i, err := range results {
		if err != nil {
			d.logFailure(ctx, "signal workflow "+rows[i].WorkflowID, err)
			continue
		}
		signalled++
	}
	return len(rows), signalled
}

// signal delivers a command; a workflow that is closed, or never started, is started for it with nothing else to do.
func (d *Dispatcher) signal(ctx context.Context, c models.Command) error {
	options := d.options(group{workflowID: c.WorkflowID})
	options.EnableEagerStart = false
	name, arg := workflows.SignalCancel, any(workflows.CancelSignal{Invocation: c.InvocationID})
	if c.Kind == models.CommandRedeliver {
		name, arg = workflows.SignalRedeliver, workflows.RedeliverSignal{Invocation: c.InvocationID, Command: c.ID}
	}
	_, err := d.temporal.SignalWithStartWorkflow(ctx, c.WorkflowID, name, arg,
		options, workflows.DeliverName, workflows.DeliverInput{Unsearchable: d.unsearchable})
	if err != nil {
		return err
	}
	return d.store.MarkCommand(ctx, c)
}

// each runs do for 0 … n-1, at most starters at once.
func (d *Dispatcher) each(n int, do func(i int)) {
	var pool errgroup.Group
	pool.SetLimit(starters)
	for i := range n {
		pool.Go(func() error { do(i); return nil })
	}
	_ = pool.Wait() // do keeps its own result
}

// logFailure notes what will be tried again; while the process stops, nothing fails that matters.
func (d *Dispatcher) logFailure(ctx context.Context, action string, err error) {
	if ctx.Err() == nil {
		d.logger.WarnContext(ctx, "dispatch failed and is tried again", "action", action, "error", err)
	}
}
