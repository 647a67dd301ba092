// Package worker makes the Temporal worker: what it registers, how much it does at once, how it stops.
package worker

import (
	"cmp"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/interceptor"
	sdkworker "go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/posthorn/posthorn/activities"
	"github.com/posthorn/posthorn/internal/observe"
	"github.com/posthorn/posthorn/workflows"
)

// Options bound what one worker process does at once; zero values mean the defaults.
type Options struct {
	// WorkflowTasks bounds the workflow tasks at once, and the local activities, of which each delivery holds one as
	// well while its first attempts run. Default 2000.
	WorkflowTasks int
	// Activities bounds the retried and redelivered attempts in flight. Default 2000.
	Activities int
	// StopTimeout is how long Stop waits for what runs. Default 30 s.
	StopTimeout time.Duration
	// Tracer records activities; nil = none. The client must have been made with TracePropagator.
	Tracer *observe.Tracer
}

const (
	defaultConcurrency = 2000
	defaultStopTimeout = 30 * time.Second
	// deadlockTimeout is how long workflow code may run without yielding. The SDK's default of 1 s also fires on a
	// machine that is only busy, and then runs local activities again.
	deadlockTimeout = 10 * time.Second
	pollers         = 8
	// stickyTimeout is how long a workflow task waits for the worker that has the workflow in memory, which may be dead,
	// before any may take it. The SDK's default of 5 s would be past what a recovery may take.
	stickyTimeout = 2 * time.Second
)

// New makes a worker on the client's namespace. The dispatcher must start workflows with the same client, or eager
// starts are silently lost.
func New(c client.Client, a *activities.Activities, o Options) sdkworker.Worker {
	var interceptors []interceptor.WorkerInterceptor
	if o.Tracer != nil {
		interceptors = append(interceptors, &tracing{tracer: o.Tracer})
	}
	w := sdkworker.New(c, workflows.TaskQueue, sdkworker.Options{
		Interceptors:                            interceptors,
		MaxConcurrentWorkflowTaskExecutionSize:  cmp.Or(o.WorkflowTasks, defaultConcurrency),
		MaxConcurrentLocalActivityExecutionSize: cmp.Or(o.WorkflowTasks, defaultConcurrency),
		MaxConcurrentActivityExecutionSize:      cmp.Or(o.Activities, defaultConcurrency),
		MaxConcurrentWorkflowTaskPollers:        pollers,
		MaxConcurrentActivityTaskPollers:        pollers,
		StickyScheduleToStartTimeout:            stickyTimeout,
		WorkerStopTimeout:                       cmp.Or(o.StopTimeout, defaultStopTimeout),
		DeadlockDetectionTimeout:                deadlockTimeout,
	})
	Register(w, a)
	return w
}

// Register registers every workflow and activity; tests and the replayer use it too.
func Register(r sdkworker.Registry, a *activities.Activities) {
	r.RegisterWorkflowWithOptions(workflows.Deliver, workflow.RegisterOptions{Name: workflows.DeliverName})
	r.RegisterWorkflowWithOptions(workflows.RedeliverJob, workflow.RegisterOptions{Name: workflows.RedeliverJobName})
	r.RegisterWorkflowWithOptions(workflows.Retention, workflow.RegisterOptions{Name: workflows.RetentionName})
	r.RegisterWorkflowWithOptions(workflows.Erase, workflow.RegisterOptions{Name: workflows.EraseName})
	for name, fn := range map[string]any{
		workflows.ActivityFirstAttempts: a.FirstAttempts,
		workflows.ActivityAttempt:       a.Attempt,
		workflows.ActivityRedeliver:     a.Redeliver,
		workflows.ActivityRedeliverStep: a.RedeliverStep,
		workflows.ActivityPurge:         a.Purge,
		workflows.ActivityErase:         a.Erase,
	} {
		r.RegisterActivityWithOptions(fn, activity.RegisterOptions{Name: name})
	}
}
