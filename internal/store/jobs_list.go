package store

import (
	"context"

	"github.com/posthorn/posthorn/models"
)

// Jobs lists an application's jobs, newest first, with their progress and without Results.
func (s *Store) Jobs(ctx context.Context, applicationID string, p Page) ([]models.JobView, string, error) {
	query := s.read(ctx).Table("jobs").Where("application_id = ?", applicationID)
	jobs, next, err := page(query, "id", p.After, p.Limit, func(j *models.Job) string { return j.ID })
	if err != nil {
		return nil, "", err
	}
	views := make([]models.JobView, len(jobs))
	byID := make(map[string]*models.JobView, len(jobs))
	ids := make([]string, len(jobs))
	for i := range jobs {
		views[i].Job, ids[i] = jobs[i], jobs[i].ID
		byID[jobs[i].ID] = &views[i]
	}
	return views, next, translate(s.countProgress(ctx, ids, byID))
}

func (s *Store) countProgress(ctx context.Context, ids []string, byID map[string]*models.JobView) error {
	if len(ids) == 0 {
		return nil
	}
	var counts []struct {
		JobID   string
		Outcome models.RedeliveryOutcome
		N       int
	}
	err := s.read(ctx).Raw("SELECT job_id, outcome, COUNT(*) AS n FROM commands WHERE job_id IN ?"+
		" AND outcome IS NOT NULL GROUP BY job_id, outcome", ids).Scan(&counts).Error
	for _, count := range counts {
		if view := byID[count.JobID]; count.Outcome == models.RedeliverySucceeded {
			view.Succeeded += count.N
		} else {
			view.Failed += count.N
		}
	}
	return err
}
