package workflows_test

import (
	"log/slog"
	"math"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/interceptor"
	sdklog "go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	sdkworker "go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/posthorn/posthorn/activities"
	"github.com/posthorn/posthorn/models"
	"github.com/posthorn/posthorn/workflows"
)

// world runs Deliver and the real activities in Temporal's test environment, on a gate and a receiver in memory. All
// of them share the environment's clock, which jumps to the next timer when nothing runs.
type world struct {
	interceptor.WorkerInterceptorBase
	t        *testing.T
	env      *testsuite.TestWorkflowEnvironment
	gate     *gate
	receiver *receiver
	acts     *activities.Activities
	// start is when the first run starts.
	start time.Time
	// startedBy is the signal of a run started by SignalWithStart; "" = by a plain start.
	startedBy string
	// silently sends signals that arrive together with the next thing that happens, in one workflow task.
	silently bool

	mu sync.Mutex
	// shown are the values of PosthornStatus, in order.
	shown []string
	// scheduled are the activities, local ones too, by their name and in order.
	scheduled []string
	// options are those of the regular activities.
	options []workflow.ActivityOptions
	// endedAfter is how long after the start of the first run the last one ended.
	endedAfter time.Duration
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, start: time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)}
	now := func() time.Time { return w.env.Now() }
	w.gate = newGate(now)
	w.receiver = &receiver{now: now, scripts: map[string]script{}}
	w.acts = &activities.Activities{
		Gatekeeper: w.gate, Sender: w.receiver, Observer: observer{}, Owner: "owner", Wake: func() {}, Now: now,
		Logger: slog.New(slog.DiscardHandler),
	}
	w.renew(w.start)
	return w
}

// renew gives the world a fresh environment: the next run of the same workflow.
func (w *world) renew(start time.Time) {
	suite := testsuite.WorkflowTestSuite{}
	suite.SetLogger(sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler)))
	env := suite.NewTestWorkflowEnvironment()
	env.SetStartTime(start)
	env.SetWorkerOptions(sdkworker.Options{Interceptors: []interceptor.WorkerInterceptor{w}})
	env.RegisterWorkflowWithOptions(w.deliverAndNote, workflow.RegisterOptions{Name: workflows.DeliverName})
	for name, fn := range map[string]any{
		workflows.ActivityFirstAttempts: w.acts.FirstAttempts,
		workflows.ActivityAttempt:       w.acts.Attempt,
		workflows.ActivityRedeliver:     w.acts.Redeliver,
	} {
		env.RegisterActivityWithOptions(fn, activity.RegisterOptions{Name: name})
	}
	w.env = env
}

func (w *world) deliverAndNote(ctx workflow.Context, in workflows.DeliverInput) error {
	if w.startedBy != "" {
		waiting := func() bool { return workflow.GetSignalChannel(ctx, w.startedBy).Len() > 0 }
		if err := workflow.Await(ctx, waiting); err != nil {
			return err
		}
	}
	err := workflows.Deliver(ctx, in)
	w.endedAfter = workflow.Now(ctx).Sub(w.start)
	return err
}

// add commits an invocation that is due now.
func (w *world) add(id string, policy models.RetryPolicy, answer script) {
	w.gate.rows[id] = &row{id: id, status: models.StatusPending, spec: &models.Spec{Retry: policy}}
	w.receiver.scripts[id] = answer
}

// run runs the workflow to its end, which must be an ordinary one.
func (w *world) run(in workflows.DeliverInput) {
	w.t.Helper()
	w.env.ExecuteWorkflow(workflows.DeliverName, in)
	require.True(w.t, w.env.IsWorkflowCompleted())
	require.NoError(w.t, w.env.GetWorkflowError())
}

func (w *world) deliver(ids ...string) {
	w.t.Helper()
	w.run(workflows.DeliverInput{Invocations: ids})
}

// wake runs the closed workflow anew, as SignalWithStart does; send sends the signal.
func (w *world) wake(signal string, send func()) {
	w.t.Helper()
	w.renew(w.env.Now())
	w.startedBy, w.shown = signal, nil
	w.after(0, send)
	w.deliver()
}

// after does something when so much time has passed on the workflow's clock.
func (w *world) after(d time.Duration, do func()) { w.env.RegisterDelayedCallback(do, d) }

