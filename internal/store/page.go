package store

import (
	"strconv"
	"strings"
	"time"

	"gorm.io/gorm"

	"github.com/posthorn/posthorn/models"
)

// page reads at most limit rows, newest first by the given column, before the row named by the cursor; "" or 0
// starts at the newest. The second result is the next cursor, "" at the end.
func page[T any](query *gorm.DB, column string, before any, limit int, cursorOf func(*T) string) ([]T, string, error) {
	if before != nil && before != "" && before != int64(0) {
		query = query.Where(column+" < ?", before)
	}
	return upTo(query.Order(column+" DESC"), limit, cursorOf)
}

// pageByTime is page for a list that is bounded by time: newest first by the table's created_at, for which it has an
// index, and by the given column where that is equal. Its cursors have both.
func pageByTime[T any](
	query *gorm.DB, table, column, cursor string, limit int, placeOf func(*T) (time.Time, string),
) ([]T, string, error) {
	columns := table + ".created_at, " + table + "." + column
	if cursor != "" {
		at, key, _ := strings.Cut(cursor, "/")
		created, err := strconv.ParseInt(at, 10, 64)
		if err != nil || key == "" {
			return nil, "", errBadCursor()
		}
		query = query.Where("("+columns+") < (?, ?)", created, key)
	}
	ordered := query.Order(table + ".created_at DESC").Order(table + "." + column + " DESC")
	return upTo(ordered, limit, func(row *T) string {
		at, key := placeOf(row)
		return strconv.FormatInt(micros(at), 10) + "/" + key
	})
}

// upTo reads limit rows, and the cursor of the last where there are more.
func upTo[T any](query *gorm.DB, limit int, cursorOf func(*T) string) (rows []T, next string, err error) {
	if err := query.Limit(limit + 1).Find(&rows).Error; err != nil {
		return nil, "", translate(err)
	}
	if len(rows) <= limit {
		return rows, "", nil
	}
	rows = rows[:limit]
	return rows, cursorOf(&rows[limit-1]), nil
}

func errBadCursor() error { return models.Errorf(models.CodeMalformed, "bad cursor") }

// Page says which part of a list is wanted.
type Page = models.Page
