package dashboard

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// client asks the API's own routes, in this process, with a session's key.
type client struct {
	api http.Handler
	key string
	// from is the visitor's address, which the audit log notes.
	from string
}

// problem is an error answer of the API.
type problem struct {
	Status int          `json:"status"`
	Detail string       `json:"detail"`
	Code   string       `json:"code"`
	Errors []fieldError `json:"errors"`
}

type fieldError struct {
	Location string `json:"location"`
	Message  string `json:"message"`
}

// Error implements error.
func (p *problem) Error() string { return p.Code + ": " + p.text() }

// text is what the visitor reads of it.
func (p *problem) text() string {
	var out strings.Builder
	out.WriteString(p.Detail)
	for i, e := range p.Errors {
		separator := "; "
		if i == 0 {
			separator = ": "
		}
		out.WriteString(separator + strings.TrimSpace(e.Location+" "+e.Message))
	}
	return out.String()
}

func notFound() error {
	return &problem{Status: http.StatusNotFound, Code: "not_found", Detail: "There is no such page, or it is not yours to see."}
}

func (c *client) get(ctx context.Context, path string, query url.Values, into any) error {
	return c.call(ctx, http.MethodGet, path, query, nil, into)
}

func (c *client) post(ctx context.Context, path string, body, into any) error {
	return c.call(ctx, http.MethodPost, path, nil, body, into)
}

// call makes one request and decodes its answer; an error answer is a *problem. A nil body is none, a nil into nothing
// to decode.
func (c *client) call(ctx context.Context, method, path string, query url.Values, body, into any) error {
	var content bytes.Buffer
	if body != nil {
		if err := json.NewEncoder(&content).Encode(body); err != nil {
			return fmt.Errorf("encode a request: %w", err)
		}
	}
	request, err := http.NewRequestWithContext(ctx, method, path, &content)
	if err != nil {
		return fmt.Errorf("make a request: %w", err)
	}
	request.URL.RawQuery = query.Encode()
	request.RemoteAddr = c.from
	request.Header.Set("Authorization", "Bearer "+c.key)
	request.Header.Set("Content-Type", "application/json")
	answer := &answer{header: http.Header{}, status: http.StatusOK}
	c.api.ServeHTTP(answer, request)
	return answer.decode(into)
}

// answer is the http.ResponseWriter of a request in this process.
type answer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

// Header implements http.ResponseWriter.
func (a *answer) Header() http.Header { return a.header }

// WriteHeader implements http.ResponseWriter.
func (a *answer) WriteHeader(status int) { a.status = status }

// Write implements http.ResponseWriter.
func (a *answer) Write(b []byte) (int, error) { return a.body.Write(b) }

func (a *answer) decode(into any) error {
	if a.status >= http.StatusBadRequest {
		p := &problem{}
		if err := json.Unmarshal(a.body.Bytes(), p); err != nil || p.Status == 0 {
			return fmt.Errorf("the API answered %d without a problem", a.status)
		}
		return p
	}
	if into == nil || a.body.Len() == 0 {
		return nil
	}
	if err := json.Unmarshal(a.body.Bytes(), into); err != nil {
		return fmt.Errorf("decode an answer of the API: %w", err)
	}
	return nil
}
