package dashboard

import (
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"strings"
	"time"

	"github.com/posthorn/posthorn/internal/show"
)

// functions are what templates call.
func functions() template.FuncMap {
	return template.FuncMap{
		"when": when, "took": took, "span": span, "pretty": pretty, "short": short, "reason": reasonText,
		"statusText": statusText, "words": words, "args": args, "lower": strings.ToLower,
	}
}

// when shows a time of the API to the second, in UTC.
func when(given any) string {
	text, ok := given.(string)
	if pointer, isPointer := given.(*string); isPointer && pointer != nil {
		text, ok = *pointer, true
	}
	at, err := time.Parse(time.RFC3339, text)
	if !ok || err != nil {
		return "–"
	}
	return at.UTC().Format("2006-01-02 15:04:05")
}

// took shows milliseconds.
func took(given any) string {
	ms, ok := given.(int64)
	if pointer, isPointer := given.(*int64); isPointer {
		if pointer == nil {
			return "–"
		}
		ms, ok = *pointer, true
	}
	switch {
	case !ok:
		return "–"
	case ms < 1000:
		return fmt.Sprintf("%d ms", ms)
	case ms < 60_000:
		return fmt.Sprintf("%.1f s", float64(ms)/1000)
	default:
		return span((time.Duration(ms) * time.Millisecond).String())
	}
}

// span shows a duration of the API in its two largest units: 75h35m5s is 3 d 3 h.
func span(text string) string {
	d, err := time.ParseDuration(text)
	if err != nil {
		return text
	}
	if d < time.Second {
		return fmt.Sprintf("%d ms", d.Milliseconds())
	}
	units := []struct {
		name string
		size time.Duration
	}{{"d", 24 * time.Hour}, {"h", time.Hour}, {"min", time.Minute}, {"s", time.Second}}
	var parts []string
	for _, unit := range units {
		if n := d / unit.size; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, unit.name))
			d %= unit.size
		} else if len(parts) > 0 {
			break
		}
	}
	return strings.Join(parts[:min(len(parts), 2)], " ")
}

// shown is a body as a page has it: Text is all of it that is shown, All how many bytes it has; Cut: there are more.
type shown struct {
	Text string
	All  int
	Cut  bool
}

// pretty indents JSON that is small; what is none stays as it is, and of what is large there is the beginning.
func pretty(given any) shown {
	var body []byte
	switch v := given.(type) {
	case json.RawMessage:
		body = v
	case *string:
		if v != nil {
			body = []byte(*v)
		}
	}
	text, left := show.Body(body)
	return shown{Text: text, All: len(body), Cut: left > 0}
}

// short shows the end of an id, which tells neighbours apart: their beginnings are the time.
func short(id string) string { return "…" + id[max(0, len(id)-8):] }

// words makes a text of a machine word: subscription_deleted.
func words(text string) string { return strings.ReplaceAll(text, "_", " ") }

func reasonText(reason *string) string {
	if reason == nil {
		return ""
	}
	return words(*reason)
}

// statusText is an HTTP status with its name.
func statusText(code *int) string {
	if code == nil {
		return "no answer"
	}
	return strings.TrimSpace(fmt.Sprintf("%d %s", *code, http.StatusText(*code)))
}

// args gives a template several values under names.
func args(pairs ...any) map[string]any {
	named := make(map[string]any, len(pairs)/2)
	for i := 0; i+1 < len(pairs); i += 2 {
		if name, ok := pairs[i].(string); ok {
			named[name] = pairs[i+1]
		}
	}
	return named
}
