package api

import (
	"context"
	"time"

	"github.com/posthorn/posthorn/models"
)

// Timeline is how an application's attempts went over time.
type Timeline struct {
	From  string          `json:"from" format:"date-time"`
	To    string          `json:"to" format:"date-time"`
	Width string          `json:"width" doc:"How long each part is." example:"1h0m0s"`
	Parts []TimelineEntry `json:"parts" doc:"24 parts, oldest first; those without an attempt too."`
}

// TimelineEntry is one part of a timeline.
type TimelineEntry struct {
	From      string `json:"from" format:"date-time"`
	Succeeded int    `json:"succeeded" doc:"Attempts that began in this part and succeeded."`
	Failed    int    `json:"failed"`
	P50MS     *int64 `json:"p50_ms" doc:"How long attempts took, rounded up to the next of 5, 10, 25, 50, 100, 250, 500 ms, 1, 2.5, 5, 10, 15, 30, 75 s; null without one."`
	P95MS     *int64 `json:"p95_ms"`
}

const (
	timelineParts = 24
	maxHours      = 30 * 24
)

type timelineQuery struct {
	SubscriptionID string `query:"subscription_id" format:"uuid" doc:"Of one subscription only."`
	Hours          int    `query:"hours" minimum:"1" maximum:"720" default:"24" doc:"How far back."`
}

func (s *server) timeline(ctx context.Context, c *call, in *timelineQuery) (Timeline, error) {
	if in.SubscriptionID != "" && !models.IsID(in.SubscriptionID) {
		return Timeline{}, models.Invalid("subscription_id", "must be the id of a subscription")
	}
	span := time.Duration(min(in.Hours, maxHours)) * time.Hour
	width := span / timelineParts
	from := s.Now().UTC().Truncate(width).Add(width - span) // the last part is the one that is now
	t, err := s.Store.Timeline(ctx, c.application.ID, in.SubscriptionID, from, width, timelineParts)
	if err != nil {
		return Timeline{}, err
	}
	view := Timeline{From: timeText(from), To: timeText(from.Add(span)), Width: width.String()}
	for i := range t.Parts {
		p := &t.Parts[i]
		view.Parts = append(view.Parts, TimelineEntry{
			From: timeText(from.Add(width * time.Duration(i))), Succeeded: p.Succeeded, Failed: p.Failed,
			P50MS: millisOrNull(p.Percentile(50)), P95MS: millisOrNull(p.Percentile(95)),
		})
	}
	return view, nil
}

func millisOrNull(d time.Duration) *int64 {
	if d == 0 {
		return nil
	}
	ms := d.Milliseconds()
	return &ms
}
