package egress

import (
	"bytes"
	"context"
	"net/http"
	"strings"
	"time"
)

// Header is one header line. Name goes out in exactly this spelling.
type Header struct{ Name, Value string }

// Request is one attempt. Body is not changed and must not be while Do runs.
type Request struct {
	Method  string // POST (default) or GET
	URL     string
	Headers []Header
	Body    []byte
	// Timeout covers everything from the lookup to the last byte of the body.
	// Default 15 s.
	Timeout time.Duration
}

func (c *Client) build(ctx context.Context, r Request) (*http.Request, *Failure) {
	method := r.Method
	if method == "" {
		method = http.MethodPost
	}
	if method != http.MethodPost && method != http.MethodGet {
		return nil, &Failure{Code: CodeConnect, Message: "not sent: only POST and GET are supported"}
	}
	u, err := c.policy.parse(r.URL)
	if err != nil {
		return nil, blockedFailure(err)
	}
	req, err := http.NewRequestWithContext(withAttempt(ctx), method, "", bytes.NewReader(r.Body))
	if err != nil {
		return nil, &Failure{Code: CodeConnect, Message: "not sent: the request could not be built"}
	}
	req.URL, req.Host = u, u.Host // not parsed again: exactly what was judged
	if err := c.setHeaders(req, r.Headers); err != nil {
		return nil, &Failure{Code: CodeConnect, Message: "not sent: a request " + err.Error()}
	}
	return req, nil
}

// setHeaders writes the map directly: Header.Set would change the spelling that
// receivers were promised. User-Agent alone is canonical, because net/http adds
// its own beside any other spelling.
func (c *Client) setHeaders(req *http.Request, headers []Header) error {
	req.Header = make(http.Header, len(headers)+1)
	req.Header["User-Agent"] = []string{c.userAgent}
	for _, h := range headers {
		if err := sendable(h); err != nil {
			return err
		}
		if strings.EqualFold(h.Name, "User-Agent") {
			req.Header["User-Agent"] = []string{h.Value}
			continue
		}
		req.Header[h.Name] = append(req.Header[h.Name], h.Value)
	}
	return nil
}

// sendable is the second line of CheckHeader, for headers that come from a
// profile as well.
func sendable(h Header) error {
	if err := checkName(h.Name); err != nil {
		return err
	}
	if wireHeader(h.Name) {
		return &HeaderError{Reason: "name is reserved"}
	}
	control := func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }
	if strings.ContainsFunc(h.Value, control) {
		return &HeaderError{Reason: "value has a control character"}
	}
	return nil
}
