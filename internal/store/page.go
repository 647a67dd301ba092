package store

import (
	"gorm.io/gorm"

	"github.com/posthorn/posthorn/models"
)

// page reads at most limit rows, newest first by the given column, before the row named by the cursor; "" or 0
// starts at the newest. The second result is the next cursor, "" at the end.
func page[T any](query *gorm.DB, column string, before any, limit int, cursorOf func(*T) string) ([]T, string, error) {
	if before != nil && before != "" && before != int64(0) {
		query = query.Where(column+" < ?", before)
	}
	var rows []T
	if err := query.Order(column + " DESC").Limit(limit + 1).Find(&rows).Error; err != nil {
		return nil, "", translate(err)
	}
	if len(rows) <= limit {
		return rows, "", nil
	}
	rows = rows[:limit]
	return rows, cursorOf(&rows[limit-1]), nil
}

// Page says which part of a list is wanted.
type Page = models.Page
