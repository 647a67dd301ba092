package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/posthorn/posthorn/workflows"
)

// scheduleAgainAfter is how long to wait when Temporal did not take the schedule.
const scheduleAgainAfter = 10 * time.Second

// scheduleRetention sees to it that Temporal starts the retention, or does not where everything is kept. Deliveries do
// not wait for it.
func (a *App) scheduleRetention(ctx context.Context) {
	for {
		err := setSchedule(ctx, a.temporal.client.ScheduleClient(), a.cfg.Retention > 0)
		if err == nil || ctx.Err() != nil {
			return
		}
		a.logger.ErrorContext(ctx, "schedule the retention; trying again", "error", err)
		select {
		case <-ctx.Done():
		case <-time.After(scheduleAgainAfter):
		}
	}
}

// setSchedule makes the schedule what it should be, whatever it was; one that an operator paused stays paused.
func setSchedule(ctx context.Context, c client.ScheduleClient, wanted bool) error {
	if !wanted {
		err := c.GetHandle(ctx, workflows.RetentionID).Delete(ctx)
		if _, absent := errors.AsType[*serviceerror.NotFound](err); absent {
			return nil
		}
		return err
	}
	wish := retentionSchedule()
	_, err := c.Create(ctx, client.ScheduleOptions{
		ID: workflows.RetentionID, Spec: *wish.Spec, Action: wish.Action, Overlap: wish.Policy.Overlap,
		CatchupWindow: wish.Policy.CatchupWindow,
	})
	if !errors.Is(err, temporal.ErrScheduleAlreadyRunning) {
		return err
	}
	err = c.GetHandle(ctx, workflows.RetentionID).Update(ctx, client.ScheduleUpdateOptions{
		DoUpdate: func(was client.ScheduleUpdateInput) (*client.ScheduleUpdate, error) {
			wish.State = was.Description.Schedule.State
			return &client.ScheduleUpdate{Schedule: wish}, nil
		},
	})
	if err != nil {
		return fmt.Errorf("update schedule %s: %w", workflows.RetentionID, err)
	}
	return nil
}

// retentionSchedule starts a round every hour. What was missed while Temporal was down needs one round, not several.
func retentionSchedule() *client.Schedule {
	return &client.Schedule{
		Spec: &client.ScheduleSpec{Intervals: []client.ScheduleIntervalSpec{{Every: workflows.RetentionEvery}}},
		Action: &client.ScheduleWorkflowAction{
			ID: workflows.RetentionID, Workflow: workflows.RetentionName, Args: []any{workflows.RetentionInput{}},
			TaskQueue: workflows.TaskQueue,
		},
		Policy: &client.SchedulePolicies{
			Overlap: enumspb.SCHEDULE_OVERLAP_POLICY_SKIP, CatchupWindow: workflows.RetentionEvery,
		},
	}
}
