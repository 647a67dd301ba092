//go:build record

package workflows_test

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	sdklog "go.temporal.io/sdk/log"

	"github.com/posthorn/posthorn/models"
	temporaldev "github.com/posthorn/posthorn/temporal-dev"
	"github.com/posthorn/posthorn/workflows"
)

func oneoff(t *testing.T) *recorder {
	server, err := temporaldev.Start(t.Context(), temporaldev.Options{
		Dir: t.TempDir(), Address: "127.0.0.1:0", UIAddress: temporaldev.UIOff,
		SearchAttributes: workflows.SearchAttributes(), Logger: slog.New(slog.DiscardHandler),
	})
	require.NoError(t, err)
	t.Cleanup(func() { server.Stop(context.Background()) })
	c, err := client.DialContext(t.Context(), client.Options{HostPort: server.Address(), Identity: "posthorn-test",
		Logger: sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler))})
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return newRecorder(t, c, "oneoff")
}

func TestOneOffContinue(t *testing.T) {
	r := oneoff(t)
	r.add("a", hourly(5), okWhenRedelivered)
	r.add("b", hourly(1), unavailable)
	o := r.options()
	run, err := r.client.ExecuteWorkflow(t.Context(), o, workflows.DeliverName, workflows.DeliverInput{Invocations: []string{"a", "b"}})
	require.NoError(t, err)
	r.waiting(run)
	t0 := time.Now()
	for i := range 4200 {
		r.signal(workflows.SignalCancel, workflows.CancelSignal{Invocation: fmt.Sprint("u", i%10)})
	}
	t.Log("4200 signals", time.Since(t0))
	d, err := r.client.DescribeWorkflowExecution(t.Context(), run.GetID(), run.GetRunID())
	require.NoError(t, err)
	t.Log("first run", d.GetWorkflowExecutionInfo().GetStatus(), d.GetWorkflowExecutionInfo().GetHistoryLength())
	d, err = r.client.DescribeWorkflowExecution(t.Context(), run.GetID(), "")
	require.NoError(t, err)
	t.Log("second run", d.GetWorkflowExecutionInfo().GetStatus(), d.GetWorkflowExecutionInfo().GetSearchAttributes(), d.GetExecutionConfig().GetDefaultWorkflowTaskTimeout(), d.GetPendingActivities())
	r.redeliver("c", "a")
	require.NoError(t, run.Get(t.Context(), nil))
	d, _ = r.client.DescribeWorkflowExecution(t.Context(), run.GetID(), "")
	t.Log("end", d.GetWorkflowExecutionInfo().GetStatus(), d.GetWorkflowExecutionInfo().GetSearchAttributes())
	t.Log(r.receiver.requests("a"), r.receiver.requests("b"))
}

func TestOneOffManyRedeliveries(t *testing.T) {
	r := oneoff(t)
	release := make(chan struct{})
	r.add("a", hourly(5), func(c *models.Claim) models.Result {
		if c.Trigger == models.TriggerRedeliver {
			<-release
		}
		return unavailable(c)
	})
	run, err := r.client.ExecuteWorkflow(t.Context(), r.options(), workflows.DeliverName, workflows.DeliverInput{Invocations: []string{"a"}})
	require.NoError(t, err)
	r.waiting(run)
	for i := range 2500 {
		r.redeliver(fmt.Sprint("c", i), "a")
	}
	d, err := r.client.DescribeWorkflowExecution(t.Context(), run.GetID(), "")
	require.NoError(t, err)
	t.Log(d.GetWorkflowExecutionInfo().GetHistoryLength(), len(d.GetPendingActivities()), d.GetWorkflowExecutionInfo().GetStatus())
	t0 := time.Now()
	close(release)
	require.Eventually(t, func() bool { return r.receiver.requests("a") == 2501 }, 5*time.Minute, 100*time.Millisecond)
	t.Log("2500 redeliveries", time.Since(t0))
	d, _ = r.client.DescribeWorkflowExecution(t.Context(), run.GetID(), "")
	t.Log(d.GetWorkflowExecutionInfo().GetHistoryLength(), len(d.GetPendingActivities()), d.GetWorkflowExecutionInfo().GetStatus(), d.GetWorkflowExecutionInfo().GetExecution().GetRunId() != run.GetRunID())
}

func TestOneOffLostSignals(t *testing.T) {
	r := oneoff(t)
	const n = 400
	for i := range n {
		r.add(fmt.Sprint("a", i), quick(3), okAfter(i%2))
		r.add(fmt.Sprint("b", i), quick(3), ok)
	}
	var wg sync.WaitGroup
	sem := make(chan struct{}, 16)
	for i := range n {
		wg.Go(func() {
			sem <- struct{}{}
			defer func() { <-sem }()
			o := r.options()
			o.ID = fmt.Sprint("event/lost", i)
			_, err := r.client.ExecuteWorkflow(t.Context(), o, workflows.DeliverName, workflows.DeliverInput{Invocations: []string{fmt.Sprint("a", i)}})
			if err != nil {
				t.Error(err)
			}
			<-time.After(time.Duration(rand.IntN(120)) * time.Millisecond)
			o.EnableEagerStart = false
			_, err = r.client.SignalWithStartWorkflow(t.Context(), o.ID, workflows.SignalDeliver, workflows.DeliverSignal{Invocations: []string{fmt.Sprint("b", i)}}, o, workflows.DeliverName, workflows.DeliverInput{})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for i := range n {
		id := fmt.Sprint("event/lost", i)
		require.NoError(t, r.client.GetWorkflow(t.Context(), id, "").Get(t.Context(), nil))
		require.Equal(t, models.StatusSucceeded, r.gate.read(fmt.Sprint("a", i)).status)
		require.Equal(t, models.StatusSucceeded, r.gate.read(fmt.Sprint("b", i)).status, i)
	}
	t.Log("WFT failures:", countFailures(t, r, n))
}

func countFailures(t *testing.T, r *recorder, n int) (failed int) {
	for i := range n {
		it := r.client.GetWorkflowHistory(t.Context(), fmt.Sprint("event/lost", i), "", false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
		for it.HasNext() {
			e, _ := it.Next()
			if e.GetEventType() == enumspb.EVENT_TYPE_WORKFLOW_TASK_FAILED {
				failed++
			}
		}
	}
	return
}
