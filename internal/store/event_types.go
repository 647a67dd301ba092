package store

import (
	"context"
	"encoding/json"
	"fmt"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/posthorn/posthorn/models"
)

// eventTypeRow is an event type that the operator added to, or changed in, a profile.
type eventTypeRow struct {
	Profile   string
	Name      string
	Body      string
	CreatedAt int64 `gorm:"autoCreateTime:false"`
}

// TableName tells GORM the table.
func (eventTypeRow) TableName() string { return "event_types" }

// storedEventType is models.EventType with the members that its own JSON leaves out.
type storedEventType struct {
	models.EventType
	Wire   string `json:"wire"`
	Schema string `json:"schema"`
}

// EventTypes lists what the operator added to, or changed in, the profile's catalogue, oldest first.
func (s *Store) EventTypes(ctx context.Context, profile string) ([]models.EventType, error) {
	var rows []eventTypeRow
	if err := s.read(ctx).Where("profile = ?", profile).Order("created_at, name").Find(&rows).Error; err != nil {
		return nil, translate(err)
	}
	types := make([]models.EventType, 0, len(rows))
	for _, row := range rows {
		var stored storedEventType
		if err := json.Unmarshal([]byte(row.Body), &stored); err != nil {
			return nil, fmt.Errorf("decode event type %s: %w", row.Name, err)
		}
		stored.EventType.Wire, stored.EventType.Schema = stored.Wire, stored.Schema
		types = append(types, stored.EventType)
	}
	return types, nil
}

// PutEventType stores an event type of a profile, replacing one of the same name.
func (s *Store) PutEventType(ctx context.Context, profile string, t models.EventType) error {
	body, err := json.Marshal(storedEventType{EventType: t, Wire: t.Wire, Schema: t.Schema})
	if err != nil {
		return fmt.Errorf("encode event type %s: %w", t.Name, err)
	}
	row := eventTypeRow{Profile: profile, Name: t.Name, Body: string(body), CreatedAt: micros(s.now())}
	return s.write(ctx, func(tx *gorm.DB) error {
		return tx.Clauses(clause.OnConflict{
			Columns:   []clause.Column{{Name: "profile"}, {Name: "name"}},
			DoUpdates: clause.AssignmentColumns([]string{"body"}),
		}).Create(&row).Error
	})
}
