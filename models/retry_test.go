package models_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/models"
)

func d(s string) models.Duration {
	parsed, err := time.ParseDuration(s)
	if err != nil {
		panic(err)
	}
	return models.Duration(parsed)
}

// The policies of the built-in profiles.
func alviere() models.RetryPolicy {
	return models.RetryPolicy{Kind: models.RetryPolynomial, Initial: d("20ms"), Degree: 2, MaxInterval: d("2m")}
}

func bridge() models.RetryPolicy {
	return models.RetryPolicy{
		Kind: models.RetryExponential, Initial: d("60s"), Factor: 2, MaxAttempts: 12, MaxAge: d("48h"),
	}
}

func aria() models.RetryPolicy {
	return models.RetryPolicy{Kind: models.RetryExponential, Initial: d("10s"), Factor: 2, MaxInterval: d("1h")}
}

func thredd() models.RetryPolicy {
	return models.RetryPolicy{
		Kind: models.RetryExponential, Initial: d("60s"), Factor: 2, MaxInterval: d("1h"), MaxAttempts: 10,
		MaxAge: d("24h"),
	}
}

func viva() models.RetryPolicy {
	return models.RetryPolicy{Kind: models.RetryFixed, Interval: d("1h"), MaxAttempts: 73}
}

func standard() models.RetryPolicy {
	return models.RetryPolicy{
		Kind: models.RetrySchedule, Jitter: 0.1,
		Delays: []models.Duration{
			d("5s"), d("5m"), d("30m"), d("2h"), d("5h"), d("10h"), d("14h"), d("20h"), d("24h"),
		},
	}
}

// run makes attempts that fail at once until the policy is used up, at most limit.
func run(p models.RetryPolicy, limit int) (attempts int, last time.Duration) {
	start := time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC)
	at := start
	for n := 1; n <= limit; n++ {
		next, ok := p.Next(n, start, at, "seed")
		if !ok {
			return n, at.Sub(start)
		}
		at = next
	}
	return limit, at.Sub(start)
}

func TestALV21_22_PolynomialFrom20msToTwoMinutes(t *testing.T) {
	t.Parallel()
	p := alviere()
	for n := 1; n <= 200; n++ {
		delay, ok := p.Delay(n)
		require.True(t, ok)
		want := min(120*time.Second, time.Duration(n*n)*20*time.Millisecond)
		require.Equal(t, want, delay, "retry %d", n)
	}
	before, _ := p.Delay(77)
	at, _ := p.Delay(78)
	require.Less(t, before, 2*time.Minute, "the cap is not reached before retry 78")
	require.Equal(t, 2*time.Minute, at)
}

func TestALV23_NeverGivesUp(t *testing.T) {
	t.Parallel()
	attempts, _ := run(alviere(), 5000)
	require.Equal(t, 5000, attempts)
	attempts, _ = run(aria(), 5000)
	require.Equal(t, 5000, attempts)
}

func TestPoliciesToTheirEnd(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		policy   models.RetryPolicy
		attempts int
		last     time.Duration
	}{
		"BRI-20 bridge":          {bridge(), 12, 34*time.Hour + 7*time.Minute},
		"VIV-25 viva":            {viva(), 73, 72 * time.Hour},
		"thredd":                 {thredd(), 10, 63*time.Minute + 3*time.Hour},
		"one attempt":            {models.RetryPolicy{Kind: models.RetryFixed, Interval: d("1s"), MaxAttempts: 1}, 1, 0},
		"max_age, inclusive":     {models.RetryPolicy{Kind: models.RetryFixed, Interval: d("1h"), MaxAge: d("3h")}, 4, 3 * time.Hour},
		"max_age between two":    {models.RetryPolicy{Kind: models.RetryFixed, Interval: d("1h"), MaxAge: d("2h59m")}, 3, 2 * time.Hour},
		"schedule and attempts":  {models.RetryPolicy{Kind: models.RetrySchedule, Delays: []models.Duration{d("1s"), d("1m")}, MaxAttempts: 2}, 2, time.Second},
		"schedule under its cap": {models.RetryPolicy{Kind: models.RetrySchedule, Delays: []models.Duration{d("1s"), d("1h")}, MaxInterval: d("1m")}, 3, 61 * time.Second},
		"degree 0 is fixed":      {models.RetryPolicy{Kind: models.RetryPolynomial, Initial: d("1s"), MaxAttempts: 4}, 4, 3 * time.Second},
		"unknown kind":           {models.RetryPolicy{Kind: "linear", Interval: d("1s")}, 1, 0},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			attempts, last := run(c.policy, 1000)
			require.Equal(t, c.attempts, attempts)
			require.Equal(t, c.last, last)
		})
	}
}

func TestStandardScheduleMakesTenAttempts(t *testing.T) {
	t.Parallel()
	plain := 75*time.Hour + 35*time.Minute + 5*time.Second
	attempts, last := run(standard(), 1000)
	require.Equal(t, 10, attempts)
	require.GreaterOrEqual(t, last, plain)
	require.LessOrEqual(t, last, plain+plain/10)
}

func TestNextCountsFromTheEndOfTheAttempt(t *testing.T) {
	t.Parallel()
	first := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	finished := first.Add(7 * time.Second)
	next, ok := viva().Next(1, first, finished, "x")
	require.True(t, ok)
	require.Equal(t, finished.Add(time.Hour), next)
}

func TestDelayRefusesWhatIsNoRetry(t *testing.T) {
	t.Parallel()
	for _, n := range []int{-1, 0} {
		_, ok := viva().Delay(n)
		require.False(t, ok)
	}
}

func TestHugeDelaysStayAtTheBound(t *testing.T) {
	t.Parallel()
	p := models.RetryPolicy{Kind: models.RetryExponential, Initial: d("168h"), Factor: 100}
	for _, n := range []int{1, 2, 500, 1_000_000} {
		delay, ok := p.Delay(n)
		require.True(t, ok)
		require.Equal(t, models.MaxRetryDelay, delay)
	}
}
