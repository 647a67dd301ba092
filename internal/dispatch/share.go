package dispatch

import (
	"context"
	"runtime"
	"slices"
	"strings"

	"github.com/posthorn/posthorn/models"
	"github.com/posthorn/posthorn/workflows"
)

// startsAtOnce is how many workflows are started at once without being in each other's way: one for each core.
func startsAtOnce() int { return runtime.GOMAXPROCS(0) }

// share puts the events of an application into common workflows where more of them wait than can be started at once: up
// to EventsPerWorkflow each, and InvocationsPerWorkflow invocations. The rows are told their new workflow first, so that
// commands reach it; where that fails, everybody keeps their own. Rows that another dispatcher has by now are left to it.
func (d *Dispatcher) share(ctx context.Context, groups []group) []group {
	if d.eventsPerWorkflow <= 1 || len(groups) <= startsAtOnce() {
		return groups
	}
	shared, alone := d.merge(groups)
	if len(shared) == 0 {
		return groups
	}
	moves := make(map[string][]models.Dispatch, len(shared))
	for _, g := range shared {
		moves[g.workflowID] = g.rows
	}
	moved, err := d.store.MoveDispatches(ctx, moves)
	if err != nil {
		d.logFailure(ctx, "share workflows", err)
		return groups
	}
	for _, g := range shared {
		g.rows = slices.DeleteFunc(g.rows, func(row models.Dispatch) bool { return !slices.Contains(moved, row.InvocationID) })
		if len(g.rows) > 0 {
			alone = append(alone, g)
		}
	}
	return alone
}

// merge makes common groups of those that may share; alone are those that do not.
func (d *Dispatcher) merge(groups []group) (shared, alone []group) {
	open := map[string]*group{} // by application
	var filled []*group
	for _, g := range groups {
		if !g.shareable() {
			alone = append(alone, g)
			continue
		}
		application := g.rows[0].ApplicationID
		into := open[application]
		if into == nil || into.events >= d.eventsPerWorkflow || len(into.rows)+len(g.rows) > workflows.InvocationsPerWorkflow {
			into = &group{workflowID: workflows.SharedWorkflowID(*g.rows[0].EventID)}
			open[application] = into
			filled = append(filled, into)
		}
		into.rows = append(into.rows, g.rows...)
		into.events++
	}
	for _, g := range filled {
		if g.events == 1 { // nothing to share with
			g.workflowID = g.rows[0].WorkflowID
			alone = append(alone, *g)
			continue
		}
		shared = append(shared, *g)
	}
	return shared, alone
}

// isShared reports whether a workflow is one of several events, from its id: what is dispatched again comes back with it.
func isShared(workflowID string) bool {
	return strings.HasPrefix(workflowID, workflows.SharedWorkflowID(""))
}

// shareable reports whether a group is an event with a workflow of its own. The head of a queue and a test travel alone,
// and what the reconciler brings up goes back to the workflow that should have it.
func (g group) shareable() bool {
	return !slices.ContainsFunc(g.rows, func(row models.Dispatch) bool {
		return row.EventID == nil || row.Overdue > 0 || row.WorkflowID != workflows.EventWorkflowID(*row.EventID, 0)
	})
}
