// Tests of what the filters of one request may take together.

package ingest

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/models"
	"github.com/posthorn/posthorn/profiles"
)

// reasons counts why filters could not tell.
type reasons map[string]int

func (reasons) Accepted(bool) {}

func (r reasons) FilterFailed(_ context.Context, _, reason string) { r[reason]++ }

// filtered are a hundred targets, each with its own expression.
func filtered(expression func(i int) string) []target {
	targets := make([]target, 100)
	for i := range targets {
		text := expression(i)
		targets[i].subscription = &models.Subscription{ID: fmt.Sprint(i), Filter: &text}
	}
	return targets
}

func newFilterPlan(found reasons) *plan {
	return newPlan(&Ingest{Observer: found, Now: time.Now}, &models.Application{}, &profiles.Profile{})
}

// TestFiltersWithoutLoopsKeepTheBudget: CEL looks at the time inside of loops only.
func TestFiltersWithoutLoopsKeepTheBudget(t *testing.T) {
	t.Parallel()
	found := reasons{}
	p := newFilterPlan(found)
	event := &models.Event{Type: "a", Payload: []byte(`{}`)}
	targets := filtered(func(i int) string { return fmt.Sprintf(`type == "b%d"`, i) })
	require.Empty(t, p.passing(t.Context(), event, targets))
	require.Empty(t, found)

	p.filtering = maxFiltering // by earlier events of the batch
	require.Len(t, p.passing(t.Context(), event, targets), 100)
	require.Equal(t, reasons{"time": 100}, found)
}

func TestAHundredRegularExpressionsOnALongStringKeepTheBudget(t *testing.T) {
	t.Parallel()
	found := reasons{}
	p := newFilterPlan(found)
	event := &models.Event{Type: "a", Payload: []byte(`{"s":"` + strings.Repeat("a", 1<<20) + `"}`)}
	targets := filtered(func(i int) string { return fmt.Sprintf(`payload.s.matches("(a{1,20}|b)*c%d")`, i) })
	began := time.Now()
	require.Len(t, p.passing(t.Context(), event, targets), 100)
	require.Less(t, time.Since(began), 2*maxFiltering)
	require.Equal(t, 100, found["cost"]+found["time"])
}
