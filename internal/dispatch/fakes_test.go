package dispatch_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"

	"github.com/posthorn/posthorn/internal/dispatch"
	"github.com/posthorn/posthorn/models"
	"github.com/posthorn/posthorn/workflows"
)

var errDown = errors.New("no connection")

// world is a dispatcher between a scripted database and a scripted Temporal, in a synctest bubble: its clock stands
// still while anything runs.
type world struct {
	*dispatch.Dispatcher
	start time.Time

	mu sync.Mutex
	// rows and commands are due; a taking takes at most its limit.
	rows     []models.Dispatch
	commands []models.Command
	jobs     []models.JobDispatch
	erasures []models.Erasure
	// storeErr and temporalErr fail every call; startErrs those for one workflow, markErrs the next marks.
	storeErr, temporalErr error
	startErrs             map[string]error
	markErrs              []error
	// overdue is what the next Reconcile brings up.
	overdue []models.Dispatch
	// stuck are first attempts that do not come back; the others do at once.
	stuck bool
	// delay is how long Temporal takes for a start.
	delay time.Duration

	takings   []time.Duration
	heals     []time.Duration
	started   []start
	signalled []signal
	marked    []string
	// moved are rows by their new workflows; taken are those that another dispatcher has by then.
	moved       map[string][]string
	taken       []string
	moveErr     error
	markedCmds  []string
	markedJobs  []string
	erasing     []string
	reconciled  int
	dispatched  []dispatched
	running     int
	mostRunning int
}

type start struct {
	options client.StartWorkflowOptions
	in      workflows.DeliverInput
}

type signal struct {
	workflowID, name string
	arg              any
	options          client.StartWorkflowOptions
	in               workflows.DeliverInput
	// workflow is the type of a run started by the signal; job is its input where it is RedeliverJob.
	workflow string
	job      workflows.RedeliverJobInput
}

type dispatched struct {
	rows int
	lag  time.Duration
}

func newWorld(alter func(*dispatch.Options)) *world {
	w := &world{start: time.Now(), startErrs: map[string]error{}}
	o := dispatch.Options{Store: w, Temporal: w, Observer: w, Logger: slog.New(slog.DiscardHandler), Now: time.Now}
	if alter != nil {
		alter(&o)
	}
	w.Dispatcher = dispatch.New(o)
	return w
}

// run runs the dispatcher for so long, in the bubble's time, and waits for its end.
func (w *world) run(t *testing.T, d time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	w.Run(ctx)
	synctest.Wait()
}

// row is an invocation due at the bubble's start. An event's rows share its workflow.
func row(event, invocation string) models.Dispatch {
	return models.Dispatch{
		InvocationID: invocation, ApplicationID: "app", SubscriptionID: "sub of " + invocation, EventID: &event,
		EventType: "loan.updated", WorkflowID: workflows.EventWorkflowID(event, 0), Due: time.Now(),
	}
}

func overdue(r models.Dispatch, passes int) models.Dispatch {
	r.Overdue = passes
	return r
}

func alreadyStarted() error {
	return serviceerror.NewWorkflowExecutionAlreadyStarted("already started", "", "")
}

func (w *world) MoveDispatches(_ context.Context, workflows map[string][]models.Dispatch) (moved []string, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.moved = map[string][]string{}
	for workflow, rows := range workflows {
		for _, row := range rows {
			if slices.Contains(w.taken, row.InvocationID) {
				continue
			}
			moved = append(moved, row.InvocationID)
			w.moved[workflow] = append(w.moved[workflow], row.InvocationID)
		}
	}
	return moved, w.moveErr
}

func (w *world) TakeDispatches(_ context.Context, limit int) ([]models.Dispatch, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.takings = append(w.takings, time.Since(w.start))
	if w.storeErr != nil {
		return nil, w.storeErr
	}
	taken := slices.Clone(w.rows[:min(limit, len(w.rows))])
	lease := time.Now().Add(3 * time.Second)
	for i := range taken {
		taken[i].Lease = lease
	}
	return taken, nil
}

// bring makes a row due.
func (w *world) bring(r models.Dispatch) {
	w.mu.Lock()
	w.rows = append(w.rows, r)
	w.mu.Unlock()
	w.Wake()
}

