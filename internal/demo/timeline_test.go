package demo

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestTimelineLines(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 21, 19, 17, 0, int(45*time.Millisecond), time.Local)
	for name, c := range map[string]struct {
		fact fact
		want string
	}{
		"published": {
			fact{at: at, what: published, profile: "viva", eventType: "transaction.created", detail: "202 Accepted, for 1 subscription"},
			"19:17:00.045 published viva transaction.created 202 Accepted, for 1 subscription",
		},
		"failed, to be retried": {
			fact{
				at: at, what: failed, profile: "standard", eventType: "order.paid", subscription: "shop", attempt: 2,
				detail: "timeout: no answer in 1s", next: 1500 * time.Millisecond, retries: true,
			},
			"19:17:00.045 failed standard order.paid → shop attempt 2 timeout: no answer in 1s next retry in 1.5s",
		},
		"failed for the last time": {
			fact{at: at, what: failed, profile: "viva", eventType: "x", subscription: "y", attempt: 3, detail: "500 Internal Server Error"},
			"19:17:00.045 failed viva x → y attempt 3 500 Internal Server Error",
		},
		"delivered": {
			fact{
				at: at, what: delivered, profile: "viva", eventType: "x", subscription: "y", attempt: 1, detail: "200 OK",
				after: 12345678 * time.Nanosecond,
			},
			"19:17:00.045 delivered viva x → y attempt 1 200 OK 12ms after publishing",
		},
		"ended": {
			fact{at: at, what: ended, profile: "viva", eventType: "x", subscription: "y", detail: "failed "},
			"19:17:00.045 ended viva x → y failed",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			line := timeline{}.line(c.fact)
			require.Equal(t, c.want, regexp.MustCompile(` +`).ReplaceAllString(line, " "))
			require.NotContains(t, line, "\x1b")
			require.Equal(t, strings.TrimRight(line, " "), line)
		})
	}
}

func TestColourChangesNoColumn(t *testing.T) {
	t.Parallel()
	escape := regexp.MustCompile(`\x1b\[\d+m`)
	for w := published; w <= ended; w++ {
		f := fact{what: w, profile: "viva", eventType: "x", detail: "y"}
		painted := timeline{colour: true}.line(f)
		require.Contains(t, painted, "\x1b[")
		require.Equal(t, timeline{}.line(f), escape.ReplaceAllString(painted, ""))
	}
}

func TestResultOfAnAttempt(t *testing.T) {
	t.Parallel()
	unavailable, empty := 503, 204
	require.Equal(t, "503 Service Unavailable", result(attempt{StatusCode: &unavailable, Error: &fault{Code: "status"}}))
	require.Equal(t, "204 No Content, no success here", result(attempt{StatusCode: &empty, Outcome: "failed"}))
	require.Equal(t, "connect: refused", result(attempt{Error: &fault{Code: "connect", Message: "refused"}}))
	require.Equal(t, "no answer", result(attempt{}))
	long := result(attempt{Error: &fault{Code: "dns", Message: strings.Repeat("η", 200)}})
	require.Len(t, []rune(long), longestResult)
}

func TestPlural(t *testing.T) {
	t.Parallel()
	require.Equal(t, "1 event, 2 events, 1 retry, 0 retries",
		plural(1, "event")+", "+plural(2, "event")+", "+plural(1, "retry")+", "+plural(0, "retry"))
}
