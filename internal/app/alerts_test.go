package app_test

import (
	"context"
	"database/sql"
	"net/http"
	"path/filepath"
	"sync"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/internal/app"
	"github.com/posthorn/posthorn/internal/testpg"
)

// plant is a Posthorn that a test breaks: a process on a Postgres and a Temporal server of its own.
type plant struct {
	*world

	db *sql.DB
	// at is when it was last scraped, on a clock of the test's own.
	at time.Time
}

func newPlant(t *testing.T) (p *plant, stopServer func()) {
	t.Helper()
	database := testpg.URL(t)
	db, err := sql.Open("pgx", database)
	require.NoError(t, err)
	t.Cleanup(func() { _ = db.Close() })
	server := temporalAt(t, t.TempDir(), "127.0.0.1:0")
	stop := sync.OnceFunc(func() { stopTemporal(t, server) })
	t.Cleanup(stop)
	w := start(t, external(t, database, server.Address()), app.Roles{API: true, Worker: true})
	return &plant{world: w, db: db, at: time.Unix(1_000_000, 0)}, stop
}

func (p *plant) exec(query string, args ...any) {
	p.t.Helper()
	_, err := p.db.ExecContext(p.t.Context(), query, args...)
	require.NoError(p.t, err)
}

// older makes a time of an invocation earlier.
func (p *plant) older(id, column string, by time.Duration) {
	p.t.Helper()
	p.exec("UPDATE invocations SET "+column+" = "+column+" - $1 WHERE id = $2", by.Microseconds(), id)
}

// metric is the sum of a metric's series as the process shows it now.
func (p *plant) metric(name string) float64 {
	p.t.Helper()
	now := newSamples(p.t)
	now.scrape(p.world, p.at)
	sum := 0.0
	for key, series := range now.series {
		if series.Labels().Get("__name__") == name {
			points := now.points[key]
			sum += points[len(points)-1].F()
		}
	}
	return sum
}

// exceeds waits until a metric is above a value.
func (p *plant) exceeds(name string, value float64) {
	p.t.Helper()
	require.Eventually(p.t, func() bool { return p.metric(name) > value }, 2*patience, 100*time.Millisecond, name)
}

// sibling is another API process on the same database: it has read nothing yet that it could show again.
func (p *plant) sibling() *plant {
	p.t.Helper()
	other := *p
	other.world = start(p.t, p.cfg, app.Roles{API: true})
	return &other
}

const (
	scrapeInterval = 15 * time.Second
	hourly         = `{"retry":{"kind":"fixed","interval":"1h","max_attempts":5}}`
	hourlyQueues   = `{"ordering":{"kind":"fifo","key":"subscription"},"retry":{"kind":"fixed","interval":"1h","max_attempts":5}}`
)

func TestEachAlertSeesItsFault(t *testing.T) {
	t.Parallel()
	rules := alerts(t)
	p, stopServer := newPlant(t)
	seen := newSamples(t)
	scrape := func(p *plant) {
		p.at = p.at.Add(scrapeInterval)
		seen.scrape(p.world, p.at)
	}

	receiver := newSink(t)
	healthy := p.application("standard", "")
	p.subscription(healthy, receiver.URL, nil)
	p.publish(healthy, `{"type":"a.b","payload":{}}`)
	scrape(p)
	for range 5 {
		_, ids := p.published(healthy, `{"type":"a.b","payload":{}}`)
		p.becomes(ids[0], "succeeded")
	}
	scrape(p)
	for _, name := range seen.firing(rules, p.at) { // how fast a busy machine is says nothing
		require.Contains(t, []string{"PosthornPublishSlow", "PosthornDispatchLate"}, name, "a system that is well")
	}

	p.breakDeliveries(t)
	p.breakRequests(t, healthy)
	stopServer()
	_, waiting := p.published(healthy, `{"type":"a.b","payload":{}}`)
	p.exceeds("temporal_long_request_failure_total", 0)
	p.exceeds("temporal_request_failure_total", 0)
	p.older(waiting[0], "next_attempt_at", 2*time.Minute)
	p.sibling().exceeds("posthorn_undispatched_age_seconds", 60) // once it is nobody's any more
	failures := p.metric("temporal_long_request_failure_total")
	scrape(p)
	p.exceeds("temporal_long_request_failure_total", failures)
	sibling := p.sibling()
	sibling.at = p.at
	scrape(sibling)
	p.at = sibling.at
	scrape(p)
	broken := seen.firing(rules, p.at)

	for name, expression := range charts(t) {
		for _, metric := range metricsOf(t, expression) {
			require.True(t, seen.has(metric), "%s of the dashboard asks for %s", name, metric)
		}
	}
	for name, expression := range rules {
		for _, metric := range metricsOf(t, expression) {
			require.True(t, seen.has(metric), "%s asks for %s", name, metric)
		}
	}
	requireDocumented(t, seen)

	p.exec("ALTER TABLE invocations RENAME TO invocations_elsewhere")
	last := p.sibling()
	last.at, seen = p.at, newSamples(t)
	scrape(last)
	status, _ := last.raw("POST", "/v1/applications/"+healthy+"/events", []byte(`{"type":"a.b","payload":{}}`), nil)
	require.Equal(t, 500, status)
	scrape(last)
	broken = append(broken, seen.firing(rules, last.at)...)
	p.exec("ALTER TABLE invocations_elsewhere RENAME TO invocations")

	var all []string
	for name := range rules {
		all = append(all, name)
	}
	require.ElementsMatch(t, all, broken, "each alert fires for its fault, and once")
}

