package storetest

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/internal/store"
	"github.com/posthorn/posthorn/models"
)

// player is dispatcher, worker and receiver of everything that is due.
type player struct {
	*world

	owner string
	// dispatched counts what the dispatcher took; sent are when attempts were granted.
	dispatched int
	sent       []time.Time
}

func (w *world) player(t *testing.T) *player {
	t.Helper()
	return &player{world: w, owner: w.worker(t)}
}

// play goes on for so many tenths of a second. Every attempt is settled at once.
func (p *player) play(t *testing.T, ticks int) {
	t.Helper()
	for range ticks {
		p.clock.Advance(100 * time.Millisecond)
		p.turn(t)
	}
}

func (p *player) turn(t *testing.T) {
	t.Helper()
	require.NoError(t, p.RenewWorker(t.Context(), p.owner))
	ids := p.world.dispatched(t)
	p.dispatched += len(ids)
	if len(ids) == 0 {
		return
	}
	gates, err := p.Claim(t.Context(), p.owner, ids)
	require.NoError(t, err)
	for _, g := range gates {
		if g.Verdict == models.VerdictGranted {
			p.sent = append(p.sent, p.now())
			p.end(t, g.Claim, p.instant())
		}
	}
}

// lineCases are those of the line behind a limit.
func lineCases() []group {
	return []group{
		{"costs a limited subscription two dispatches for each delivery at most", lineCostsTwoDispatches},
		{"is not overtaken by what comes later, unless there is time", lineIsNotOvertaken},
		{"spreads anew after an outage", lineSpreadsAnew},
		{"goes on when an attempt ends and makes room", lineGoesOnWithRoom},
		{"is for what a process has too much of in flight", lineIsForTooManyInFlight},
		{"lets nobody who has a connection wait for another", lineLetsNobodyWait},
		{"is given to what was parked when its subscription receives again", lineIsGivenToParked},
	}
}

func lineCostsTwoDispatches(t *testing.T, w *world) {
	w.quiet(t)
	const events, rate = 500, 50
	app := w.application(t)
	w.fireMany(t, events, app, w.subscription(t, app), perSecond(rate))
	p := w.player(t)
	started := w.now()
	p.turn(t)
	p.play(t, 100)
	require.Len(t, p.sent, events)
	t.Logf("%d dispatches for %d deliveries", p.dispatched, events)
	require.LessOrEqual(t, p.dispatched, 2*events)
	for i, at := range p.sent {
		require.LessOrEqual(t, float64(i), rate*(1+at.Sub(started).Seconds())+1, "the rate is kept")
	}
	require.Less(t, p.sent[events-1].Sub(started), 10*time.Second, "and used")
}

func lineIsNotOvertaken(t *testing.T, w *world) {
	w.quiet(t)
	app := w.application(t)
	sub := w.subscription(t, app)
	ids := w.fireMany(t, 4, app, sub, perSecond(1))
	owner := w.worker(t)
	require.Equal(t, []models.Verdict{granted, parked, parked, parked}, w.verdicts(t, owner, ids...))
	w.clock.Advance(time.Second)
	later := w.fire(t, app, sub, perSecond(1))
	require.Equal(t, parked, w.ask(t, owner, later).Verdict, "it was the turn of another")
	require.Equal(t, new(w.in(3*time.Second)), w.invocation(t, later).DispatchAfter)
	require.Equal(t, granted, w.ask(t, owner, ids[1]).Verdict)
	require.NoError(t, w.Cancel(t.Context(), ids[2]))
	w.clock.Advance(time.Second)
	require.Equal(t, parked, w.ask(t, owner, w.fire(t, app, sub, perSecond(1))).Verdict, "a second is too short")
	require.NoError(t, w.Cancel(t.Context(), ids[3]))
	require.Equal(t, granted, w.ask(t, owner, w.fire(t, app, sub, perSecond(1))).Verdict)
}

