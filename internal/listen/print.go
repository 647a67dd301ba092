package listen

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/posthorn/posthorn/internal/show"
)

// verdict is what was found out about a request.
type verdict string

const (
	verified   verdict = "verified"
	wrong      verdict = "wrong"        // it proves to be somebody else's
	unverified verdict = "not verified" // there is nothing to verify it by
	handshake  verdict = "handshake"    // the URL was verified, nothing delivered
	ignored    verdict = "ignored"      // no delivery, or none that could be read
)

// delivery is one request as it is printed.
type delivery struct {
	At      time.Time
	Method  string
	Path    string
	Headers []header
	Body    []byte
	Verdict verdict
	Reason  string
	Status  int
}

type header struct{ name, value string }

// dull are headers that say nothing of a delivery.
func dull() []string {
	return []string{"Accept-Encoding", "Connection", "Content-Length", "Content-Type", "User-Agent"}
}

// interesting are the headers to show, by name; those that are credentials without their values.
func (l *listener) interesting(all http.Header) (list []header) {
	for name, values := range all {
		if slices.Contains(dull(), name) {
			continue
		}
		value := strings.Join(values, ", ")
		for secret := range l.Verifier.Headers {
			if http.CanonicalHeaderKey(secret) == name {
				value = "***"
			}
		}
		list = append(list, header{strings.ToLower(name), value})
	}
	slices.SortFunc(list, func(a, b header) int { return strings.Compare(a.name, b.name) })
	return list
}

// block is the request for people.
func (d delivery) block() []byte {
	var out bytes.Buffer
	fmt.Fprintf(&out, "%s  %s %s  %s  → %d\n",
		d.At.Format("15:04:05.000"), clean(d.Method), clean(d.Path), d.judgement(), d.Status)
	for _, h := range d.Headers {
		fmt.Fprintf(&out, "    %-18s %s\n", clean(h.name), clean(h.value))
	}
	if len(d.Body) > 0 {
		for line := range strings.SplitSeq(d.readable(), "\n") {
			fmt.Fprintf(&out, "    %s\n", clean(line))
		}
	}
	return append(out.Bytes(), '\n')
}

func (d delivery) judgement() string {
	switch {
	case d.Verdict == wrong:
		return "WRONG: " + d.Reason
	case d.Reason != "":
		return string(d.Verdict) + ": " + d.Reason
	default:
		return string(d.Verdict)
	}
}

// readable is the body, indented where it is JSON, and cut where it is long; a JSON line has it all.
func (d delivery) readable() string {
	text, left := show.Body(d.Body)
	if left > 0 {
		return fmt.Sprintf("%s\n… and %d bytes more", text, left)
	}
	return text
}

// clean makes a stranger's text harmless to a terminal: what is not printable is shown as its code.
func clean(text string) string {
	var out strings.Builder
	for len(text) > 0 {
		r, size := utf8.DecodeRuneInString(text)
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&out, `\x%02x`, text[0])
		case unicode.IsPrint(r):
			out.WriteRune(r)
		default:
			fmt.Fprintf(&out, `\u%04x`, r)
		}
		text = text[size:]
	}
	return out.String()
}

// line is the request for programs, its body whole: as text, or in base64 where it is none.
func (d delivery) line() []byte {
	line := struct {
		At      string            `json:"at"`
		Method  string            `json:"method"`
		Path    string            `json:"path"`
		Headers map[string]string `json:"headers"`
		Verdict verdict           `json:"verdict"`
		Reason  string            `json:"reason,omitempty"`
		Status  int               `json:"status"`
		Body    string            `json:"body"`
		Base64  string            `json:"body_base64,omitempty"`
	}{
		At: d.At.UTC().Format(time.RFC3339Nano), Method: d.Method, Path: d.Path, Headers: map[string]string{},
		Verdict: d.Verdict, Reason: d.Reason, Status: d.Status, Body: string(d.Body),
	}
	for _, h := range d.Headers {
		line.Headers[h.name] = h.value
	}
	if !utf8.Valid(d.Body) {
		line.Body, line.Base64 = "", base64.StdEncoding.EncodeToString(d.Body)
	}
	text, err := json.Marshal(line)
	if err != nil {
		return nil // nothing in it cannot be encoded
	}
	return append(text, '\n')
}
