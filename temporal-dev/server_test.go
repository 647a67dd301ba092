package temporaldev_test

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	temporaldev "github.com/posthorn/posthorn/temporal-dev"
)

// TestServer is everything that can share a server.
// The server's plugin has no setting for it: an upgrade that makes it differently has to be noticed.
func TestServerKeepsItsStatementsPrepared(t *testing.T) {
	t.Parallel()
	s := start(t, temporaldev.Options{Dir: t.TempDir(), Address: "127.0.0.1:0", UIAddress: temporaldev.UIOff})
	main, visibility, err := s.KeepsStatements()
	require.NoError(t, err)
	require.True(t, main)
	require.True(t, visibility)
}

func TestServer(t *testing.T) {
	t.Parallel()
	s := start(t, options(t.TempDir()))
	c := dial(t, s)
	startWorker(t, c)

	t.Run("a workflow runs", func(t *testing.T) {
		t.Parallel()
		require.Equal(t, "hello", run(t, c, client.StartWorkflowOptions{}))
	})

	t.Run("what workflows are made of is called without a network", func(t *testing.T) {
		t.Parallel()
		require.Equal(t, 6+8, s.LocalMethods(), "of the frontend and of the history service")
		for name, c := range map[string]client.Client{"local": c, "network": dialWith(t, s)} {
			o := client.StartWorkflowOptions{
				ID: "twice/" + name, TaskQueue: taskQueue, EnableEagerStart: true, WorkflowExecutionErrorWhenAlreadyStarted: true,
				WorkflowIDReusePolicy: enumspb.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE,
			}
			require.Equal(t, "hello", run(t, c, o))
			_, err := c.ExecuteWorkflow(t.Context(), o, echo, "hello")
			started := new(serviceerror.WorkflowExecutionAlreadyStarted)
			require.ErrorAs(t, err, &started)
			require.NotEmpty(t, started.RunId)
		}
	})

	t.Run("an activity is retried after 20 ms", func(t *testing.T) {
		t.Parallel()
		var attempts []time.Time
		run, err := c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{TaskQueue: taskQueue}, retried)
		require.NoError(t, err)
		require.NoError(t, run.Get(t.Context(), &attempts))

		var gaps []time.Duration
		for i := range len(attempts) - 1 {
			gaps = append(gaps, attempts[i+1].Sub(attempts[i]))
		}
		slices.Sort(gaps)
		median := gaps[len(gaps)/2]
		require.GreaterOrEqual(t, median, 20*time.Millisecond)
		require.Less(t, median, 200*time.Millisecond, "gaps: %v", gaps)
	})

	t.Run("search attributes find a workflow", func(t *testing.T) {
		t.Parallel()
		run(t, c, client.StartWorkflowOptions{
			ID: "event/1",
			TypedSearchAttributes: temporal.NewSearchAttributes(
				eventType().ValueSet("loan.updated"), subscription().ValueSet([]string{"sub_1", "sub_2"})),
		})

		for _, query := range []string{
			`PosthornEventType = 'loan.updated'`,
			`PosthornSubscription = 'sub_2'`,
			`PosthornSubscription IN ('sub_1', 'sub_3') AND ExecutionStatus = 'Completed'`,
			`WorkflowId = 'event/1'`,
			`WorkflowId STARTS_WITH 'event/' AND WorkflowType = 'echo'`,
		} {
			require.Eventually(t, func() bool { return slices.Equal(list(t, c, query), []string{"event/1"}) },
				5*time.Second, 20*time.Millisecond, query)
		}
		require.Empty(t, list(t, c, `PosthornSubscription = 'sub_3'`))
		require.Contains(t, list(t, c, ""), "event/1", "the default list of the UI")
	})

	t.Run("a schedule starts a workflow", func(t *testing.T) {
		t.Parallel()
		schedule, err := c.ScheduleClient().Create(t.Context(), client.ScheduleOptions{
			ID:                 "nightly",
			Action:             &client.ScheduleWorkflowAction{ID: "scheduled", Workflow: echo, Args: []any{"x"}, TaskQueue: taskQueue},
			TriggerImmediately: true,
		})
		require.NoError(t, err)
		require.Eventually(t, func() bool {
			d, err := schedule.Describe(t.Context())
			return err == nil && len(d.Info.RecentActions) > 0
		}, 10*time.Second, 20*time.Millisecond)
	})

	t.Run("the web UI", func(t *testing.T) {
		t.Parallel()
		checkUI(t, s)
	})

	t.Run("a busy port names the flag", func(t *testing.T) {
		t.Parallel()
		o := options(t.TempDir())
		o.Address = s.Address()
		_, err := temporaldev.Start(t.Context(), o)
		require.EqualError(t, err, "temporal-dev: "+s.Address()+
			" is in use; choose another address with --temporal-listen (POSTHORN_TEMPORAL_LISTEN)")
		require.ErrorIs(t, err, syscall.EADDRINUSE)
	})

	t.Run("a busy UI port names the flag", func(t *testing.T) {
		t.Parallel()
		u, err := url.Parse(s.UIURL())
		require.NoError(t, err)
		o := options(t.TempDir())
		o.UIAddress = u.Host
		_, err = temporaldev.Start(t.Context(), o)
		require.EqualError(t, err, "temporal-dev: "+u.Host+
			" is in use; choose another address with --temporal-ui-listen (POSTHORN_TEMPORAL_UI_LISTEN)")
	})
}

