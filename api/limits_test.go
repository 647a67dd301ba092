package api

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/models"
)

// limitedWorld is a world whose limits a test sets once it has made what it needs.
func limitedWorld(t *testing.T, perKey, perApplication float64) (*world, *clock) {
	t.Helper()
	time0 := &clock{now: time.Now()}
	w := newWorldWith(t, time0.Now, func(d *Dependencies) {
		d.RateLimitKey, d.RateLimitApplication = perKey, perApplication
	})
	return w, time0
}

// rush asks until it is refused, and returns how many answers there were before and after how long to come again.
func (w *world) rush(key string) (answered int, retryAfter string) {
	w.t.Helper()
	for range 100 {
		out := w.do(key, "GET", anywhere, "")
		if out.status == 429 {
			out.problem(429, models.CodeRateLimited)
			return answered, out.header.Get("Retry-After")
		}
		out.is(200)
		answered++
	}
	return answered, ""
}

func TestNobodyIsLimitedUnlessItIsSet(t *testing.T) {
	t.Parallel()
	w, _ := limitedWorld(t, 0, 0)
	answered, _ := w.rush(operatorKey)
	require.Equal(t, 100, answered)
}

func TestEachKeyHasItsRate(t *testing.T) {
	t.Parallel()
	w, time0 := limitedWorld(t, 3, 0)
	app := w.application("standard", "")
	one, other := w.key(app, "member"), w.key(app, "member") // with the application, three requests of the operator
	w.op("GET", anywhere, "").problem(429, models.CodeRateLimited)
	for _, key := range []string{one, other} {
		answered, retryAfter := w.rush(key)
		require.Equal(t, []any{3, "1"}, []any{answered, retryAfter})
	}
	w.do("", "GET", "/healthz", "").is(200)
	w.do("", "GET", anywhere, "").problem(401, models.CodeUnauthenticated)
	time0.advance(time.Second / 3)
	answered, _ := w.rush(one)
	require.Equal(t, 1, answered, "a refused request takes nothing")
	time0.advance(time.Hour)
	answered, _ = w.rush(one)
	require.Equal(t, 3, answered, "no more than a second's worth is saved up")
	require.Equal(t, 1, strings.Count(w.log.String(), "\n"), "only the missing credentials")
}

func TestEachApplicationHasItsRateWhateverTheKey(t *testing.T) {
	t.Parallel()
	w, time0 := limitedWorld(t, 0, 0.5)
	later := func() { time0.advance(time.Minute) }
	one, other := w.application("standard", ""), w.application("standard", "")
	member := w.key(one, "member")
	later()
	sub := w.subscription(one, anyType)
	w.do(member, "GET", "/v1/subscriptions/"+sub, "").problem(429, models.CodeRateLimited)
	w.do(member, "GET", anywhere, "").problem(429, models.CodeRateLimited)
	w.do(member, "GET", "/v1/subscriptions/"+models.NewID(), "").problem(429, models.CodeRateLimited)
	refused := w.op("POST", "/v1/applications/"+one+"/events", `{"type":"a","payload":1}`)
	refused.problem(429, models.CodeRateLimited)
	require.Equal(t, "2", refused.header.Get("Retry-After"))
	w.do("", "GET", "/webhooks/v1/messages", "", "Authorization", basicOf(one, member)).problem(429, models.CodeRateLimited)
	w.op("GET", "/v1/applications/"+other, "").is(200)
	for range 5 { // of no application
		w.op("GET", "/v1/applications", "").is(200)
		w.op("GET", "/v1/subscriptions/"+models.NewID(), "").problem(404, models.CodeNotFound)
	}
	time0.advance(2 * time.Second)
	w.do(member, "GET", "/v1/subscriptions/"+sub, "").is(200)
	later()
	w.do(w.key(other, "admin"), "GET", "/v1/subscriptions/"+sub, "").problem(429, models.CodeRateLimited)
	w.do(member, "GET", "/v1/subscriptions/"+sub, "").is(200) // another's 404s are not this one's
}

func TestLimitersAreBounded(t *testing.T) {
	t.Parallel()
	const most = 100
	l, now := newLimits(2, most), time.Now()
	for i := range 10 * most {
		require.NoError(t, l.take(fmt.Sprint(i), now))
		require.LessOrEqual(t, len(l.byID), most)
	}
	now = now.Add(time.Second) // all are idle
	require.NoError(t, l.take("x", now))
	require.NoError(t, l.take("x", now))
	require.Error(t, l.take("x", now))
	for i := range most {
		require.NoError(t, l.take(fmt.Sprint("y", i), now))
	}
	idle := newLimits(2, most)
	require.NoError(t, idle.take("busy", now))
	for i := range most - 1 {
		require.NoError(t, idle.take(fmt.Sprint(i), now.Add(-time.Hour)))
	}
	require.NoError(t, idle.take("one more", now))
	require.Len(t, idle.byID, 2, "those that are idle go first")
	require.Contains(t, idle.byID, "busy")
}
