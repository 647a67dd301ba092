package delivery

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestF36_RetryAfter(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 21, 19, 17, 0, 0, time.UTC)
	day := 24 * time.Hour
	cases := []struct {
		values []string
		limit  time.Duration
		want   time.Duration
	}{
		{nil, day, 0},
		{[]string{"120"}, day, 2 * time.Minute},
		{[]string{" 120 "}, day, 2 * time.Minute},
		{[]string{"0"}, day, 0},
		{[]string{"007"}, day, 7 * time.Second},
		{[]string{"86400"}, day, day},
		{[]string{"86401"}, day, day},
		{[]string{"315360000"}, day, day},            // 10 years
		{[]string{"9223372036854775808"}, day, day},  // out of int64
		{[]string{"99999999999999999999"}, day, day}, // seconds that overflow a Duration
		{[]string{"9300000000"}, day, day},
		{[]string{"Sat, 21 Nov 2026 20:17:00 GMT"}, day, time.Hour},
		{[]string{"Saturday, 21-Nov-26 20:17:00 GMT"}, day, time.Hour},
		{[]string{"Sat Nov 21 20:17:00 2026"}, day, time.Hour},
		{[]string{"Sat, 21 Nov 2026 18:17:00 GMT"}, day, 0},
		{[]string{"Sat, 21 Nov 2099 18:17:00 GMT"}, day, day},
		{[]string{"Thu, 01 Jan 9999 00:00:00 GMT"}, day, day}, // beyond a Duration's 292 years
		{[]string{""}, day, 0},
		{[]string{"  "}, day, 0},
		{[]string{"-1"}, day, 0},
		{[]string{"+1"}, day, 0},
		{[]string{"120.5"}, day, 0},
		{[]string{"1e300"}, day, 0},
		{[]string{"inf"}, day, 0},
		{[]string{"NaN"}, day, 0},
		{[]string{"0x10"}, day, 0},
		{[]string{"١٢"}, day, 0},
		{[]string{"120, 120"}, day, 0},
		{[]string{"120", "120"}, day, 0},
		{[]string{"tomorrow"}, day, 0},
		{[]string{"120"}, 0, 0}, // the profile ignores it
		{[]string{"2"}, 1500 * time.Millisecond, 1500 * time.Millisecond},
	}
	for _, c := range cases {
		require.Equal(t, c.want, retryAfter(c.values, now, c.limit), "%q", c.values)
	}
}

func FuzzRetryAfter(f *testing.F) {
	for _, seed := range []string{"120", "-1", "1e300", "NaN", "Sat, 21 Nov 2026 20:17:00 GMT", "99999999999999999999"} {
		f.Add(seed, int64(time.Hour))
	}
	now := time.Date(2026, 11, 21, 19, 17, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, value string, limit int64) {
		got := retryAfter(http.Header{"Retry-After": {value}}["Retry-After"], now, time.Duration(limit))
		require.GreaterOrEqual(t, got, time.Duration(0))
		require.LessOrEqual(t, got, max(time.Duration(limit), 0))
	})
}