func (w *world) HealQueues(context.Context) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.heals = append(w.heals, time.Since(w.start))
	return 0, w.storeErr
}

func (w *world) MarkDispatched(_ context.Context, lease time.Time, ids []string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if lease.IsZero() {
		panic("marked without the lease of the taking")
	}
	w.marked = append(w.marked, ids...)
	w.rows = slices.DeleteFunc(w.rows, func(r models.Dispatch) bool { return slices.Contains(ids, r.InvocationID) })
	return w.nextMarkErr()
}

func (w *world) TakeCommands(_ context.Context, limit int) ([]models.Command, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.storeErr != nil {
		return nil, w.storeErr
	}
	return slices.Clone(w.commands[:min(limit, len(w.commands))]), nil
}

func (w *world) MarkCommand(_ context.Context, c models.Command) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.nextMarkErr(); err != nil {
		return err
	}
	w.markedCmds = append(w.markedCmds, c.ID)
	w.commands = slices.DeleteFunc(w.commands, func(other models.Command) bool { return other.ID == c.ID })
	return nil
}

func (w *world) TakeJobs(_ context.Context, limit int) ([]models.JobDispatch, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.storeErr != nil {
		return nil, w.storeErr
	}
	return slices.Clone(w.jobs[:min(limit, len(w.jobs))]), nil
}

func (w *world) MarkJob(_ context.Context, j models.JobDispatch) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.nextMarkErr(); err != nil {
		return err
	}
	w.markedJobs = append(w.markedJobs, j.ID)
	w.jobs = slices.DeleteFunc(w.jobs, func(other models.JobDispatch) bool { return other.ID == j.ID })
	return nil
}

func (w *world) TakeErasures(_ context.Context, _ int) ([]models.Erasure, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.erasures, w.storeErr
}

func (w *world) nextMarkErr() error {
	if len(w.markErrs) == 0 {
		return nil
	}
	err := w.markErrs[0]
	w.markErrs = w.markErrs[1:]
	return err
}

func (w *world) Reconcile(_ context.Context, _ int) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.storeErr != nil {
		return 0, w.storeErr
	}
	n := len(w.overdue)
	w.rows = append(w.rows, w.overdue...)
	w.overdue = nil
	return n, nil
}

func (w *world) ExecuteWorkflow(
	ctx context.Context, options client.StartWorkflowOptions, workflow any, args ...any,
) (client.WorkflowRun, error) {
	w.mu.Lock()
	w.running++
	w.mostRunning = max(w.mostRunning, w.running)
	w.mu.Unlock()
	select {
	case <-ctx.Done():
	case <-time.After(w.delay):
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.running--
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err := errors.Join(w.temporalErr, w.startErrs[options.ID]); err != nil {
		return nil, err
	}
	if workflow == workflows.EraseName {
		w.erasing = append(w.erasing, options.ID+" "+args[0].(workflows.EraseInput).Erasure)
		return nil, nil //nolint:nilnil // nobody looks at the run
	}
	if workflow != workflows.DeliverName {
		panic("started something else")
	}
	w.started = append(w.started, start{options: options, in: input(args)})
	if !w.stuck {
		w.Returned(input(args).Invocations)
	}
	return nil, nil //nolint:nilnil // nobody looks at the run
}

func (w *world) SignalWithStartWorkflow(
	_ context.Context, workflowID, name string, arg any,
	options client.StartWorkflowOptions, workflow any, args ...any,
) (client.WorkflowRun, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.temporalErr != nil {
		return nil, w.temporalErr
	}
	s := signal{workflowID: workflowID, name: name, arg: arg, options: options, workflow: workflow.(string)}
	if s.workflow == workflows.RedeliverJobName {
		s.job = args[0].(workflows.RedeliverJobInput)
	} else {
		s.in = input(args)
	}
	w.signalled = append(w.signalled, s)
	return nil, nil //nolint:nilnil // nobody looks at the run
}

func input(args []any) workflows.DeliverInput {
	in, ok := args[0].(workflows.DeliverInput)
	if !ok || len(args) != 1 {
		panic("started with something else")
	}
	return in
}

func (w *world) Dispatched(rows int, lag time.Duration) {
	w.dispatched = append(w.dispatched, dispatched{rows: rows, lag: lag})
}

func (w *world) Reconciled(rows int) { w.reconciled += rows }
