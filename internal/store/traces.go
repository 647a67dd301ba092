package store

import (
	"context"

	"github.com/posthorn/posthorn/models"
)

// FillTraceparents gives rows that the dispatcher took the trace contexts of their events.
func (s *Store) FillTraceparents(ctx context.Context, rows []models.Dispatch) error {
	var ids []string
	for _, row := range rows {
		if row.EventID != nil {
			ids = append(ids, *row.EventID)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	var events []models.Event
	err := s.read(ctx).Select("id", "traceparent").Where("id IN ? AND traceparent IS NOT NULL", ids).Find(&events).Error
	if err != nil {
		return translate(err)
	}
	known := make(map[string]string, len(events))
	for _, event := range events {
		known[event.ID] = *event.Traceparent
	}
	for i := range rows {
		if rows[i].EventID != nil {
			rows[i].Traceparent = known[*rows[i].EventID]
		}
	}
	return nil
}
