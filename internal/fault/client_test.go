package fault_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// client calls the API as a customer's program does: in turns at each of the addresses it knows, and at the next one
// where a connection is refused.
type client struct {
	urls []string
	key  string
	http *http.Client
	turn atomic.Int64
	// failed counts requests that no address took, or that broke off, or were answered 5xx.
	failed atomic.Int64
}

func newClient(key string, urls ...string) *client {
	transport := &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true}
	return &client{urls: urls, key: key, http: &http.Client{Transport: transport, Timeout: 30 * time.Second}}
}

// answer is what the API said.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// ask makes one request. Nothing is repeated that may have been received: only a refused connection is.
func (c *client) ask(ctx context.Context, method, path string, body []byte) (answer, error) {
	turn := int(c.turn.Add(1))
	var a answer
	var err error
	for n := range c.urls {
		a, err = c.askAt(ctx, c.urls[(turn+n)%len(c.urls)], method, path, body)
		if err == nil || !refused(err) {
			break
		}
	}
	if err != nil || a.status >= http.StatusInternalServerError {
		c.failed.Add(1)
	}
	return a, err
}

func (c *client) askAt(ctx context.Context, url, method, path string, body []byte) (answer, error) {
	req, err := http.NewRequestWithContext(ctx, method, url+path, bytes.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	req.Header.Set("Authorization", "Bearer "+c.key)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := c.http.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	return answer{status: res.StatusCode, header: res.Header, body: text}, err
}

// refused reports whether nobody listened: the request cannot have been received.
func refused(err error) bool { return errors.Is(err, syscall.ECONNREFUSED) }

// object is a JSON object as a test reads it.
type object map[string]any

// call repeats a request that changes nothing, or is known not to have been received, until it is answered with the
// status, and returns the answer's object; nil when empty.
func (c *client) call(t *testing.T, method, path, body string, want int) object {
	t.Helper()
	var last answer
	var err error
	deadline := time.Now().Add(patience)
	for {
		if last, err = c.ask(t.Context(), method, path, []byte(body)); err == nil && last.status == want {
			break
		}
		unsure := err != nil || last.status >= http.StatusInternalServerError
		if !unsure || time.Now().After(deadline) {
			require.NoError(t, err, "%s %s", method, path)
			require.Equal(t, want, last.status, "%s %s: %s", method, path, last.body)
		}
		<-time.After(100 * time.Millisecond)
	}
	if len(last.body) == 0 {
		return nil
	}
	var o object
	require.NoError(t, json.Unmarshal(last.body, &o))
	return o
}

// page is one page of a list.
type page[T any] struct {
	Items      []T     `json:"items"`
	NextCursor *string `json:"next_cursor"`
}

// list reads a whole list.
func list[T any](t *testing.T, c *client, path string) []T {
	t.Helper()
	var all []T
	cursor := ""
	for {
		var p page[T]
		got := c.raw(t, path+cursor)
		require.NoError(t, json.Unmarshal(got, &p), "%s", got)
		all = append(all, p.Items...)
		if p.NextCursor == nil {
			return all
		}
		cursor = "&cursor=" + *p.NextCursor
	}
}

// raw reads with patience and returns the body.
func (c *client) raw(t *testing.T, path string) []byte {
	t.Helper()
	var last answer
	var err error
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		if last, err = c.ask(t.Context(), http.MethodGet, path, nil); err == nil && last.status == http.StatusOK {
			return last.body
		}
		<-time.After(100 * time.Millisecond)
	}
	require.FailNow(t, fmt.Sprintf("GET %s: %v, %d %s", path, err, last.status, last.body))
	return nil
}
