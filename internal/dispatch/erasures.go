package dispatch

import (
	"context"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/posthorn/posthorn/models"
	"github.com/posthorn/posthorn/workflows"
)

// erasures starts the workflows of erasures that none carries on. There is seldom one, and it is in no hurry: the poll
// looks for them, and the store offers them again until a workflow works on them.
func (d *Dispatcher) erasures(ctx context.Context) {
	rows, err := d.store.TakeErasures(ctx, batch)
	if err != nil {
		d.logFailure(ctx, "take erasures", err)
		return
	}
	for i := range rows {
		if err := d.startErasure(ctx, &rows[i]); err != nil {
			d.logFailure(ctx, "start workflow "+workflows.ErasureWorkflowID(rows[i].ID), err)
		}
	}
}

// startErasure starts an erasure's workflow; one that runs already goes on as it is.
func (d *Dispatcher) startErasure(ctx context.Context, e *models.Erasure) error {
	options := client.StartWorkflowOptions{
		ID:                    workflows.ErasureWorkflowID(e.ID),
		TaskQueue:             workflows.TaskQueue,
		WorkflowTaskTimeout:   workflows.WorkflowTaskTimeout,
		WorkflowIDReusePolicy: enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE,
	}
	if !d.unsearchable {
		options.TypedSearchAttributes = temporal.NewSearchAttributes(workflows.SearchApplication.ValueSet(e.ApplicationID))
	}
	_, err := d.temporal.ExecuteWorkflow(ctx, options, workflows.EraseName, workflows.EraseInput{Erasure: e.ID})
	return err
}
