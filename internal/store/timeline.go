package store

import (
	"context"
	"strings"
	"time"

	"github.com/posthorn/posthorn/models"
)

// timelineInvocations is of how many of the latest invocations a timeline is made: it must stay cheap for whoever has
// millions.
const timelineInvocations = 5000

// Timeline counts the attempts of an application, or of one of its subscriptions ("" = of all), from a time on, in so
// many parts of the width. It looks at the latest 5000 invocations.
func (s *Store) Timeline(
	ctx context.Context, applicationID, subscriptionID string, from time.Time, width time.Duration, parts int,
) (*models.Timeline, error) {
	owner, id := "application_id", applicationID
	if subscriptionID != "" {
		owner, id = "subscription_id", subscriptionID
	}
	var rows []timelineRow
	class, bounds := latencyClassSQL()
	args := append([]any{micros(from), width.Microseconds()}, bounds...)
	args = append(args, id, applicationID, timelineInvocations, micros(from), micros(from.Add(width*time.Duration(parts))))
	err := s.read(ctx).Raw("SELECT (started_at - ?) / ? AS part, outcome, "+class+" AS class, COUNT(*) AS n FROM attempts"+
		" WHERE invocation_id IN (SELECT id FROM invocations WHERE "+owner+" = ? AND application_id = ?"+
		" ORDER BY id DESC LIMIT ?) AND started_at >= ? AND started_at < ? GROUP BY 1, 2, 3", args...).Scan(&rows).Error
	if err != nil {
		return nil, translate(err)
	}
	return timelineOf(from, width, parts, rows), nil
}

type timelineRow struct {
	Part    int
	Outcome models.AttemptOutcome
	Class   int
	N       int
}

// latencyClassSQL is the number of an attempt's latency class, and the bounds to pass.
func latencyClassSQL() (text string, bounds []any) {
	var sql strings.Builder
	sql.WriteString("CASE")
	classes := models.LatencyClasses()
	for i, bound := range classes[:len(classes)-1] {
		sql.WriteString(" WHEN finished_at - started_at <= ? THEN CAST(? AS integer)")
		bounds = append(bounds, bound.Microseconds(), i)
	}
	sql.WriteString(" ELSE CAST(? AS integer) END")
	return sql.String(), append(bounds, len(classes)-1)
}

func timelineOf(from time.Time, width time.Duration, parts int, rows []timelineRow) *models.Timeline {
	t := &models.Timeline{From: from, Width: width, Parts: make([]models.TimelinePart, parts)}
	for i := range t.Parts {
		t.Parts[i].Classes = make([]int, len(models.LatencyClasses()))
	}
	for _, row := range rows {
		part := &t.Parts[row.Part]
		part.Classes[row.Class] += row.N
		if row.Outcome == models.AttemptSucceeded {
			part.Succeeded += row.N
		} else {
			part.Failed += row.N
		}
	}
	return t
}
