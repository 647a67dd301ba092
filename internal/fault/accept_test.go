package fault_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/workflowservice/v1"
	temporal "go.temporal.io/sdk/client"
)

// api is the process that the failpoint tests publish to.
func (d *deployment) api() *process {
	if d.embedded != nil {
		return d.embedded
	}
	return d.apis[0]
}

// arm starts a process anew with a failpoint.
func (d *deployment) arm(t *testing.T, p *process, failpoint string) {
	t.Helper()
	_, err := p.stop()
	require.NoError(t, err)
	require.NoError(t, d.run(p, "POSTHORN_FAILPOINT="+failpoint))
}

// publishInto publishes event 0 once, to a process that dies of it before it answers.
func (l *load) publishInto(t *testing.T, p *process) {
	t.Helper()
	text, _, _ := event(l.app, 0, kind(0))
	_, err := l.d.client.askAt(t.Context(), p.url, http.MethodPost, "/v1/applications/"+l.app+"/events", []byte(text))
	require.Error(t, err, "there was an answer")
	require.NoError(t, p.diesBySelf(patience))
}

func TestF01_KilledBetweenCommitAndWorkflowStart(t *testing.T) {
	onEach(t, func(t *testing.T, d *deployment) {
		l := newLoad(t, d, loadOf{})
		d.arm(t, d.api(), "accept-committed")
		l.publishInto(t, d.api())
		require.NoError(t, d.run(d.api()))
		took := l.receiver.awaitDelivered(t, 1, 10*time.Second)

		again, err := l.publisher.publish(t.Context(), 0, kind(0))
		require.NoError(t, err)
		require.True(t, again.Duplicate)
		require.Len(t, l.receiver.requests(delivery{again.ID, again.Invocations[0].SubscriptionID}), 1)
		l.check(t)
		t.Logf("delivered %s after the restart", took.Round(time.Millisecond))
	})
}

func TestF02_KilledBeforeTheCommit(t *testing.T) {
	onEach(t, func(t *testing.T, d *deployment) {
		l := newLoad(t, d, loadOf{})
		d.arm(t, d.api(), "accept-stored")
		l.publishInto(t, d.api())
		require.NoError(t, d.run(d.api()))
		d.ready(t)
		require.Empty(t, list[object](t, d.client, "/v1/applications/"+l.app+"/events?limit=500"), "half an event is stored")

		again, err := l.publisher.publish(t.Context(), 0, kind(0))
		require.NoError(t, err)
		require.False(t, again.Duplicate)
		l.receiver.awaitDelivered(t, 1, patience)
		require.Equal(t, 1, l.check(t).requests)
	})
}

func TestF03_KilledAfterTheWorkflowStartBeforeTheAnswer(t *testing.T) {
	onEach(t, func(t *testing.T, d *deployment) {
		l := newLoad(t, d, loadOf{})
		d.arm(t, d.api(), "accept-answering+2s")
		l.publishInto(t, d.api())
		require.NoError(t, d.run(d.api()))
		l.receiver.awaitDelivered(t, 1, patience)

		again, err := l.publisher.publish(t.Context(), 0, kind(0))
		require.NoError(t, err)
		require.True(t, again.Duplicate)
		require.Equal(t, 1, l.check(t).requests)
		require.EqualValues(t, 1, d.workflows(t, again.ID), "a second workflow was started")
	})
}

// workflows is how many workflows the event has had.
func (d *deployment) workflows(t *testing.T, event string) int64 {
	t.Helper()
	c, err := temporal.Dial(temporal.Options{HostPort: d.temporalAddress(), Namespace: "default"})
	require.NoError(t, err)
	defer c.Close()
	var counted *workflowservice.CountWorkflowExecutionsResponse
	require.Eventually(t, func() bool {
		counted, err = c.CountWorkflow(t.Context(),
			&workflowservice.CountWorkflowExecutionsRequest{Query: "WorkflowId = 'event/" + event + "'"})
		return err == nil && counted.GetCount() > 0
	}, patience, 50*time.Millisecond, "visibility does not list the workflow: %v", err)
	return counted.GetCount()
}

// temporalAddress is where the Temporal server itself answers.
func (d *deployment) temporalAddress() string {
	p := d.temporal
	if p == nil {
		p = d.embedded
	}
	for _, pair := range p.Env {
		if address, ok := strings.CutPrefix(pair, "POSTHORN_TEMPORAL_LISTEN="); ok {
			return address
		}
	}
	return ""
}

func TestF20_ManyPublishersWithOneIdempotencyKey(t *testing.T) {
	d := cluster(t)
	const clients = 100
	l := newLoad(t, d, loadOf{})
	text, _, _ := event(l.app, 0, kind(0))
	answers := make(chan told, clients)
	var group sync.WaitGroup
	for n := range clients {
		group.Go(func() {
			url := d.apis[n%len(d.apis)].url
			a, err := d.client.askAt(t.Context(), url, http.MethodPost, "/v1/applications/"+l.app+"/events", []byte(text))
			var answer told
			if err == nil && a.status == http.StatusAccepted && json.Unmarshal(a.body, &answer) == nil {
				answers <- answer
			}
		})
	}
	group.Wait()
	close(answers)
	ids, firsts, count := map[string]bool{}, 0, 0
	for answer := range answers {
		count++
		ids[answer.ID+answer.Invocations[0].ID] = true
		if !answer.Duplicate {
			firsts++
		}
	}
	require.Equal(t, clients, count)
	require.Len(t, ids, 1, "all answers name one event and one invocation")
	require.Equal(t, 1, firsts)
	_, err := l.publisher.publish(t.Context(), 0, kind(0))
	require.NoError(t, err)
	l.receiver.awaitDelivered(t, 1, patience)
	require.Equal(t, 1, l.check(t).requests)
}
