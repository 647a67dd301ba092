package models_test

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/posthorn/posthorn/models"
)

func delays() *rapid.Generator[models.Duration] {
	return rapid.Map(rapid.Int64Range(int64(models.MinRetryDelay), int64(models.MaxRetryDelay)),
		func(n int64) models.Duration { return models.Duration(n) })
}

// policies draws any valid policy.
func policies() *rapid.Generator[models.RetryPolicy] {
	return rapid.Custom(func(t *rapid.T) models.RetryPolicy {
		p := models.RetryPolicy{
			Kind: rapid.SampledFrom([]models.RetryKind{
				models.RetryFixed, models.RetryExponential, models.RetryPolynomial, models.RetrySchedule,
			}).Draw(t, "kind"),
			Jitter:      rapid.Float64Range(0, 1).Draw(t, "jitter"),
			MaxAttempts: rapid.IntRange(0, 200).Draw(t, "attempts"),
			MaxAge:      models.Duration(rapid.Int64Range(0, int64(models.MaxRetryDelay)).Draw(t, "age")),
		}
		if rapid.Bool().Draw(t, "capped") {
			p.MaxInterval = delays().Draw(t, "cap")
		}
		switch p.Kind {
		case models.RetryFixed:
			p.Interval = delays().Draw(t, "interval")
		case models.RetryExponential:
			p.Initial, p.Factor = delays().Draw(t, "initial"), rapid.Float64Range(1, 100).Draw(t, "factor")
		case models.RetryPolynomial:
			p.Initial, p.Degree = delays().Draw(t, "initial"), rapid.Float64Range(0.001, 10).Draw(t, "degree")
		case models.RetrySchedule:
			p.Delays = rapid.SliceOfN(delays(), 1, 20).Draw(t, "delays")
		}
		return p
	})
}

func TestDelaysAreBounded(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		p, n := policies().Draw(t, "policy"), rapid.IntRange(1, 100_000).Draw(t, "n")
		require.NoError(t, p.Validate())
		delay, ok := p.Delay(n)
		if !ok {
			return
		}
		limit := models.MaxRetryDelay
		if p.MaxInterval > 0 {
			limit = p.MaxInterval.Std()
		}
		require.GreaterOrEqual(t, delay, models.MinRetryDelay)
		require.LessOrEqual(t, delay, limit)
		if p.Kind == models.RetrySchedule {
			return
		}
		if after, more := p.Delay(n + 1); more {
			require.GreaterOrEqual(t, after, delay, "delays never shrink")
		}
	})
}

func TestJitterOnlyAddsAndIsDeterministic(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	rapid.Check(t, func(t *rapid.T) {
		p := policies().Draw(t, "policy")
		n, seed := rapid.IntRange(1, 200).Draw(t, "n"), rapid.String().Draw(t, "seed")
		next, ok := p.Next(n, start, start, seed)
		again, okAgain := p.Next(n, start, start, seed)
		require.Equal(t, ok, okAgain)
		require.Equal(t, next, again)
		if !ok {
			return
		}
		delay, _ := p.Delay(n)
		got := next.Sub(start)
		require.GreaterOrEqual(t, got, delay)
		require.LessOrEqual(t, float64(got), float64(delay)*(1+p.Jitter)+1)
		if p.MaxInterval > 0 {
			require.LessOrEqual(t, got, p.MaxInterval.Std(), "jitter does not pass the cap")
		}
		if p.MaxAge > 0 {
			require.LessOrEqual(t, got, p.MaxAge.Std())
		}
	})
}

func TestJitterSpreadsInvocationsAndAttempts(t *testing.T) {
	t.Parallel()
	p := models.RetryPolicy{Kind: models.RetryFixed, Interval: d("1h"), Jitter: 1}
	start := time.Unix(0, 0)
	const draws = 2000
	sum, seen := 0.0, map[time.Time]bool{}
	for i := range draws {
		next, _ := p.Next(1+i%2, start, start, fmt.Sprintf("invocation-%d", i/2))
		sum += float64(next.Sub(start)-time.Hour) / float64(time.Hour)
		seen[next] = true
	}
	require.Len(t, seen, draws, "no two invocations or attempts share a moment")
	require.InDelta(t, 0.5, sum/draws, 5/math.Sqrt(12*draws))
}

func TestPreviewAgreesWithNext(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		p := policies().Draw(t, "policy")
		p.MaxAttempts = rapid.IntRange(1, 900).Draw(t, "limit")
		plain := p
		plain.Jitter = 0
		attempts, total := run(plain, 1000)
		preview := p.Preview()
		require.Equal(t, attempts, *preview.Attempts)
		require.Equal(t, models.Duration(total), *preview.Total)
		require.Len(t, preview.Delays, min(attempts-1, models.PreviewLength))
	})
}
