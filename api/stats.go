package api

import (
	"context"

	"github.com/posthorn/posthorn/models"
)

// Stats is how a subscription is doing.
type Stats struct {
	Counts       map[models.InvocationStatus]int `json:"counts" doc:"Invocations by status; every status is there."`
	SuccessRatio *float64                        `json:"success_ratio" doc:"Of the invocations that were delivered or given up, the part that was delivered; null when there are none."`
	Latency      Latency                         `json:"latency" doc:"How long its receiver took, over the attempts of its latest 1000 invocations."`
	Queue        Queue                           `json:"queue" doc:"What is still to be delivered."`
}

// Latency is null where there was no attempt.
type Latency struct {
	P50MS *int64 `json:"p50_ms"`
	P95MS *int64 `json:"p95_ms"`
}

// Queue is what is open.
type Queue struct {
	Depth     int    `json:"depth"`
	HeadAgeMS *int64 `json:"head_age_ms" doc:"The age of the oldest; null when there is none."`
}

func (s *server) subscriptionStats(ctx context.Context, c *call, _ *nothing) (Stats, error) {
	stats, err := s.Store.SubscriptionStats(ctx, c.subscription.ID)
	if err != nil {
		return Stats{}, err
	}
	view := Stats{Counts: map[models.InvocationStatus]int{}}
	receives := c.subscription.Receives()
	for _, status := range models.InvocationStatuses() {
		view.Counts[status] = 0
	}
	for status, n := range stats.Counts {
		if status.Open() {
			view.Queue.Depth += n
			if !receives {
				status = models.StatusPaused
			}
		}
		view.Counts[status] += n
	}
	if settled := view.Counts[models.StatusSucceeded] + view.Counts[models.StatusFailed]; settled > 0 {
		ratio := float64(view.Counts[models.StatusSucceeded]) / float64(settled)
		view.SuccessRatio = &ratio
	}
	if stats.OldestOpen != nil {
		age := max(0, s.Now().Sub(*stats.OldestOpen).Milliseconds())
		view.Queue.HeadAgeMS = &age
	}
	view.Latency = Latency{P50MS: percentile(stats.LatenciesMS, 50), P95MS: percentile(stats.LatenciesMS, 95)}
	return view, nil
}

// percentile picks from ascending values by nearest rank.
func percentile(ascending []int64, p int) *int64 {
	if len(ascending) == 0 {
		return nil
	}
	rank := (p*len(ascending) + 99) / 100
	return &ascending[rank-1]
}
