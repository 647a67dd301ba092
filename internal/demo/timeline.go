package demo

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// what happened.
type what int

const (
	published what = iota
	waiting        // for those before it in a queue
	failed         // one attempt
	delivered
	ended // without being delivered
)

// fact is one line of the timeline.
type fact struct {
	at           time.Time
	what         what
	profile      string
	eventType    string
	subscription string // "" = the event as a whole
	attempt      int    // 0 = none
	detail       string
	// after is the time from publishing to delivery.
	after time.Duration
	// next is the time to the next retry, where retries is set.
	next    time.Duration
	retries bool
}

// timeline writes facts as lines.
type timeline struct {
	out    io.Writer
	colour bool
}

// say writes a line of its own.
func (t timeline) say(format string, args ...any) {
	_, _ = fmt.Fprintf(t.out, format+"\n", args...)
}

func (t timeline) show(f fact) {
	_, _ = fmt.Fprintln(t.out, t.line(f))
}

// line is the fact in columns: time, what, profile, event type, subscription, attempt, outcome, what follows.
func (t timeline) line(f fact) string {
	subscription, number := "", ""
	if f.subscription != "" {
		subscription = "→ " + f.subscription
	}
	if f.attempt > 0 {
		number = fmt.Sprintf("attempt %d", f.attempt)
	}
	text := fmt.Sprintf("%s  %s  %-8s  %-20s  %-11s  %-9s  %-33s  %s",
		f.at.Local().Format("15:04:05.000"), t.paint(f.what), f.profile, f.eventType, subscription, number,
		f.detail, f.follows())
	return strings.TrimRight(text, " ")
}

func (f fact) follows() string {
	switch {
	case f.what == delivered:
		return fmt.Sprintf("%v after publishing", round(f.after))
	case f.retries:
		return fmt.Sprintf("next retry in %v", round(f.next))
	default:
		return ""
	}
}

// paint names what happened, in colour on a terminal.
func (t timeline) paint(w what) string {
	name, code := "published", "36"
	switch w {
	case published:
	case waiting:
		name, code = "waiting", "35"
	case failed:
		name, code = "failed", "33"
	case delivered:
		name, code = "delivered", "32"
	case ended:
		name, code = "ended", "31"
	}
	name = fmt.Sprintf("%-9s", name)
	if !t.colour {
		return name
	}
	return "\x1b[" + code + "m" + name + "\x1b[0m"
}

// round leaves what a reader takes in: milliseconds, above 10 s tenths of a second.
func round(d time.Duration) time.Duration {
	if d > 10*time.Second {
		return d.Round(100 * time.Millisecond)
	}
	return d.Round(time.Millisecond)
}

// longestResult is the length of an attempt's result at most, in characters.
const longestResult = 60

// result is an attempt's status, or why there is none.
func result(a attempt) string {
	text := "no answer"
	switch {
	case a.StatusCode != nil:
		text = strings.TrimSpace(fmt.Sprintf("%d %s", *a.StatusCode, http.StatusText(*a.StatusCode)))
		if a.Outcome == "failed" && *a.StatusCode < http.StatusMultipleChoices {
			text += ", no success here"
		}
	case a.Error != nil:
		text = a.Error.Code + ": " + a.Error.Message
	}
	if letters := []rune(text); len(letters) > longestResult {
		text = string(letters[:longestResult-1]) + "…"
	}
	return text
}

func plural(n int, noun string) string {
	stem, endsInY := strings.CutSuffix(noun, "y")
	switch {
	case n == 1:
		return "1 " + noun
	case endsInY:
		return fmt.Sprintf("%d %sies", n, stem)
	default:
		return fmt.Sprintf("%d %ss", n, noun)
	}
}
