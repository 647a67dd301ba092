//go:build fault

package fault_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// failTwice makes the receiver refuse each delivery's first two requests.
func failTwice(_ delivery, before int) behaviour {
	if before < 2 {
		return behaviour{status: http.StatusServiceUnavailable}
	}
	return behaviour{status: http.StatusOK}
}

// clock starts a process anew with a clock that is ahead by so much, or behind.
func (d *deployment) clock(t *testing.T, p *process, ahead string) {
	t.Helper()
	_, err := p.stop()
	require.NoError(t, err)
	require.NoError(t, d.run(p, "POSTHORN_FAILPOINT_CLOCK="+ahead))
}

func TestF43_WorkersWhoseClocksAreWrong(t *testing.T) {
	d := cluster(t)
	const events = 40
	l := newLoad(t, d, loadOf{interval: 2 * time.Second})
	l.receiver.behaves(failTwice)
	d.clock(t, d.workers[0], "1h")
	d.clock(t, d.workers[1], "-1h")
	l.publisher.many(t, 0, events, 4, kind(0))
	require.Eventually(t, func() bool { requests, _, _ := l.receiver.counts(); return requests >= events }, patience, time.Millisecond)
	d.clock(t, d.workers[0], "-30m") // a step, between the retries
	began := time.Now()
	l.receiver.awaitDelivered(t, events, patience)
	took := time.Since(began)
	f := l.check(t)
	require.Zero(t, f.interrupted, "workers took each other for dead")
	require.Zero(t, f.duplicates)
	require.Less(t, took, time.Minute, "retries went by a wrong clock")
	for _, r := range l.receiver.all() {
		require.InDelta(t, r.at.Unix(), r.sent, 5, "webhook-timestamp goes by a wrong clock")
	}
	for _, p := range d.workers {
		_, err := p.stop()
		require.NoError(t, err)
		require.NoError(t, d.run(p))
	}
}

func TestF43_APIsWhoseClocksAreWrong(t *testing.T) {
	d := cluster(t)
	l := newLoad(t, d, loadOf{})
	d.clock(t, d.apis[0], "2h")
	d.clock(t, d.apis[1], "-2h")
	defer func() {
		for _, p := range d.apis {
			_, _ = p.stop()
		}
		d.mend(t)
	}()
	d.ready(t)
	for _, maker := range d.apis {
		lasting, ending := d.newKey(t, maker, time.Now().Add(time.Hour)), d.newKey(t, maker, time.Now().Add(5*time.Second))
		for _, asked := range d.apis {
			for _, key := range []string{lasting, ending} {
				require.Equal(t, http.StatusOK, d.asks(t, asked, key), "%s takes a key of %s for expired", asked.Name, maker.Name)
			}
		}
		for _, asked := range d.apis {
			require.Eventually(t, func() bool { return d.asks(t, asked, ending) == http.StatusUnauthorized },
				10*time.Second, 100*time.Millisecond, "%s takes an expired key of %s", asked.Name, maker.Name)
			require.Equal(t, http.StatusOK, d.asks(t, asked, lasting))
		}
		text := keyUntil(time.Now().Add(-time.Minute))
		a, err := d.client.askAt(t.Context(), maker.url, http.MethodPost, "/v1/keys", []byte(text))
		require.NoError(t, err)
		require.Equal(t, http.StatusUnprocessableEntity, a.status, "%s makes a key that has expired: %s", maker.Name, a.body)
	}
	l.publisher.many(t, 0, 20, 4, kind(0))
	l.receiver.awaitDelivered(t, 20, patience)
	for _, e := range list[object](t, d.client, "/v1/applications/"+l.app+"/events?limit=500") {
		created, err := time.Parse(time.RFC3339, e["created_at"].(string))
		require.NoError(t, err)
		require.WithinDuration(t, time.Now(), created, time.Minute, "created_at goes by a wrong clock")
	}
	l.check(t)
}

