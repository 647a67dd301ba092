package store

import (
	"context"
	"slices"
	"time"

	"gorm.io/gorm"

	"github.com/posthorn/posthorn/models"
)

// CreateJob stores a job and counts what it is for. Of IDs, each gets its redeliver command at once; a Filter's get
// theirs when their turn comes. A dry run, and a job that is for nothing, is completed by that.
func (s *Store) CreateJob(ctx context.Context, job *models.Job) error {
	if job.Filter != nil {
		if err := s.countMatching(ctx, job); err != nil {
			return translate(err)
		}
	}
	return s.write(ctx, func(tx *gorm.DB) error {
		var listed []models.Command
		if job.Filter == nil {
			var err error
			if listed, err = s.listedCommands(tx, job); err != nil {
				return err
			}
			job.Matched = len(listed)
		}
		job.State, job.DispatchAfter = models.JobPending, &job.CreatedAt
		if job.DryRun || job.Matched == 0 {
			complete(job, job.CreatedAt)
		}
		if err := tx.Create(job).Error; err != nil {
			return err
		}
		if job.DryRun || len(listed) == 0 {
			return nil
		}
		return tx.CreateInBatches(listed, insertBatch).Error
	})
}

// countMatching looks outside of the transaction, which must not wait for it: what is accepted behind the newest match
// does not join the job.
func (s *Store) countMatching(ctx context.Context, job *models.Job) error {
	var newest []string
	err := meant(s.read(ctx), job).Order("invocations.id DESC").Limit(1).Pluck("invocations.id", &newest).Error
	if err != nil || len(newest) == 0 {
		return err
	}
	job.Through = &newest[0]
	var n int64
	err = meant(s.read(ctx), job).Where("invocations.id <= ?", newest[0]).Count(&n).Error
	job.Matched = int(n)
	return err
}

// meant narrows a query to the invocations that the job's filter names. Jobs go by id, so + keeps the database from
// looking them up by time and sorting all of it for each batch.
func meant(query *gorm.DB, job *models.Job) *gorm.DB {
	return between(matching(query, *job.Filter), "+invocations.created_at", job.Filter.After, job.Filter.Before)
}

// listedCommands makes the commands of those ids that are invocations of the job's application.
func (s *Store) listedCommands(tx *gorm.DB, job *models.Job) ([]models.Command, error) {
	known, err := s.listed(tx, job)
	commands := make([]models.Command, 0, len(known))
	for i := range known {
		commands = append(commands, commandOf(job, known[i].ID, known[i].WorkflowID, job.CreatedAt))
	}
	return commands, err
}

func (s *Store) listed(tx *gorm.DB, job *models.Job) (known []models.Invocation, err error) {
	ids := slices.DeleteFunc(slices.Clone(job.IDs), func(id string) bool { return !models.IsID(id) })
	if len(ids) == 0 {
		return nil, nil
	}
	err = tx.Raw("SELECT id, workflow_id FROM invocations WHERE application_id = ? AND id IN ? ORDER BY id",
		job.ApplicationID, ids).Scan(&known).Error
	return known, err
}

// commandOf is never dispatched by itself: the job carries it out.
func commandOf(job *models.Job, invocationID, workflowID string, now time.Time) models.Command {
	return models.Command{
		ID: models.NewID(), InvocationID: invocationID, Kind: models.CommandRedeliver, WorkflowID: workflowID,
		JobID: &job.ID, CreatedAt: now,
	}
}

func complete(job *models.Job, now time.Time) {
	job.State, job.FinishedAt, job.DispatchAfter = models.JobCompleted, &now, nil
	if job.StartedAt == nil {
		job.StartedAt = &now
	}
}

// Job reads a job with its progress.
func (s *Store) Job(ctx context.Context, id string) (*models.JobView, error) {
	var view models.JobView
	db := s.read(ctx)
	if err := db.Table("jobs").Where("id = ?", id).Take(&view.Job).Error; err != nil {
		return nil, found(err, "job")
	}
	var counts []struct {
		Outcome models.RedeliveryOutcome
		N       int
	}
	err := db.Raw("SELECT outcome, COUNT(*) AS n FROM commands WHERE job_id = ? AND outcome IS NOT NULL"+
		" GROUP BY outcome", id).Scan(&counts).Error
	if err != nil {
		return nil, translate(err)
	}
	for _, count := range counts {
		if count.Outcome == models.RedeliverySucceeded {
			view.Succeeded = count.N
		} else {
			view.Failed += count.N
		}
	}
	return &view, translate(s.addResults(db, &view))
}

// addResults tells of each listed id that has ended what became of it.
func (s *Store) addResults(db *gorm.DB, view *models.JobView) error {
	if view.Filter != nil {
		return nil
	}
	known, err := s.listed(db, &view.Job)
	if err != nil {
		return err
	}
	var commands []models.Command
	err = db.Raw("SELECT invocation_id, outcome FROM commands WHERE job_id = ?", view.ID).Scan(&commands).Error
	outcomes := make(map[string]*models.RedeliveryOutcome, len(known))
	for i := range known {
		outcomes[known[i].ID] = nil
	}
	for _, command := range commands {
		outcomes[command.InvocationID] = command.Outcome
	}
	view.Results = make([]models.JobResult, 0, len(view.IDs))
	for _, id := range view.IDs {
		outcome, exists := outcomes[id]
		switch {
		case !exists:
			view.Results = append(view.Results, models.JobResult{ID: id, Outcome: models.RedeliveryNotFound})
		case outcome != nil:
			view.Results = append(view.Results, models.JobResult{ID: id, Outcome: *outcome})
		}
	}
	return err
}

// ChangeJob pauses, resumes or cancels a job: nothing of a paused or cancelled one is claimed once it returns.
func (s *Store) ChangeJob(ctx context.Context, id string, action models.JobAction) (*models.JobView, error) {
	now := s.now().UTC()
	err := s.write(ctx, func(tx *gorm.DB) error {
		job, err := s.lockJob(tx, id)
		if err != nil {
			return err
		}
		state, err := job.After(action)
		if err != nil || state == job.State {
			return err
		}
		job.State, job.DispatchAfter, job.UpdatedAt = state, &now, now
		if state == models.JobCancelled {
			job.FinishedAt = &now
			err = tx.Exec("UPDATE commands SET settled_at = ? WHERE job_id = ? AND settled_at IS NULL", micros(now), id).Error
			if err != nil {
				return err
			}
		}
		return tx.Save(job).Error
	})
	if err != nil {
		return nil, err
	}
	return s.Job(ctx, id)
}

func (s *Store) lockJob(tx *gorm.DB, id string) (*models.Job, error) {
	var job models.Job
	if err := takeRaw(tx, &job, "SELECT * FROM jobs WHERE id = ?"+s.forUpdate("jobs"), id); err != nil {
		return nil, found(err, "job")
	}
	return &job, nil
}
