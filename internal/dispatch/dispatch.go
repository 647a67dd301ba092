// Package dispatch turns committed rows into workflows and signals, and looks after rows that nobody works on. It
// runs inside the worker process, beside the worker whose client it starts workflows with.
package dispatch

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"go.temporal.io/sdk/client"

	"github.com/posthorn/posthorn/internal/observe"
	"github.com/posthorn/posthorn/models"
)

// Store is what the dispatcher needs of the database.
type Store interface {
	TakeDispatches(ctx context.Context, limit int) ([]models.Dispatch, error)
	MarkDispatched(ctx context.Context, lease time.Time, ids []string) error
	MoveDispatches(ctx context.Context, workflows map[string][]models.Dispatch) (moved []string, err error)
	TakeCommands(ctx context.Context, limit int) ([]models.Command, error)
	MarkCommand(ctx context.Context, c models.Command) error
	TakeJobs(ctx context.Context, limit int) ([]models.JobDispatch, error)
	MarkJob(ctx context.Context, j models.JobDispatch) error
	TakeErasures(ctx context.Context, limit int) ([]models.Erasure, error)
	Reconcile(ctx context.Context, limit int) (int, error)
	HealQueues(ctx context.Context) (int, error)
}

// Observer hears what the dispatcher does; see internal/observe.
type Observer interface {
	// Dispatched tells of one taking: how many rows, and how late the oldest was.
	Dispatched(rows int, lag time.Duration)
	// Reconciled tells of rows that the reconciler had to bring up; any is a sign of a crash or an outage.
	Reconciled(rows int)
}

// Temporal is what the dispatcher needs of the Temporal client. It must be the client that the worker was made with:
// another would silently lose eager starts.
type Temporal interface {
	ExecuteWorkflow(
		ctx context.Context, options client.StartWorkflowOptions, workflow any, args ...any,
	) (client.WorkflowRun, error)
	SignalWithStartWorkflow(
		ctx context.Context, workflowID, signal string, signalArg any,
		options client.StartWorkflowOptions, workflow any, args ...any,
	) (client.WorkflowRun, error)
}

// The dispatcher's pace.
const (
	// batch is how many commands or jobs one taking takes at most.
	batch = 200
	// starters is how many workflows are started at once. More than a few dozen only queue inside the server.
	starters = 32
	// pollEvery is how soon a row is found that nobody woke the dispatcher for.
	pollEvery = time.Second
	// lineEvery is how soon the next of a line is found when one was: a second's worth at once would be a burst.
	lineEvery = 100 * time.Millisecond
	// healEvery is how often queues that stand still for no reason are looked for: there should be none.
	healEvery = 10 * time.Minute
	// reconcileEvery is how often overdue rows are looked for.
	reconcileEvery = 10 * time.Second
	// reconcileBatch bounds what one look brings up.
	reconcileBatch = 500
	// outageWait is how long the dispatcher leaves a server alone that took none of its starts.
	outageWait = time.Second
)

// Dispatcher is made by New and works while Run runs.
type Dispatcher struct {
	store    Store
	temporal Temporal
	observer Observer
	tracer   *observe.Tracer
	logger   *slog.Logger
	// unsearchable starts workflows without search attributes.
	unsearchable bool
	// eventsPerWorkflow is how many events may share a workflow where many wait.
	eventsPerWorkflow int
	window            *window
	wake              chan struct{}
	now               func() time.Time
	// lined is set when rows were taken that had waited in line; it is Run's own.
	lined bool

	mu sync.Mutex
	// look is set when the tables are to be looked at, not only what was offered.
	look bool
	// offered are rows handed over in memory; unmarked are those of them that were started, by their lease.
	offered  []models.Dispatch
	unmarked map[time.Time][]string
}

// Options are a Dispatcher's parts; all are required but Tracer, Unsearchable and EventsPerWorkflow.
type Options struct {
	Store    Store
	Temporal Temporal
	Observer Observer
	// Tracer records starts; nil = nobody collects traces.
	Tracer *observe.Tracer
	Logger *slog.Logger
	Now    func() time.Time
	// Unsearchable is set when the namespace lacks the search attributes.
	Unsearchable bool
	// EventsPerWorkflow is how many events may share a workflow where more wait than can be started at once; 0 = 1.
	EventsPerWorkflow int
}

// New makes a Dispatcher.
func New(o Options) *Dispatcher {
	return &Dispatcher{
		store: o.Store, temporal: o.Temporal, observer: o.Observer, tracer: o.Tracer, logger: o.Logger, now: o.Now,
		unsearchable: o.Unsearchable, eventsPerWorkflow: o.EventsPerWorkflow, window: newWindow(),
		wake: make(chan struct{}, 1), unmarked: map[time.Time][]string{},
	}
}

// Wake tells the dispatcher that rows were committed. It never blocks; several calls may be one wake.
func (d *Dispatcher) Wake() {
	d.mu.Lock()
	d.look = true
	d.mu.Unlock()
	d.nudge()
}

// Returned tells the dispatcher that the first attempts of these invocations are over, or go on by themselves.
func (d *Dispatcher) Returned(invocations []string) { d.window.leave(invocations) }

func (d *Dispatcher) nudge() {
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

// Run dispatches until ctx ends.
func (d *Dispatcher) Run(ctx context.Context) {
	chores := d.chores(time.Now())
	due := time.NewTimer(time.Until(chores.next()))
	defer due.Stop()
	line := time.NewTimer(lineEvery)
	line.Stop() // until there is one
	defer line.Stop()
	d.Wake()
	for {
		d.drain(ctx, chores)
		if d.lined {
			d.lined = false
			line.Reset(lineEvery)
		}
		due.Reset(time.Until(chores.next()))
		select {
		case <-ctx.Done():
			return
		case <-d.wake:
		case <-line.C:
			d.Wake()
		case <-due.C:
		}
	}
}

// drain dispatches until nothing is due, or the Temporal server takes nothing. Where rows keep coming it goes on and on.
func (d *Dispatcher) drain(ctx context.Context, chores chores) {
	for ctx.Err() == nil {
		chores.doDue(ctx, time.Now())
		d.startOffered(ctx)
		if !d.mayLook() {
			return
		}
		rows, started, more := d.invocations(ctx)
		commands, signalled := d.commands(ctx)
		jobs, told := d.jobs(ctx)
		if rows+commands+jobs == 0 {
			return
		}
		if started+signalled+told == 0 {
			pause(ctx, outageWait)
			return
		}
		if more || commands == batch || jobs == batch {
			d.Wake()
		}
	}
}

// mayLook reports whether the tables are to be looked at, and takes note that they are.
func (d *Dispatcher) mayLook() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	may := d.look
	d.look = false
	return may
}

func (d *Dispatcher) reconcile(ctx context.Context) {
	found, err := d.store.Reconcile(ctx, reconcileBatch)
	if err != nil {
		d.logger.ErrorContext(ctx, "reconcile", "error", err)
		return
	}
	if found > 0 {
		d.observer.Reconciled(found)
		d.logger.WarnContext(ctx, "reconciler brought up rows that nobody worked on", "rows", found)
		d.Wake()
	}
}

// heal gives queues that lost their head one. A worker that starts does the same.
func (d *Dispatcher) heal(ctx context.Context) {
	healed, err := d.store.HealQueues(ctx)
	if err != nil {
		d.logFailure(ctx, "heal queues", err)
		return
	}
	if healed > 0 {
		d.logger.ErrorContext(ctx, "queues without a head were given one", "queues", healed)
		d.Wake()
	}
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
