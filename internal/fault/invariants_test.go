package fault_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// invocation is one as the API lists it.
type invocation struct {
	ID             string `json:"id"`
	EventID        string `json:"event_id"`
	SubscriptionID string `json:"subscription_id"`
	Status         string `json:"status"`
	Attempts       int    `json:"attempts"`
}

// attempt is a log entry as the API lists it.
type attempt struct {
	Number     int       `json:"number"`
	Trigger    string    `json:"trigger"`
	StartedAt  time.Time `json:"started_at"`
	FinishedAt time.Time `json:"finished_at"`
	Outcome    string    `json:"outcome"`
	StatusCode *int      `json:"status_code"`
	Error      *struct {
		Code string `json:"code"`
	} `json:"error"`
}

func (a attempt) interrupted() bool { return a.Error != nil && a.Error.Code == "interrupted" }

// findings are what a check found; the sums are for the table of a storm.
type findings struct {
	accepted, deliveries, requests int
	// lost are deliveries that never arrived; unaccounted requests and log entries that have no counterpart.
	lost, unaccounted int
	// duplicates are requests after the one that was answered 2xx; interrupted attempts bound them.
	duplicates, interrupted int
	// faults are the first of what was wrong, in words.
	faults []string
}

func (f *findings) fault(format string, args ...any) {
	if len(f.faults) < 20 {
		f.faults = append(f.faults, fmt.Sprintf(format, args...))
	}
}

// check waits until everything accepted has ended, and requires the invariants: I1 every accepted event has ended, I2
// nothing is lost and nothing doubled but what was in flight at a kill, I3 each body arrived as it was published, I4
// log and ledger agree, I5 attempts keep to the policy, I6 nothing is held for ever, I7 no log has a secret. I8 is
// that the same tests run on both databases.
func (l *load) check(t *testing.T) findings {
	t.Helper()
	l.ended(t)
	f := l.find(t, everyLog)
	require.Empty(t, f.faults, "the invariants do not hold; the logs are in %s", l.d.dir)
	require.Zero(t, f.lost)
	require.Zero(t, f.unaccounted)
	require.LessOrEqual(t, f.duplicates, f.interrupted)
	l.checkHeld(t)
	l.checkLogs(t)
	t.Logf("%d accepted, %d deliveries, %d requests, %d interrupted, %d duplicates",
		f.accepted, f.deliveries, f.requests, f.interrupted, f.duplicates)
	return f
}

// ended waits until no invocation is open.
func (l *load) ended(t *testing.T) {
	t.Helper()
	open := ""
	closed := func() bool {
		for _, status := range []string{"pending", "queued", "retrying", "paused"} {
			path := "/v1/applications/" + l.app + "/invocations?limit=1&status=" + status
			a, err := l.d.client.ask(t.Context(), "GET", path, nil)
			if err != nil || a.status != 200 || !strings.Contains(string(a.body), `"items":[]`) {
				open = fmt.Sprintf("%v %d %s", err, a.status, a.body)
				return false
			}
		}
		return true
	}
	for deadline := time.Now().Add(patience + scaled); !closed(); {
		if time.Now().After(deadline) {
			require.FailNow(t, "I1: something is still open", "%s; the logs are in %s", open, l.d.dir)
		}
		<-time.After(50 * time.Millisecond)
	}
}

// everyLog reads the log of each invocation.
func everyLog(invocation, []request) bool { return true }

// find compares what was accepted, what the API lists and what arrived. wanted says of which invocations the log is
// read; of the others the number of attempts is compared.
func (l *load) find(t *testing.T, wanted func(invocation, []request) bool) findings {
	t.Helper()
	events := l.publisher.accepted()
	known := make(map[string]accepted, len(events))
	expected := map[delivery]bool{}
	for _, e := range events {
		known[e.id] = e
		for _, subscription := range e.subscriptions {
			expected[delivery{e.id, subscription}] = true
		}
	}
	f := findings{accepted: len(known)} // an event that was published anew has several lines in the ledger
	listed := list[invocation](t, l.d.client, "/v1/applications/"+l.app+"/invocations?limit=500")
	for _, i := range listed {
		d := delivery{i.EventID, i.SubscriptionID}
		if _, ok := known[i.EventID]; !ok {
			f.fault("I2: invocation %s is of an event that nobody published", i.ID)
		}
		delete(expected, d)
		f.deliveries++
		l.compare(t, &f, i, l.receiver.requests(d), known[i.EventID], wanted)
	}
	for d := range expected {
		f.lost++
		f.fault("I2: event %s was answered 202 and has no invocation", d.event)
	}
	return f
}