func (w *world) signal(name string, arg any) {
	if w.silently {
		w.env.SignalWorkflowSkippingWorkflowTask(name, arg)
		return
	}
	w.env.SignalWorkflow(name, arg)
}

// redeliver commits a command and tells the workflow, as the dispatcher does.
func (w *world) redeliver(command, invocation string) {
	w.gate.command(command, invocation)
	w.signal(workflows.SignalRedeliver, workflows.RedeliverSignal{Invocation: invocation, Command: command})
}

// cancel ends the row and tells the workflow, as a cancel command does.
func (w *world) cancel(id string) {
	w.gate.change(id, func(r *row) { r.status = models.StatusCancelled })
	w.signal(workflows.SignalCancel, workflows.CancelSignal{Invocation: id})
}

// bring hands invocations to the running workflow, as the dispatcher does.
func (w *world) bring(ids ...string) {
	w.signal(workflows.SignalDeliver, workflows.DeliverSignal{Invocations: ids})
}

// status is the last PosthornStatus.
func (w *world) status() string {
	if len(w.shown) == 0 {
		return ""
	}
	return w.shown[len(w.shown)-1]
}

// activities counts the scheduled activities of one name.
func (w *world) activities(name string) int {
	n := 0
	for _, scheduled := range w.scheduled {
		if scheduled == name {
			n++
		}
	}
	return n
}

// starts is when each attempt at the invocation was started, counted from the start of the first run.
func (w *world) starts(id string) []time.Duration {
	log := w.gate.read(id).log
	starts := make([]time.Duration, 0, len(log))
	for _, s := range log {
		starts = append(starts, s.Result.StartedAt.Sub(w.start))
	}
	return starts
}

func (w *world) InterceptWorkflow(
	_ workflow.Context, next interceptor.WorkflowInboundInterceptor,
) interceptor.WorkflowInboundInterceptor {
	return &inbound{WorkflowInboundInterceptorBase: interceptor.WorkflowInboundInterceptorBase{Next: next}, world: w}
}

type inbound struct {
	interceptor.WorkflowInboundInterceptorBase
	world *world
}

func (i *inbound) Init(next interceptor.WorkflowOutboundInterceptor) error {
	return i.Next.Init(&outbound{
		WorkflowOutboundInterceptorBase: interceptor.WorkflowOutboundInterceptorBase{Next: next}, world: i.world,
	})
}

// outbound notes what the workflow asks of Temporal.
type outbound struct {
	interceptor.WorkflowOutboundInterceptorBase
	world *world
}

// ExecuteActivity lifts two limits of the test environment that no server has: without a maximum it gives up after
// ten attempts, and it measures timeouts in real time from the first attempt to the last.
func (o *outbound) ExecuteActivity(ctx workflow.Context, name string, args ...any) workflow.Future {
	options := workflow.GetActivityOptions(ctx)
	o.world.mu.Lock()
	o.world.scheduled = append(o.world.scheduled, name)
	o.world.options = append(o.world.options, options)
	o.world.mu.Unlock()
	policy := *options.RetryPolicy
	policy.MaximumAttempts = math.MaxInt32
	ctx = workflow.WithRetryPolicy(ctx, policy)
	ctx = workflow.WithHeartbeatTimeout(ctx, 0)
	ctx = workflow.WithStartToCloseTimeout(ctx, time.Hour)
	return o.Next.ExecuteActivity(ctx, name, args...)
}

func (o *outbound) ExecuteLocalActivity(ctx workflow.Context, name string, args ...any) workflow.Future {
	o.world.mu.Lock()
	o.world.scheduled = append(o.world.scheduled, name)
	o.world.mu.Unlock()
	return o.Next.ExecuteLocalActivity(ctx, name, args...)
}

func (o *outbound) UpsertTypedSearchAttributes(ctx workflow.Context, updates ...temporal.SearchAttributeUpdate) error {
	status, _ := temporal.NewSearchAttributes(updates...).GetKeyword(workflows.SearchStatus)
	o.world.mu.Lock()
	o.world.shown = append(o.world.shown, status)
	o.world.mu.Unlock()
	return o.Next.UpsertTypedSearchAttributes(ctx, updates...)
}