func lineSpreadsAnew(t *testing.T, w *world) {
	w.quiet(t)
	app := w.application(t)
	w.fireMany(t, 100, app, w.subscription(t, app), perSecond(10))
	p := w.player(t)
	p.turn(t)
	w.clock.Advance(time.Hour)
	p.turn(t)
	require.Len(t, p.sent, 20, "a burst, and a burst")
	p.play(t, 80)
	require.Len(t, p.sent, 100)
	require.LessOrEqual(t, p.dispatched, 300)
}

func lineGoesOnWithRoom(t *testing.T, w *world) {
	w.quiet(t)
	app := w.application(t)
	ids := w.fireMany(t, 4, app, w.subscription(t, app), inFlight(1))
	owner := w.worker(t)
	c := w.claim(t, owner, ids[0])
	w.dispatched(t)
	for _, id := range ids[1:] {
		require.Equal(t, parked, w.ask(t, owner, id).Verdict)
	}
	for _, id := range ids[1:] {
		settled := w.ends(t, c, w.instant())
		require.True(t, settled.Released, "the dispatcher is to hear of it")
		require.Equal(t, []string{id}, w.dispatched(t), "the first, and no other")
		c = w.claim(t, owner, id)
	}
	require.False(t, w.ends(t, c, w.instant()).Released)
}

func lineIsForTooManyInFlight(t *testing.T, w *world) {
	w.quiet(t)
	const more = 3
	app := w.application(t)
	full, other := w.subscription(t, app), w.subscription(t, app)
	ids := w.fireMany(t, store.FlightsPerSubscription+more, app, full)
	owner := w.worker(t)
	w.dispatched(t)
	var mu sync.Mutex
	var claims []*models.Claim
	errs := make([]error, len(ids))
	atOnce(len(ids), func(i int) {
		gates, err := w.Claim(t.Context(), owner, ids[i:i+1])
		mu.Lock()
		defer mu.Unlock()
		if errs[i] = err; err == nil && gates[0].Verdict == granted {
			claims = append(claims, gates[0].Claim)
		}
	})
	require.NoError(t, errors.Join(errs...))
	require.Equal(t, store.FlightsPerSubscription, len(claims), "no more, however many ask at once") //nolint:testifylint // Len would print all of them
	require.Equal(t, granted, w.ask(t, owner, w.fire(t, app, other)).Verdict, "another subscription")
	waiting := w.inLine(t, full.ID)
	require.Equal(t, more, waiting)

	for range more {
		w.end(t, claims[0], w.instant())
		claims = claims[1:]
		w.clock.Advance(time.Second)
		require.NoError(t, w.RenewWorker(t.Context(), owner))
		next := w.take(t, 1)
		require.Len(t, next, 1)
		gate := w.ask(t, owner, next[0])
		require.Equal(t, granted, gate.Verdict)
		claims = append(claims, gate.Claim)
	}
	require.Zero(t, w.inLine(t, full.ID))

	w.fireMany(t, 2, app, full)
	theirs := w.fire(t, app, other)
	require.Equal(t, []string{theirs}, w.dispatched(t), "the dispatcher does not ask in vain")
	require.Equal(t, 2, w.inLine(t, full.ID))
}

func lineLetsNobodyWait(t *testing.T, w *world) {
	w.quiet(t)
	app := w.application(t)
	sub := w.subscription(t, app)
	ids := w.fireMany(t, 100, app, sub, inFlight(5))
	owner := w.worker(t)
	w.dispatched(t)
	errs := make([]error, len(ids))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		atOnce(len(ids), func(i int) { _, errs[i] = w.Claim(t.Context(), owner, ids[i:i+1]) })
	}()
	for open := true; open; {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		require.NoError(t, w.Ping(ctx), "another finds a connection meanwhile")
		cancel()
		select {
		case <-ended:
			open = false
		default:
		}
	}
	require.NoError(t, errors.Join(errs...))
	require.Equal(t, 95, w.inLine(t, sub.ID))
}

