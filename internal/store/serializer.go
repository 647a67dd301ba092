package store

import (
	"context"
	"fmt"
	"reflect"
	"time"

	"gorm.io/gorm/schema"
)

// micros is how a time is stored: Unix microseconds.
func micros(t time.Time) int64 { return t.UnixMicro() }

// fromMicros is the time behind a stored number.
func fromMicros(n int64) time.Time { return time.UnixMicro(n).UTC() }

// microsSerializer maps time.Time and *time.Time fields to Unix microseconds.
type microsSerializer struct{}

// Scan reads a column into a field.
func (microsSerializer) Scan(ctx context.Context, field *schema.Field, dst reflect.Value, value any) error {
	if value == nil {
		return field.Set(ctx, dst, nil)
	}
	n, ok := value.(int64)
	if !ok {
		return fmt.Errorf("column %s: want Unix microseconds, got %T", field.DBName, value)
	}
	field.ReflectValueOf(ctx, dst).Set(timeValue(field, fromMicros(n)))
	return nil
}

// Value writes a field to a column.
func (microsSerializer) Value(_ context.Context, field *schema.Field, _ reflect.Value, value any) (any, error) {
	switch t := value.(type) {
	case time.Time:
		return micros(t), nil
	case *time.Time:
		if t == nil {
			return nil, nil //nolint:nilnil // a nil time is SQL's NULL
		}
		return micros(*t), nil
	default:
		return nil, fmt.Errorf("field %s: want a time, got %T", field.Name, value)
	}
}

func timeValue(field *schema.Field, t time.Time) reflect.Value {
	if field.FieldType.Kind() == reflect.Pointer {
		return reflect.ValueOf(&t)
	}
	return reflect.ValueOf(t)
}

// microsOf is micros of an optional time.
func microsOf(t *time.Time) any {
	if t == nil {
		return nil
	}
	return micros(*t)
}