// keyUntil is the request for an operator's key with an end.
func keyUntil(expires time.Time) string {
	return fmt.Sprintf(`{"role":"operator","name":"until","expires_at":%q}`, expires.UTC().Format(time.RFC3339))
}

// newKey is made by one API.
func (d *deployment) newKey(t *testing.T, maker *process, expires time.Time) string {
	t.Helper()
	a, err := d.client.askAt(t.Context(), maker.url, http.MethodPost, "/v1/keys", []byte(keyUntil(expires)))
	require.NoError(t, err)
	require.Equal(t, http.StatusCreated, a.status, "%s: %s", maker.Name, a.body)
	var made struct {
		Key string `json:"key"`
	}
	require.NoError(t, json.Unmarshal(a.body, &made))
	return made.Key
}

// asks is how one API answers who has the key.
func (d *deployment) asks(t *testing.T, asked *process, key string) int {
	t.Helper()
	holder := &client{key: key, http: d.client.http}
	a, err := holder.askAt(t.Context(), asked.url, http.MethodGet, "/v1/applications?limit=1", nil)
	require.NoError(t, err)
	return a.status
}

func TestF44_ClockSetBackAtARestart(t *testing.T) {
	d := deploy(t, shape{})
	const events = 20
	l := newLoad(t, d, loadOf{interval: 2 * time.Second, subscriptions: 2})
	l.receiver.anyTime = true
	l.receiver.behaves(func(delivery, int) behaviour { return behaviour{status: 503} })
	l.publisher.many(t, 0, events, 4, kind(0))
	require.Eventually(t, func() bool { requests, _, _ := l.receiver.counts(); return requests >= events }, patience, time.Millisecond)
	step := outageOf(10 * time.Minute)
	d.clock(t, d.embedded, (-step).String())
	l.receiver.behaves(func(delivery, int) behaviour { return behaviour{status: 200} })
	before, _, _ := l.receiver.counts()
	l.publisher.many(t, events, events, 4, kind(1))
	l.receiver.awaitDelivered(t, events, patience)
	<-time.After(3 * time.Second)
	after, _, _ := l.receiver.counts()
	require.LessOrEqual(t, after-before, 2*events, "a burst")
	l.receiver.awaitDelivered(t, 2*events, patience+step) // what was due before is late by the step, and not lost
	l.check(t)
}

func TestF45_2038AndTimeZones(t *testing.T) {
	boundary := time.Unix(1<<31, 0)
	ahead := time.Until(boundary) - 4*time.Second
	d := deploy(t, shape{environment: []string{"TZ=America/New_York", "POSTHORN_FAILPOINT_CLOCK=" + ahead.String()}})
	l := newLoad(t, d, loadOf{})
	l.receiver.anyTime = true
	l.receiver.behaves(flaky(dice(t)))
	n := 0
	for ; time.Until(boundary) > ahead-4*time.Second; n++ {
		_, err := l.publisher.publish(t.Context(), n, kind(0))
		require.NoError(t, err)
		<-time.After(50 * time.Millisecond)
	}
	l.receiver.awaitDelivered(t, n, patience)
	l.check(t)
	requests := l.receiver.all()
	require.Less(t, requests[0].sent, boundary.Unix(), "the boundary was not passed")
	require.Greater(t, requests[len(requests)-1].sent, boundary.Unix())
	for _, e := range list[object](t, d.client, "/v1/applications/"+l.app+"/events?limit=500") {
		created := e["created_at"].(string)
		require.True(t, strings.HasPrefix(created, "2038-01-19T03:14:") && strings.HasSuffix(created, "Z"), created)
	}
	a, err := d.client.ask(t.Context(), http.MethodPost, "/v1/applications/"+l.app+"/events",
		[]byte(`{"type":"kind.0","payload":{},"occurred_at":"2016-12-31T23:59:60Z"}`))
	require.NoError(t, err)
	require.Equal(t, http.StatusUnprocessableEntity, a.status, "%s", a.body)
	require.Contains(t, string(a.body), "occurred_at")
}

// all is a copy of the ledger.
func (r *receiver) all() []request {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]request(nil), r.ledger...)
}
