package delivery

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// retryAfter reads a receiver's Retry-After (RFC 9110 10.2.3): whole seconds or an HTTP date. It returns how long to
// wait from now, at most limit. Zero means that nothing usable was said: no header or two, fractions, signs, words,
// a date that has passed.
func retryAfter(values []string, now time.Time, limit time.Duration) time.Duration {
	if len(values) != 1 || limit <= 0 {
		return 0
	}
	value := strings.TrimSpace(values[0])
	if value == "" {
		return 0
	}
	if strings.Trim(value, "0123456789") == "" {
		seconds, err := strconv.ParseInt(value, 10, 64)
		if err != nil || seconds > int64(limit/time.Second) { // out of range or not: longer than the limit
			return limit
		}
		return time.Duration(seconds) * time.Second
	}
	date, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	return min(max(date.Sub(now), 0), limit)
}
