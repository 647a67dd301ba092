// Package posthorn is a client of Posthorn's API. What the OpenAPI document says is generated (posthorn.gen.go, by
// `make clients`); written by hand are credentials, errors, publishing byte for byte, and the verification of deliveries.
package posthorn

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	// timeout is how long a request may take with the client that New makes by itself: longer than the API's own limit.
	timeout = 35 * time.Second
	// maxAnswer bounds an answer, in bytes: the longest, 50 events with their payloads of 1 MiB, fits.
	maxAnswer = 64 << 20
	// maxProblem bounds what is read of an answer that is an error.
	maxProblem = 1 << 20
)

// New returns a client of the Posthorn at baseURL, such as http://127.0.0.1:8080, that shows the key with each request.
// An option WithHTTPClient replaces the client that sends, which otherwise gives up after 35 s.
//
// Methods named …WithResponse return the answer decoded, in JSON200, JSON201 or JSON202. An answer that is an error is
// returned as an *Error.
func New(baseURL, key string, options ...ClientOption) (*ClientWithResponses, error) {
	if key == "" {
		return nil, errors.New("posthorn: no API key")
	}
	options = append([]ClientOption{WithHTTPClient(&http.Client{Timeout: timeout})}, options...)
	return NewClientWithResponses(baseURL, append(options, func(c *Client) error {
		c.Client = doer{key: key, next: c.Client}
		return nil
	})...)
}

// doer sends requests with the key and makes errors of answers that are.
type doer struct {
	key  string
	next HttpRequestDoer
}

// Do sends the request.
func (d doer) Do(request *http.Request) (*http.Response, error) {
	request.Header.Set("Authorization", "Bearer "+d.key)
	answer, err := d.next.Do(request)
	if err != nil {
		return nil, err
	}
	if answer.StatusCode >= http.StatusMultipleChoices {
		defer answer.Body.Close()
		return nil, errorOf(answer)
	}
	answer.Body = http.MaxBytesReader(nil, answer.Body, maxAnswer)
	return answer, nil
}

// Error is an answer that says what was wrong (RFC 9457). Its Code is a stable word for programs; "" where the answer
// came from something between, such as a proxy.
type Error struct {
	Problem
	// RetryAfter is how long to wait before asking again; 0 = the answer does not say.
	RetryAfter time.Duration
}

// Error is one line with all that the answer told.
func (e *Error) Error() string {
	parts := []string{strings.TrimSpace(fmt.Sprintf("%d %s", e.Status, e.Code))}
	if e.Detail != "" {
		parts = append(parts, e.Detail)
	} else if e.Title != "" {
		parts = append(parts, e.Title)
	}
	for _, field := range e.Errors {
		parts = append(parts, strings.TrimSpace(field.Location+" "+field.Message))
	}
	return strings.Join(parts, ": ")
}

// IsCode reports whether err is an *Error with the code, such as "not_found".
func IsCode(err error, code string) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.Code == code
}

func errorOf(answer *http.Response) *Error {
	e := &Error{}
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxProblem))
	if err != nil || json.Unmarshal(text, &e.Problem) != nil || e.Code == "" {
		e.Problem = Problem{Title: http.StatusText(answer.StatusCode)}
	}
	e.Status = int64(answer.StatusCode)
	if seconds, err := strconv.Atoi(answer.Header.Get("Retry-After")); err == nil && seconds > 0 {
		e.RetryAfter = time.Duration(seconds) * time.Second
	}
	return e
}

// Publish publishes an event to the application. Its payload is sent byte for byte, as are those of its versions, which
// PublishEventWithResponse does not do: encoding/json drops spaces and rewrites <, > and &.
func Publish(ctx context.Context, c *ClientWithResponses, application string, event Publication) (*Accepted, error) {
	body, err := Encode(event)
	if err != nil {
		return nil, err
	}
	answer, err := c.PublishEventWithBodyWithResponse(ctx, application, nil, "application/json", strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	if answer.JSON202 == nil {
		return nil, fmt.Errorf("publish an event: %s is no answer of Posthorn's", answer.Status())
	}
	return answer.JSON202, nil
}

// Settled reports whether an invocation with the status gets no further attempt by itself.
func Settled(status InvocationStatus) bool {
	switch status {
	case InvocationStatusSucceeded, InvocationStatusFailed, InvocationStatusCancelled, InvocationStatusAbandoned:
		return true
	default:
		return false
	}
}