func lineIsGivenToParked(t *testing.T, w *world) {
	w.quiet(t)
	app := w.application(t)
	sub := w.subscription(t, app, func(s *models.Subscription) { s.Enabled = false })
	ids := w.fireMany(t, 100, app, sub)
	owner := w.worker(t)
	w.dispatched(t)
	w.verdicts(t, owner, ids...)
	w.update(t, sub, func(s *models.Subscription) { s.Enabled = true })
	p := w.player(t)
	p.turn(t)
	for range 20 {
		before := len(p.sent)
		p.play(t, 1)
		require.LessOrEqual(t, len(p.sent)-before, 6, "fifty a second")
	}
	require.Equal(t, []int{100, 100}, []int{len(p.sent), p.dispatched})
}

// inLine counts those that wait in a subscription's line.
func (w *world) inLine(t *testing.T, subscriptionID string) int {
	t.Helper()
	return w.count(t, "SELECT COUNT(*) FROM invocations WHERE dispatch_after = slot AND subscription_id = ?", subscriptionID)
}

// fails makes so many attempts of other invocations fail, which takes no time.
func (w *world) fails(t *testing.T, app *models.Application, sub *models.Subscription, n int) {
	t.Helper()
	owner := w.worker(t)
	for _, id := range w.fireMany(t, n, app, sub) {
		r := w.instant()
		r.Outcome, r.Error = models.AttemptFailed, &models.AttemptError{Code: models.AttemptConnect, Message: "refused"}
		w.end(t, w.claim(t, owner, id), r)
	}
}

// failingSubscription makes a failing subscription with nothing in flight.
func (w *world) failingSubscription(t *testing.T) (*models.Application, *models.Subscription) {
	t.Helper()
	w.quiet(t)
	app := w.application(t)
	sub := w.subscription(t, app)
	w.fails(t, app, sub, models.FailingAfterAttempts)
	require.Equal(t, models.SubscriptionFailing, w.find(t, sub.ID).Status())
	return app, sub
}

// failingCases are those of a subscription that fails lately.
func failingCases() []group {
	return []group{
		{"gets four first attempts at a time", failingGetsFour},
		{"gets fewer where its own limit is lower", failingGetsFewer},
		{"gets retries that are due, and every test", failingGetsRetriesAndTests},
		{"gets so many retries at a time and no more, where they hang", failingGetsBoundedRetries},
		{"gets the head of its queue", failingGetsHeadOfQueue},
		{"comes back by a success, and what waited at a bounded rate", failingComesBack},
	}
}

func failingGetsFour(t *testing.T, w *world) {
	app, sub := w.failingSubscription(t)
	ids := w.fireMany(t, 6, app, sub)
	owner := w.worker(t)
	want := []models.Verdict{granted, granted, granted, granted, parked, parked}
	require.Equal(t, want, w.verdicts(t, owner, ids...))
	require.Equal(t, new(w.in(500*time.Millisecond)), w.invocation(t, ids[5]).DispatchAfter)
	require.Equal(t, parked, w.ask(t, owner, w.fire(t, app, sub)).Verdict, "in another round")
	other := w.subscription(t, app)
	require.Equal(t, granted, w.ask(t, owner, w.fire(t, app, other)).Verdict, "another subscription")
}

func failingGetsFewer(t *testing.T, w *world) {
	app, sub := w.failingSubscription(t)
	ids := w.fireMany(t, 3, app, sub, inFlight(2))
	require.Equal(t, []models.Verdict{granted, granted, parked}, w.verdicts(t, w.worker(t), ids...))
}

