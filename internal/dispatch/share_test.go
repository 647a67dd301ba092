package dispatch_test

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/internal/dispatch"
	"github.com/posthorn/posthorn/models"
	"github.com/posthorn/posthorn/workflows"
)

// events are n events of one invocation each.
func events(n int) []models.Dispatch {
	rows := make([]models.Dispatch, 0, n)
	for i := range n {
		rows = append(rows, row(fmt.Sprintf("e%02d", i), fmt.Sprintf("i%02d", i)))
	}
	return rows
}

func sharing(n int) func(*dispatch.Options) {
	return func(o *dispatch.Options) { o.EventsPerWorkflow = n }
}

// shares lists how many invocations each started workflow has got, by its id.
func (w *world) shares() map[string]int {
	shares := map[string]int{}
	for _, s := range w.started {
		shares[s.options.ID] = len(s.in.Invocations)
	}
	return shares
}

func TestEventsShareAWorkflowOnlyWhereManyWait(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		perWorkflow int
		rows        []models.Dispatch
		want        map[string]int
	}{
		"few":            {50, events(2), map[string]int{"event/e00": 1, "event/e01": 1}},
		"many":           {50, events(20), map[string]int{"events/e00": 20}},
		"as many as fit": {8, events(20), map[string]int{"events/e00": 8, "events/e08": 8, "events/e16": 4}},
		"one left over":  {19, events(20), map[string]int{"events/e00": 19, "event/e19": 1}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(sharing(c.perWorkflow))
				w.rows = c.rows
				w.run(t, moment)
				require.Equal(t, c.want, w.shares())
				require.Len(t, w.marked, len(c.rows))
				for workflow, ids := range w.moved {
					require.Len(t, ids, c.want[workflow])
				}
			})
		})
	}
}

func TestAtOneEachHasItsOwnWorkflow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(nil)
		w.rows = events(40)
		w.run(t, moment)
		require.Len(t, w.started, 40)
		require.Empty(t, w.moved)
	})
}

func TestASharedWorkflowHoldsNoMoreInvocationsThanAnother(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(sharing(50))
		for e := range 12 {
			for i := range 8 {
				w.rows = append(w.rows, row(fmt.Sprintf("e%02d", e), fmt.Sprintf("i%02d-%d", e, i)))
			}
		}
		w.run(t, moment)
		require.Equal(t, map[string]int{"events/e00": 48, "events/e06": 48}, w.shares())
	})
}

func TestWhatTravelsAloneSharesNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(sharing(50))
		w.rows = events(20)
		head, test, second := row("e20", "head"), row("e21", "test"), row("e22", "second")
		head.WorkflowID = workflows.InvocationWorkflowID("head")
		test.EventID, test.WorkflowID = nil, workflows.InvocationWorkflowID("test")
		second.WorkflowID = workflows.EventWorkflowID("e22", 1)
		other := row("e23", "other")
		other.ApplicationID = "another"
		w.rows = append(w.rows, head, test, second, other, overdue(row("e24", "overdue"), 1))
		w.run(t, moment)
		require.Equal(t, map[string]int{
			"events/e00": 20, "invocation/head": 1, "invocation/test": 1, "event/e22/2": 1, "event/e23": 1, "event/e24": 1,
		}, w.shares())
	})
}

func TestASharedWorkflowIsFoundByItsEvents(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(sharing(50))
		w.rows = events(10)
		w.rows[9].EventType = "loan.closed"
		w.run(t, moment)
		require.Len(t, w.started, 1)
		attributes := w.started[0].options.TypedSearchAttributes
		found, ok := attributes.GetKeywordList(workflows.SearchEvents)
		require.True(t, ok)
		require.Len(t, found, 10)
		require.True(t, slices.IsSorted(found))
		_, ok = attributes.GetKeyword(workflows.SearchEventType)
		require.False(t, ok, "they are of two types")
		require.Equal(t, "10 events (loan.updated, loan.closed) → 10 deliveries", w.started[0].options.StaticSummary)
	})
}

func TestWhereRowsCannotBeMovedEachKeepsItsOwnWorkflow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(sharing(50))
		w.rows, w.moveErr = events(10), errDown
		w.run(t, moment)
		require.Len(t, w.shares(), 10)
	})
}

func TestRowsThatAnotherDispatcherHasByNowAreLeftToIt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(sharing(50))
		w.rows, w.taken = events(10), []string{"i03", "i07"}
		w.run(t, moment)
		require.Equal(t, map[string]int{"events/e00": 8}, w.shares())
		require.Len(t, w.marked, 8)
	})
}

// After an outage of Temporal rows come back with the shared workflow that they were given.
func TestASharedWorkflowThatIsStartedAgainIsFoundByItsEvents(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(nil)
		for _, again := range events(3) {
			again.WorkflowID = workflows.SharedWorkflowID("e00")
			w.rows = append(w.rows, again)
		}
		w.run(t, moment)
		require.Len(t, w.started, 1)
		found, ok := w.started[0].options.TypedSearchAttributes.GetKeywordList(workflows.SearchEvents)
		require.True(t, ok)
		require.Equal(t, []string{"e00", "e01", "e02"}, found)
		require.Equal(t, "3 events (loan.updated) → 3 deliveries", w.started[0].options.StaticSummary)
	})
}

func TestNoMoreIsUnderWayThanTheWindowHolds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(nil)
		w.rows, w.stuck = events(300), true
		w.run(t, 240*time.Millisecond)
		require.Len(t, w.started, 96, "the first attempts of none have come back")

		var back []string
		for _, s := range w.started[:10] {
			back = append(back, s.in.Invocations...)
		}
		w.Returned(back)
		w.run(t, time.Millisecond)
		require.Len(t, w.started, 106)

		w.run(t, 20*time.Millisecond)
		require.Len(t, w.started, 192, "a receiver that is slow is not in the others' way for long")
	})
}

// What goes beyond a subscription's cap is sent to the end of its line: offered rows must not get past the window either.
func TestWhatIsOfferedKeepsToTheWindow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(nil)
		w.stuck = true
		for i := range 100 {
			w.Offer([]models.Dispatch{row(fmt.Sprint("e", i), fmt.Sprintf("i%d-1", i)), row(fmt.Sprint("e", i), fmt.Sprintf("i%d-2", i))})
		}
		w.run(t, 240*time.Millisecond)
		require.Len(t, w.started, 48)
		w.run(t, 20*time.Millisecond)
		require.Len(t, w.started, 96)
		w.stuck = false
		w.run(t, 300*time.Millisecond)
		require.Len(t, w.started, 100)
	})
}