func checkUI(t *testing.T, s *temporaldev.Server) {
	t.Helper()
	code, body := get(t, s.UIURL(), "")
	require.Equal(t, http.StatusOK, code)
	require.Contains(t, body, "<html")

	code, body = get(t, s.UIURL()+"/api/v1/namespaces/"+s.Namespace(), "")
	require.Equal(t, http.StatusOK, code, body)
	require.Contains(t, body, `"NAMESPACE_STATE_REGISTERED"`)

	code, body = get(t, s.UIURL()+"/api/v1/settings", "")
	require.Equal(t, http.StatusOK, code)
	require.Contains(t, body, `"DisableNewsFetch":true`)

	code, _ = get(t, s.UIURL()+"/api/v1/namespaces", "attacker.example")
	require.Equal(t, http.StatusForbidden, code, "a rebound name must not reach the UI")
}

func TestStopPastItsDeadline(t *testing.T) {
	t.Parallel()
	o := options(t.TempDir())
	o.UIAddress = temporaldev.UIOff
	s, err := temporaldev.Start(t.Context(), o)
	require.NoError(t, err)
	require.Empty(t, s.UIURL())

	expired, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, s.Stop(expired), context.Canceled)
	require.NoError(t, s.Stop(t.Context()), "the same stop, waited for")
}

func TestStartPastItsDeadline(t *testing.T) {
	t.Parallel()
	expired, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := temporaldev.Start(expired, options(t.TempDir()))
	require.ErrorIs(t, err, context.Canceled)
}

func TestOptionsAreChecked(t *testing.T) {
	t.Parallel()
	const publicly = "is not a loopback address"
	for name, tt := range map[string]struct {
		change func(*temporaldev.Options)
		want   string
	}{
		"no folder":            {func(o *temporaldev.Options) { o.Dir = "" }, "Dir is empty"},
		"every interface":      {func(o *temporaldev.Options) { o.Address = ":7233" }, publicly},
		"every IPv4 interface": {func(o *temporaldev.Options) { o.Address = "0.0.0.0:7233" }, publicly},
		"every IPv6 interface": {func(o *temporaldev.Options) { o.UIAddress = "[::]:8233" }, publicly},
		"another host":         {func(o *temporaldev.Options) { o.UIAddress = "posthorn.example:8233" }, publicly},
		"no port":              {func(o *temporaldev.Options) { o.Address = "127.0.0.1" }, "missing port"},
		"short retention":      {func(o *temporaldev.Options) { o.Retention = time.Minute }, "under the minimum of 1h"},
		"reserved attribute": {func(o *temporaldev.Options) {
			o.SearchAttributes = map[string]enumspb.IndexedValueType{"WorkflowId": enumspb.INDEXED_VALUE_TYPE_KEYWORD}
		}, "the name is reserved"},
		"too many lists": {func(o *temporaldev.Options) {
			o.SearchAttributes = make(map[string]enumspb.IndexedValueType)
			for _, name := range []string{"A", "B", "C", "D"} {
				o.SearchAttributes[name] = enumspb.INDEXED_VALUE_TYPE_KEYWORD_LIST
			}
		}, "no column of type KeywordList is left"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := options(t.TempDir())
			tt.change(&o)
			_, err := temporaldev.Start(t.Context(), o)
			require.ErrorContains(t, err, tt.want)
		})
	}
}