func failingGetsRetriesAndTests(t *testing.T, w *world) {
	w.quiet(t)
	app := w.application(t)
	sub := w.subscription(t, app)
	w.fails(t, app, sub, models.FailingAfterAttempts)
	w.clock.Advance(time.Hour)
	w.exec(t, "UPDATE invocations SET dispatch_after = next_attempt_at WHERE subscription_id = ?"+
		" AND status = 'retrying'", sub.ID)
	retries := w.take(t, 1000)
	require.Len(t, retries, models.FailingAfterAttempts)
	owner := w.worker(t)
	for _, verdict := range w.verdicts(t, owner, retries...) {
		require.Equal(t, granted, verdict)
	}
	require.Equal(t, parked, w.ask(t, owner, w.fire(t, app, sub)).Verdict)
	now := w.now()
	stored := spec(t)
	test := &models.Invocation{
		ID: models.NewID(), ApplicationID: app.ID, SubscriptionID: sub.ID, EventType: "test", URL: sub.URL,
		Status: models.StatusPending, SpecDigest: stored.Digest, NextAttemptAt: &now, CreatedAt: now, UpdatedAt: now,
	}
	require.NoError(t, w.CreateTest(t.Context(), test, stored))
	require.Equal(t, granted, w.ask(t, owner, test.ID).Verdict)
}

func failingGetsBoundedRetries(t *testing.T, w *world) {
	const most, failed = 32, 40
	w.quiet(t)
	app := w.application(t)
	sub := w.subscription(t, app)
	w.fails(t, app, sub, failed)
	w.clock.Advance(time.Hour)
	w.exec(t, "UPDATE invocations SET dispatch_after = next_attempt_at WHERE subscription_id = ?"+
		" AND status = 'retrying'", sub.ID)
	retries := w.take(t, 1000)
	require.Len(t, retries, most, "the rest go to the line")
	owner := w.worker(t)
	claims := make([]*models.Claim, 0, failed)
	for _, id := range retries {
		claims = append(claims, w.claim(t, owner, id))
	}
	w.clock.Advance(time.Minute) // and no longer: what hangs is alive
	require.NoError(t, w.RenewWorker(t.Context(), owner))
	require.Empty(t, w.dispatched(t))
	for _, c := range claims[:failed-most] {
		r := w.instant()
		r.Outcome, r.Error = models.AttemptFailed, &models.AttemptError{Code: models.AttemptTimeout, Message: "no answer"}
		w.end(t, c, r)
	}
	w.clock.Advance(30 * time.Second)
	require.NoError(t, w.RenewWorker(t.Context(), owner))
	late := w.dispatched(t)
	require.Len(t, late, failed-most, "late, and not skipped")
	for _, verdict := range w.verdicts(t, owner, late...) {
		require.Equal(t, granted, verdict)
	}
}

func failingGetsHeadOfQueue(t *testing.T, w *world) {
	l := w.line(t, fifoByEntity())
	w.exec(t, "UPDATE subscriptions SET failing = (1 = 1) WHERE id = ?", l.sub.ID)
	for _, entity := range []string{"a", "b", "c", "d", "e", "f"} {
		require.Equal(t, granted, w.ask(t, l.owner, l.put(t, about(entity, 0))).Verdict)
	}
}

func failingComesBack(t *testing.T, w *world) {
	const backlog = 600
	app, sub := w.failingSubscription(t)
	owner := w.worker(t)
	first := w.fireMany(t, 4, app, sub)
	claims := make([]*models.Claim, len(first))
	for i, id := range first {
		claims[i] = w.claim(t, owner, id)
	}
	w.fireMany(t, backlog, app, sub)
	p := w.player(t)
	p.turn(t)
	require.NoError(t, w.RenewWorker(t.Context(), owner))
	p.play(t, 20)
	require.Empty(t, p.sent)
	require.Zero(t, p.dispatched, "nobody has to ask in vain")
	require.Equal(t, backlog, w.inLine(t, sub.ID))

	require.NoError(t, w.RenewWorker(t.Context(), owner))
	for _, c := range claims {
		w.end(t, c, w.instant())
	}
	require.Equal(t, models.SubscriptionActive, w.find(t, sub.ID).Status())
	p.dispatched = 0
	for range 130 {
		before := len(p.sent)
		p.play(t, 1)
		require.LessOrEqual(t, len(p.sent)-before, 6, "fifty a second")
	}
	require.Equal(t, backlog, len(p.sent)) //nolint:testifylint // Len would print all of them
	require.Equal(t, backlog, p.dispatched, "each once")
}