// compare judges one invocation.
func (l *load) compare(
	t *testing.T, f *findings, i invocation, requests []request, e accepted, wanted func(invocation, []request) bool,
) {
	t.Helper()
	f.requests += len(requests)
	taken := 0
	for _, r := range requests {
		if success(r.status) {
			taken++
		}
		if r.sum != e.sum {
			f.fault("I3: event %s arrived with another body", i.EventID)
		}
		if r.forged {
			f.fault("event %s arrived with a signature that does not fit", i.EventID)
		}
	}
	switch {
	case i.Status != "succeeded" && i.Status != "failed" && i.Status != "cancelled":
		f.fault("I1: invocation %s is %s", i.ID, i.Status)
	case i.Status == "succeeded" && taken == 0:
		f.lost++
		f.fault("I2: invocation %s succeeded, and the receiver took none of its %d requests", i.ID, len(requests))
	}
	f.duplicates += max(0, taken-1)
	if !wanted(i, requests) {
		return
	}
	var log page[attempt]
	log.Items = list[attempt](t, l.d.client, "/v1/invocations/"+i.ID+"/logs?limit=500")
	l.compareLog(f, i, requests, log.Items, taken)
}

// compareLog judges one invocation's log against the ledger.
func (l *load) compareLog(f *findings, i invocation, requests []request, log []attempt, taken int) {
	interrupted, answered, logged := 0, map[int]int{}, map[int]int{}
	for _, r := range requests {
		answered[r.status]++
	}
	for _, a := range log {
		switch {
		case a.interrupted():
			interrupted++
		case a.StatusCode != nil:
			logged[*a.StatusCode]++
		}
	}
	f.interrupted += interrupted
	if len(log) != i.Attempts {
		f.fault("I4: invocation %s has %d attempts and %d log entries", i.ID, i.Attempts, len(log))
	}
	for status, n := range logged {
		if n > answered[status] {
			f.unaccounted += n - answered[status]
			f.fault("I4: invocation %s logs %d answers %d, the receiver gave %d", i.ID, n, status, answered[status])
		}
	}
	if extra := len(requests) - len(log); extra > 0 {
		f.unaccounted += extra
		f.fault("I4: invocation %s: %d requests arrived, %d are logged: %v %v", i.ID, len(requests), len(log), requests, log)
	}
	if taken-1 > interrupted {
		f.fault("I2: invocation %s was taken %d times, and %d attempts were interrupted: %v %+v", i.ID, taken, interrupted, requests, log)
	}
	l.comparePolicy(f, i, log)
}

// clockGrain is how much two times of one process may differ by rounding.
const clockGrain = 5 * time.Millisecond

// comparePolicy judges the attempts' number and gaps. An interrupted one does not count, and is followed at once.
func (l *load) comparePolicy(f *findings, i invocation, log []attempt) {
	var last *attempt
	counted := 0
	for n := range log {
		a := &log[n]
		if a.Trigger != "scheduled" {
			continue
		}
		if !a.interrupted() {
			counted++
		}
		if last != nil && !last.interrupted() && a.StartedAt.Before(last.FinishedAt.Add(l.interval-clockGrain)) {
			f.fault("I5: invocation %s: attempt %d came %s after the one before", i.ID, a.Number, a.StartedAt.Sub(last.FinishedAt))
		}
		last = a
	}
	if l.attempts > 0 && counted > l.attempts {
		f.fault("I5: invocation %s has %d attempts, the policy allows %d", i.ID, counted, l.attempts)
	}
}

// What a process may hold more than before the load: idle connections of its pools, which close in time, and threads,
// of which Go gives none back.
const moreDescriptors, moreThreads = 100, 40

// checkHeld waits until the processes hold no more than before the load.
func (l *load) checkHeld(t *testing.T) {
	t.Helper()
	for _, p := range l.d.processes() {
		before := l.before[p.Name]
		var now usage
		require.Eventuallyf(t, func() bool {
			var err error
			now, err = p.usage()
			return err == nil && now.descriptors <= before.descriptors+moreDescriptors && now.threads <= before.threads+moreThreads
		}, patience, 100*time.Millisecond, "I6: %s held %+v, and holds %+v", p.Name, before, &now)
	}
}

// checkLogs requires that no process has logged a payload, a key or a secret.
func (l *load) checkLogs(t *testing.T) {
	t.Helper()
	for _, p := range l.d.processes() {
		for _, never := range append([]string{canary, l.d.key}, l.secrets...) {
			has, err := p.logHas(strings.TrimPrefix(never, "whsec_"))
			require.NoError(t, err)
			require.Falsef(t, has, "I7: the log of %s has a payload or a secret", p.Name)
		}
	}
}