// breakDeliveries has receivers fail and hang, a queue stand, and a workflow lose what it waits for.
func (p *plant) breakDeliveries(t *testing.T) {
	t.Helper()
	failing := newSink(t, status(500)...)
	givenUp := p.application("standard", `{"retry":{"kind":"fixed","interval":"20ms","max_attempts":10}}`)
	p.subscription(givenUp, failing.URL, nil)
	_, ids := p.published(givenUp, `{"type":"a.b","payload":{}}`)
	p.becomes(ids[0], "failed")

	slow := p.application("standard", hourly)
	p.subscription(slow, failing.URL, nil)
	_, old := p.published(slow, `{"type":"a.b","payload":{}}`)
	_, lost := p.published(slow, `{"type":"a.b","payload":{}}`)
	p.becomes(old[0], "retrying")
	p.becomes(lost[0], "retrying")
	p.older(old[0], "created_at", 7*time.Hour)
	p.older(lost[0], "next_attempt_at", time.Hour+time.Minute) // overdue for a minute, and its workflow sleeps

	queues := p.application("standard", hourlyQueues)
	p.subscription(queues, failing.URL, nil)
	_, head := p.published(queues, `{"type":"a.b","payload":{}}`)
	p.published(queues, `{"type":"a.b","payload":{}}`)
	p.becomes(head[0], "retrying")
	p.older(head[0], "created_at", 2*time.Hour)

	hanging := newSink(t, answer{status: 200, after: 500 * time.Millisecond})
	taken := p.application("standard", hourly)
	p.subscription(taken, hanging.URL, nil)
	_, ids = p.published(taken, `{"type":"a.b","payload":{}}`)
	hanging.await(1)
	p.exec("UPDATE invocations SET claim_token = gen_random_uuid() WHERE id = $1", ids[0])
	p.exceeds("posthorn_claims_lost_total", 0)
	p.exceeds("posthorn_reconciled_total", 0)
}

// breakRequests has strangers come, a filter fail, and the database keep publishers waiting.
func (p *plant) breakRequests(t *testing.T, app string) {
	t.Helper()
	for range 120 {
		status, _ := p.as("a-stranger").raw("GET", "/v1/applications", nil, http.Header{})
		require.Equal(t, 401, status)
	}
	p.subscription(app, newSink(t).URL, object{"filter": "payload.n > 5"})
	p.publish(app, `{"type":"a.b","payload":{"n":"text"}}`)

	locked, err := p.db.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	_, err = locked.ExecContext(t.Context(), "LOCK TABLE events IN ACCESS EXCLUSIVE MODE")
	require.NoError(t, err)
	release := context.AfterFunc(timeout(t, 2500*time.Millisecond), func() { _ = locked.Rollback() })
	defer release()
	p.publish(app, `{"type":"a.b","payload":{"n":7}}`)
}

// timeout is a context that ends after the time.
func timeout(t *testing.T, after time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), after)
	t.Cleanup(cancel)
	return ctx
}

// The embedded mode shows the same metrics, on SQLite.
func TestEachMetricOfAlertsAndDashboardIsShownByDev(t *testing.T) {
	t.Parallel()
	cfg := embedded(t)
	cfg.DatabaseURL = "sqlite:" + filepath.Join(t.TempDir(), "posthorn.db")
	w := start(t, cfg, everything)
	application := w.application("standard", hourly)
	w.subscription(application, newSink(t, status(200, 500)...).URL, nil)
	_, ids := w.published(application, `{"type":"a.b","payload":{}}`)
	w.becomes(ids[0], "succeeded")
	_, ids = w.published(application, `{"type":"a.b","payload":{}}`)
	w.becomes(ids[0], "retrying")
	seen := newSamples(t)
	require.Eventually(t, func() bool { // an activity's time is shown once it has ended
		seen.scrape(w, time.Unix(0, 0))
		return seen.has("temporal_activity_execution_latency_seconds_bucket")
	}, patience, 50*time.Millisecond)
	onlyFailures := map[string]bool{"temporal_request_failure_total": true, "temporal_long_request_failure_total": true}
	for _, expressions := range []map[string]string{alerts(t), charts(t)} {
		for name, expression := range expressions {
			for _, metric := range metricsOf(t, expression) {
				require.True(t, seen.has(metric) || onlyFailures[metric], "%s: %s", name, metric)
			}
		}
	}
}
