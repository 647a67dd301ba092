package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// standardLimit is how many subscriptions the standard profile allows without an override.
const standardLimit = 100

// api is Posthorn's, as far as the benchmark uses it.
type api struct {
	url, key string
	http     *http.Client
	// events is the URL that publishes.
	events string
	// application and subscription are the ids of what setUp made, the first subscription's.
	application, subscription string
}

func newAPI(url, key string, connections int) *api {
	transport := &http.Transport{MaxIdleConnsPerHost: connections, DisableCompression: true}
	return &api{url: url, key: key, http: &http.Client{Transport: transport, Timeout: time.Minute}}
}

// post sends JSON text and decodes an answer below 300 into out, unless that is nil.
func (a *api) post(ctx context.Context, url string, body []byte, out any) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+a.key)
	request.Header.Set("Content-Type", "application/json")
	answer, err := a.http.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, 1<<20))
	if err != nil {
		return err
	}
	if answer.StatusCode >= http.StatusMultipleChoices {
		return fmt.Errorf("POST %s: %s: %.500s", url, answer.Status, text)
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(text, out)
}

// setUp creates the application and its subscriptions, all for the one event type.
func (a *api) setUp(ctx context.Context, subscriptions int, ordering string, urlOf func(int) string) error {
	overrides := fmt.Sprintf(`{"subscription_limit":%d,"ordering":%q}`, max(subscriptions, standardLimit), ordering)
	var app struct {
		ID string `json:"id"`
	}
	request := fmt.Sprintf(`{"name":"bench","profile":"standard","overrides":%s}`, overrides)
	if err := a.post(ctx, a.url+"/v1/applications", []byte(request), &app); err != nil {
		return err
	}
	for n := range subscriptions {
		var sub struct {
			ID string `json:"id"`
		}
		request := fmt.Sprintf(`{"url":%q,"event_types":[%q]}`, urlOf(n), eventType)
		if err := a.post(ctx, a.url+"/v1/applications/"+app.ID+"/subscriptions", []byte(request), &sub); err != nil {
			return err
		}
		if n == 0 {
			a.subscription = sub.ID
		}
	}
	a.application, a.events = app.ID, a.url+"/v1/applications/"+app.ID+"/events"
	return nil
}

// moveTo goes on with the API at another address: it was started anew.
func (a *api) moveTo(url string) {
	a.events = url + strings.TrimPrefix(a.events, a.url)
	a.url = url
}

const eventType = "bench.happened"

// publish publishes event number n with a payload of size bytes and returns after the 202. A time that is not zero is
// when its first attempt is due.
func (a *api) publish(ctx context.Context, n, size int, notBefore time.Time) error {
	return a.post(ctx, a.events, event(n, size, notBefore), nil)
}

// event is the request that publishes: {"type":…,"payload":{"n":<n>,"pad":"xxx…"}}.
func event(n, size int, notBefore time.Time) []byte {
	payload := fmt.Sprintf(numbered+`%d,"pad":"`, n)
	padding := strings.Repeat("x", max(0, size-len(payload)-len(`"}`)))
	due := ""
	if !notBefore.IsZero() {
		due = fmt.Sprintf(`"not_before":%q,`, notBefore.UTC().Format(time.RFC3339Nano))
	}
	return fmt.Appendf(nil, `{"type":%q,%s"payload":%s%s"}}`, eventType, due, payload, padding)
}
