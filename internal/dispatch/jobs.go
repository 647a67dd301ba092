package dispatch

import (
	"context"
	"fmt"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/posthorn/posthorn/models"
	"github.com/posthorn/posthorn/workflows"
)

// jobs takes one batch of jobs that were accepted or changed and tells their workflows.
func (d *Dispatcher) jobs(ctx context.Context) (taken, told int) {
	rows, err := d.store.TakeJobs(ctx, batch)
	if err != nil {
		d.logFailure(ctx, "take jobs", err)
		return 0, 0
	}
	results := make([]error, len(rows))
	d.each(len(rows), func(i int) { results[i] = d.tell(ctx, rows[i]) })
	for i, err := range results {
		if err != nil {
			d.logFailure(ctx, "signal workflow "+workflows.JobWorkflowID(rows[i].ID), err)
			continue
		}
		told++
	}
	return len(rows), told
}

// tell starts a job's workflow, or signals the one that runs: what changed it reads from the row.
func (d *Dispatcher) tell(ctx context.Context, j models.JobDispatch) error {
	id := workflows.JobWorkflowID(j.ID)
	options := client.StartWorkflowOptions{
		ID:                    id,
		TaskQueue:             workflows.TaskQueue,
		WorkflowTaskTimeout:   workflows.WorkflowTaskTimeout,
		WorkflowIDReusePolicy: enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE,
		StaticSummary:         fmt.Sprintf("redelivery of %d invocations", j.Matched),
	}
	if !d.unsearchable {
		options.TypedSearchAttributes = temporal.NewSearchAttributes(
			workflows.SearchApplication.ValueSet(j.ApplicationID))
	}
	_, err := d.temporal.SignalWithStartWorkflow(ctx, id, workflows.SignalChanged, nil,
		options, workflows.RedeliverJobName, workflows.RedeliverJobInput{Job: j.ID})
	if err != nil {
		return err
	}
	return d.store.MarkJob(ctx, j)
}
