package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"
)

// maxAnswer bounds what is read of one answer, in bytes.
const maxAnswer = 16 << 20

// client talks to Posthorn's API with one key.
type client struct {
	base, key string
	http      *http.Client
}

func newClient(base, key string) *client {
	return &client{base: strings.TrimSuffix(base, "/"), key: key, http: &http.Client{Timeout: 15 * time.Second}}
}

// as is the same client with another key.
func (c *client) as(key string) *client {
	return &client{base: c.base, key: key, http: c.http}
}

// problem is an answer that says what was wrong (RFC 9457).
type problem struct {
	Status int    `json:"status"`
	Code   string `json:"code"`
	Title  string `json:"title"`
	Detail string `json:"detail"`
	Errors []struct {
		Location string `json:"location"`
		Message  string `json:"message"`
	} `json:"errors"`
}

// Error is one line with all that the answer told.
func (p *problem) Error() string {
	parts := []string{fmt.Sprintf("%d %s", p.Status, p.Code)}
	for _, e := range p.Errors {
		parts = append(parts, e.Location+" "+e.Message)
	}
	parts = append(parts, p.Title, p.Detail)
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), ": ")
}

// get reads path into out.
func (c *client) get(ctx context.Context, path string, out any) error {
	return c.do(ctx, http.MethodGet, path, nil, out)
}

// post sends in as JSON; the bytes of a json.RawMessage go as they are. out may be nil.
func (c *client) post(ctx context.Context, path string, in, out any) error {
	body, ok := in.(json.RawMessage)
	if !ok {
		var err error
		if body, err = json.Marshal(in); err != nil {
			return fmt.Errorf("POST %s: %w", path, err)
		}
	}
	return c.do(ctx, http.MethodPost, path, body, out)
}

func (c *client) do(ctx context.Context, method, path string, body []byte, out any) error {
	if err := c.exchange(ctx, method, path, body, out); err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	return nil
}

func (c *client) exchange(ctx context.Context, method, path string, body []byte, out any) error {
	request, err := http.NewRequestWithContext(ctx, method, c.base+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+c.key)
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	answer, err := c.http.Do(request)
	if err != nil {
		return errors.Unwrap(err) // without the URL and method, which do says already
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	if err != nil {
		return err
	}
	if answer.StatusCode >= http.StatusMultipleChoices {
		p := &problem{}
		if json.Unmarshal(text, p) != nil || p.Code == "" {
			p.Title = http.StatusText(answer.StatusCode)
		}
		p.Status = answer.StatusCode
		return p
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(text, out)
}
