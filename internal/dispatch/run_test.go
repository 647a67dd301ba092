package dispatch_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/models"
)

func TestTemporalOutageLeavesRowsForLater(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(nil)
		w.rows = []models.Dispatch{row("e1", "i1"), row("e2", "i2")}
		w.commands = []models.Command{{ID: "c", Kind: models.CommandCancel, WorkflowID: "event/e3"}}
		w.temporalErr = errDown

		w.run(t, 10*time.Second)

		require.Empty(t, w.marked)
		require.Empty(t, w.markedCmds)
		require.LessOrEqual(t, len(w.takings), 11, "at most one try a second")

		w.temporalErr = nil
		w.run(t, moment)

		require.ElementsMatch(t, []string{"i1", "i2"}, w.marked)
		require.Equal(t, []string{"c"}, w.markedCmds)
		require.Equal(t, dispatched{rows: 2, lag: 10 * time.Second}, w.dispatched[len(w.dispatched)-1])
	})
}

func TestTemporalOutageIsNotMetWithMoreStarts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(nil)
		w.rows = []models.Dispatch{row("e1", "i1")}
		w.temporalErr = errDown
		go func() { // publishers go on
			for range 500 {
				w.Wake()
				<-time.After(10 * time.Millisecond)
			}
		}()

		w.run(t, 5*time.Second)

		require.LessOrEqual(t, len(w.takings), 6)
		synctest.Wait()
	})
}

func TestDatabaseOutageIsWaitedOut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(nil)
		w.rows = []models.Dispatch{row("e1", "i1")}
		w.storeErr = errDown

		w.run(t, 25*time.Second)
		require.Empty(t, w.started)

		w.storeErr = nil
		w.run(t, moment)
		require.Equal(t, []string{"i1"}, w.marked)
	})
}

func TestMarkThatFailedDoesNotStopTheDispatcher(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(nil)
		w.rows = []models.Dispatch{row("e1", "i1")}
		w.commands = []models.Command{{ID: "c", Kind: models.CommandCancel, WorkflowID: "event/e2"}}
		w.markErrs = []error{errDown, errDown}

		w.run(t, 1500*time.Millisecond)

		require.Len(t, w.signalled, 2, "a command is signalled again: the workflow knows it")
		require.Equal(t, []string{"c"}, w.markedCmds)
	})
}

func TestWakeDispatchesAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(nil)
		ctx, cancel := context.WithCancel(t.Context())
		go w.Run(ctx)
		synctest.Wait()
		<-time.After(300 * time.Millisecond)
		w.mu.Lock()
		w.rows = []models.Dispatch{row("e1", "i1")}
		w.mu.Unlock()

		for range 100 {
			w.Wake() // never blocks; many are as good as one
		}
		synctest.Wait()

		require.Equal(t, []string{"i1"}, w.marked)
		require.LessOrEqual(t, len(w.takings), 3)
		require.Equal(t, dispatched{rows: 1}, w.dispatched[0])
		cancel()
		synctest.Wait()
	})
}

func TestRowsThatNobodyWokeForAreFoundWithinASecond(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(nil)

		w.run(t, 3500*time.Millisecond)

		require.Equal(t, []time.Duration{0, time.Second, 2 * time.Second, 3 * time.Second}, w.takings)
	})
}

func TestFullBatchesFollowEachOtherAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(nil)
		for i := range 450 {
			w.rows = append(w.rows, row(fmt.Sprint("e", i), fmt.Sprint("i", i)))
			w.commands = append(w.commands, models.Command{
				ID: fmt.Sprint("c", i), Kind: models.CommandCancel, WorkflowID: fmt.Sprint("event/c", i),
			})
		}

		w.run(t, moment)

		require.Len(t, w.marked, 450)
		require.Len(t, w.markedCmds, 450)
		require.Len(t, w.takings, 5)
	})
}

func TestReconcilerBringsUpOverdueRowsEveryTenSeconds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(nil)
		w.overdue = []models.Dispatch{overdue(row("e1", "i1"), 1), overdue(row("e2", "i2"), 1)}

		w.run(t, 9*time.Second)
		require.Empty(t, w.started)
		w.run(t, 10*time.Second+moment)

		require.Equal(t, 2, w.reconciled)
		require.ElementsMatch(t, []string{"i1", "i2"}, w.marked)
	})
}

func TestOverdueRowsAreBroughtUpAlsoWhileOthersKeepComing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(nil)
		w.delay = 20 * time.Millisecond
		w.overdue = []models.Dispatch{overdue(row("late", "late"), 1)}
		var publisher sync.WaitGroup
		publisher.Go(func() {
			for n := range 5500 {
				w.bring(row(fmt.Sprint("e", n), fmt.Sprint("i", n)))
				w.Wake()
				<-time.After(2 * time.Millisecond)
			}
		})

		w.run(t, 10*time.Second+10*moment)

		require.Equal(t, 1, w.reconciled)
		publisher.Wait()
	})
}

func TestStopEndsTheOutagePause(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(nil)
		w.rows = []models.Dispatch{row("e1", "i1")}
		w.temporalErr = errDown
		started := time.Now()

		w.run(t, 100*time.Millisecond)

		require.Equal(t, 100*time.Millisecond, time.Since(started))
	})
}

func TestStopDuringAStartLeavesItsRow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(nil)
		w.rows = []models.Dispatch{row("e1", "i1")}
		w.delay = time.Hour

		w.run(t, 100*time.Millisecond)

		require.Empty(t, w.marked)
		require.Empty(t, w.started)
	})
}

func TestTheNextOfALineIsLookedForSoon(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(nil)
		first := row("e1", "i1")
		first.Lined = true
		go func() {
			<-time.After(moment)
			w.bring(first)
		}()

		w.run(t, time.Second+moment)

		require.Equal(t, []time.Duration{0, moment, moment + 100*time.Millisecond, time.Second}, w.takings)
	})
}

func TestQueuesThatStandStillAreLookedForSeldom(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(nil)
		w.run(t, 30*time.Minute+moment)
		require.Equal(t, []time.Duration{10 * time.Minute, 20 * time.Minute, 30 * time.Minute}, w.heals)
	})
}
