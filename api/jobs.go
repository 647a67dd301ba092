package api

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"

	"github.com/posthorn/posthorn/models"
)

// Job is a bulk redelivery, as answers show it.
type Job struct {
	ID            string          `json:"id" format:"uuid"`
	ApplicationID string          `json:"application_id" format:"uuid"`
	State         models.JobState `json:"state" enum:"pending,running,paused,completed,cancelled"`
	Matched       int             `json:"matched" doc:"How many invocations it is for. Those that no longer match the filter when their turn comes are left out, at the end here too."`
	Done          int             `json:"done" doc:"How many of them have been seen to: succeeded and failed."`
	Succeeded     int             `json:"succeeded"`
	Failed        int             `json:"failed" doc:"Refused ones too."`
	Rate          int             `json:"rate" doc:"Redeliveries per second, at most."`
	DryRun        bool            `json:"dry_run"`
	CreatedAt     string          `json:"created_at" format:"date-time"`
	StartedAt     *string         `json:"started_at" format:"date-time"`
	FinishedAt    *string         `json:"finished_at" format:"date-time"`
	Results       jobResults      `json:"results"`
}

// JobResult is what became of one of the ids that a job lists.
type JobResult struct {
	ID      string                   `json:"id" doc:"As it was asked for."`
	Outcome models.RedeliveryOutcome `json:"outcome" enum:"succeeded,failed,refused,not_found"`
}

type jobResults []JobResult

// Schema documents it as a list or null, which Huma has no words for.
func (jobResults) Schema(r huma.Registry) *huma.Schema {
	return &huma.Schema{
		Description: "Of a list of ids, in its order: what became of each that has been seen to. null with a filter.",
		OneOf:       []*huma.Schema{{Type: huma.TypeArray, Items: r.Schema(reflect.TypeFor[JobResult](), true, "")}, {Type: "null"}},
	}
}

func jobView(v *models.JobView) Job {
	job := Job{
		ID: v.ID, ApplicationID: v.ApplicationID, State: v.State, Matched: v.Matched, Done: v.Succeeded + v.Failed,
		Succeeded: v.Succeeded, Failed: v.Failed, Rate: v.Rate, DryRun: v.DryRun, CreatedAt: timeText(v.CreatedAt),
		StartedAt: timeOrNull(v.StartedAt), FinishedAt: timeOrNull(v.FinishedAt),
	}
	if v.Results != nil {
		job.Results = mapped(v.Results, func(r *models.JobResult) JobResult { return JobResult(*r) })
	}
	return job
}

type redeliveries struct {
	IDs    []string          `json:"ids,omitempty" maxItems:"1000" doc:"Invocations; each counts once. Either these or a filter."`
	Filter *redeliveryFilter `json:"filter,omitempty"`
	Rate   *int              `json:"rate,omitempty" minimum:"1" maximum:"1000" default:"50" doc:"Redeliveries per second, at most."`
	DryRun bool              `json:"dry_run,omitempty" doc:"Counts what matches and sends nothing."`
}

// redeliveryFilter narrows as the same parameters of the list of invocations do; without a member it is for everything.
// What is accepted later does not join.
type redeliveryFilter struct {
	SubscriptionID string    `json:"subscription_id,omitempty" format:"uuid"`
	EventType      typeName  `json:"event_type,omitempty"`
	Status         string    `json:"status,omitempty" enum:"pending,queued,retrying,paused,succeeded,failed,cancelled,abandoned"`
	After          time.Time `json:"after,omitzero" doc:"created_at is this time or later."`
	Before         time.Time `json:"before,omitzero" doc:"created_at is earlier than this."`
}

// maxAskedID bounds an id that a client asks for: what is no id is not found, and shown as it was given.
const maxAskedID = 128

func (s *server) redeliverMany(ctx context.Context, c *call, in *redeliveries) (Job, error) {
	filter, err := s.checkRedeliveries(ctx, c, in)
	if err != nil {
		return Job{}, err
	}
	now := s.Now().UTC()
	job := &models.Job{
		ID: models.NewID(), ApplicationID: c.application.ID, Filter: filter, Rate: models.DefaultJobRate,
		DryRun: in.DryRun, CreatedAt: now, UpdatedAt: now,
	}
	if in.Rate != nil {
		job.Rate = *in.Rate
	}
	if filter == nil {
		job.IDs = distinct(in.IDs)
	}
	c.concerns(subjectJob, job.ID)
	if err := s.Store.CreateJob(ctx, job); err != nil {
		return Job{}, err
	}
	s.Wake()
	view, err := s.Store.Job(ctx, job.ID)
	if err != nil {
		return Job{}, err
	}
	return jobView(view), nil
}

// checkRedeliveries refuses what cannot be meant, and reads the filter; nil = a list of ids.
func (s *server) checkRedeliveries(
	ctx context.Context, c *call, in *redeliveries,
) (*models.InvocationFilter, error) {
	var f models.Faults
	if (in.IDs == nil) == (in.Filter == nil) {
		f.Add("ids", "must be given, or a filter, and not both")
	}
	if in.IDs != nil && len(in.IDs) == 0 {
		f.Add("ids", "must not be empty")
	}
	for i, id := range in.IDs {
		if utf8.RuneCountInString(id) > maxAskedID {
			f.Add(fmt.Sprintf("ids[%d]", i), "must not be longer than %d characters", maxAskedID)
		}
	}
	filter, err := s.redeliveryFilter(ctx, c, in.Filter)
	if models.ErrorCode(err) != models.CodeValidation && err != nil {
		return nil, err
	}
	f.Merge("filter", err)
	return filter, f.Err()
}

func (s *server) redeliveryFilter(
	ctx context.Context, c *call, in *redeliveryFilter,
) (*models.InvocationFilter, error) {
	switch {
	case in == nil:
		return nil, nil //nolint:nilnil // a list of ids
	case in.SubscriptionID != "" && !models.IsID(in.SubscriptionID):
		return nil, models.Invalid("subscription_id", "must be the id of a subscription")
	}
	eventType, err := s.filterType(ctx, c, string(in.EventType))
	return &models.InvocationFilter{
		ApplicationID: c.application.ID, SubscriptionID: in.SubscriptionID, EventType: eventType,
		Status: models.InvocationStatus(in.Status), After: in.After, Before: in.Before,
	}, err
}

// distinct keeps the first of each, in their order.
func distinct(ids []string) []string {
	known := make(map[string]bool, len(ids))
	return slices.DeleteFunc(slices.Clone(ids), func(id string) bool {
		again := known[id]
		known[id] = true
		return again
	})
}

func (s *server) getJob(_ context.Context, c *call, _ *nothing) (Job, error) {
	return jobView(c.job), nil
}

func changeJob(action models.JobAction) func(*server, context.Context, *call, *nothing) (Job, error) {
	return func(s *server, ctx context.Context, c *call, _ *nothing) (Job, error) {
		view, err := s.Store.ChangeJob(ctx, c.job.ID, action)
		if err != nil {
			return Job{}, err
		}
		s.Wake()
		return jobView(view), nil
	}
}

func (s *server) listJobs(ctx context.Context, c *call, in *Paging) (Page[Job], error) {
	part, err := s.page(c, *in)
	if err != nil {
		return Page[Job]{}, err
	}
	jobs, next, err := s.Store.Jobs(ctx, c.application.ID, part)
	return newPage(s, c, mapped(jobs, jobView), next), err
}
